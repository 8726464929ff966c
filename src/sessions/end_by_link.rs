//! Ending a session that is not one's own doing, by the link in the mail that told of it.

use super::Client;
use crate::app::App;
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::store::changes::Reason;
use crate::store::links::{self, Asker};
use crate::store::sessions;
use crate::tokens::Effect;

/// Ends the session of a mailed link, and what it had asked for that waits to be confirmed. Harmless for one that has ended.
pub async fn end_by_link(app: &App, token: &str, client: &Client) -> Result<()> {
    let session = app.end_links.read(token).ok_or(Error::InvalidLink)?;
    // Gone with its account, or pruned: it has ended.
    let Some(session) = sessions::by_id(&app.db, session).await? else { return Ok(()) };
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    links::delete_change(&mut tx, session.user_id, Asker::Session(session.id)).await?;
    if sessions::end(&mut tx, session.user_id, session.id, now).await? {
        let ended = client.actor(None).did(Event::SessionEnded, session.user_id);
        app.audit.note(&mut tx, ended.with("session_id", session.id.to_string()), now).await?;
    }
    let effect = Effect::on_sessions(Reason::SessionEnded, session.user_id, [session.id]);
    app.changes.commit(tx, &[effect], now).await
}
