//! Deleting one's account.

use super::password::changed_meanwhile;
use crate::app::App;
use crate::audit::Event;
use crate::error::{Error, Result};
use crate::sessions::Client;
use crate::store::changes::Reason;
use crate::store::roles;
use crate::store::users::{self, User};
use crate::tokens::Effect;

/// Deletes the account and all that belongs to it, for whoever knows its password.
pub async fn delete(app: &App, user: &User, password: &str, client: &Client) -> Result<()> {
    let version = super::confirm(app, user.id, "password", password, client.ip).await?;
    let mut tx = app.db.begin().await?;
    if roles::is_last_admin(&mut tx, user.id).await? {
        return Err(Error::LastAdmin);
    }
    if !users::delete(&mut tx, user.id, version).await? {
        return Err(changed_meanwhile(&mut tx, user.id, "password").await?);
    }
    let now = app.clock.now();
    app.audit.note(&mut tx, client.actor(user.id).did(Event::UserDeleted, user.id), now).await?;
    app.changes.commit(tx, &[Effect::on_user(Reason::UserDeleted, user.id)], now).await
}
