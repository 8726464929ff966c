//! Ending sessions: at once, and made known to all who hold their tokens.

use chrono::{DateTime, Utc};

use crate::app::App;
use crate::error::{Error, Result};
use crate::id::{SessionId, UserId};
use crate::store::changes::Reason;
use crate::store::{Tx, sessions};
use crate::tokens::Effect;

/// Which of a user's sessions a logout ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogoutScope {
    /// The one that asks.
    #[default]
    Session,
    All,
    /// All but the one that asks.
    Others,
}

/// Logs out.
pub async fn logout(app: &App, user: UserId, session: SessionId, scope: LogoutScope) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let effect = match scope {
        LogoutScope::Session => {
            let ended = sessions::end(&mut tx, user, session, now).await?.then_some(session);
            Effect::on_sessions(Reason::LoggedOut, user, ended)
        }
        LogoutScope::All => end_all(&mut tx, Reason::LoggedOut, user, None, now).await?,
        LogoutScope::Others => end_all(&mut tx, Reason::LoggedOut, user, Some(session), now).await?,
    };
    app.changes.commit(tx, &[effect], now).await?;
    // What another replica has ended a moment ago is not among the effects, but must be over here, too, when we say so.
    app.changes.cache().forget(user, None);
    Ok(())
}

/// Ends one of the user's sessions; [`Error::NotFound`] for one that has ended already or is not the user's.
pub async fn end(app: &App, user: UserId, session: SessionId) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if !sessions::end(&mut tx, user, session, now).await? {
        app.changes.cache().forget(user, Some(session));
        return Err(Error::NotFound);
    }
    app.changes.commit(tx, &[Effect::on_sessions(Reason::SessionEnded, user, [session])], now).await
}

/// Ends all of the user's sessions but `except`, as part of a larger change, which commits the effect.
pub(crate) async fn end_all(
    tx: &mut Tx,
    reason: Reason,
    user: UserId,
    except: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<Effect> {
    Ok(Effect::on_sessions(reason, user, sessions::end_all(tx, user, except, now).await?))
}
