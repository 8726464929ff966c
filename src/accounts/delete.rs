//! Deleting one's account.

use std::net::IpAddr;

use super::password::changed_meanwhile;
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::changes::Reason;
use crate::store::roles;
use crate::store::users::{self, User};
use crate::tokens::Effect;

/// Deletes the account and all that belongs to it, for whoever knows its password.
pub async fn delete(app: &App, user: &User, password: &str, address: Option<IpAddr>) -> Result<()> {
    let version = super::confirm(app, user.id, "password", password, address).await?;
    let mut tx = app.db.begin().await?;
    if roles::is_last_admin(&mut tx, user.id).await? {
        return Err(Error::LastAdmin);
    }
    if !users::delete(&mut tx, user.id, version).await? {
        return Err(changed_meanwhile(&mut tx, user.id, "password").await?);
    }
    app.changes.commit(tx, &[Effect::on_user(Reason::UserDeleted, user.id)], app.clock.now()).await
}
