//! Deleting an account.

use super::password::changed_meanwhile;
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::error::{Error, Result};
use crate::id::{SessionId, UserId};
use crate::sessions::Client;
use crate::store::Tx;
use crate::store::changes::Reason;
use crate::store::roles;
use crate::store::users::{self, User};
use crate::tokens::Effect;

/// Deletes the account and all that belongs to it, for whoever knows its password.
pub async fn delete(
    app: &App,
    user: &User,
    session: SessionId,
    password: &str,
    client: &Client,
) -> Result<()> {
    let version = super::confirm(app, user.id, "password", password, client.ip).await?;
    let actor = client.actor(user.id).by(session.into());
    let mut tx = held(app, user.id, &actor, Error::RevokedToken).await?;
    if !users::delete(&mut tx, user.id, Some(version)).await? {
        return Err(changed_meanwhile(&mut tx, user.id, "password").await?);
    }
    deleted(app, tx, user.id, &actor).await
}

/// Deletes someone's account and all that belongs to it.
pub async fn delete_user(app: &App, id: UserId, actor: &Actor) -> Result<()> {
    let mut tx = held(app, id, actor, Error::NotFound).await?;
    users::delete(&mut tx, id, None).await?;
    deleted(app, tx, id, actor).await
}

/// Holds who is to be deleted, and may be, by this one; `gone` where there is nobody.
async fn held(app: &App, id: UserId, actor: &Actor, gone: Error) -> Result<Tx> {
    let mut tx = app.db.begin().await?;
    if roles::is_last_admin(&mut tx, id).await? {
        return Err(Error::LastAdmin);
    }
    if !users::hold(&mut tx, id).await? {
        return Err(gone);
    }
    actor.ensure_let_in(&mut tx, app.clock.now()).await?;
    Ok(tx)
}

async fn deleted(app: &App, mut tx: Tx, id: UserId, actor: &Actor) -> Result<()> {
    let now = app.clock.now();
    app.audit.note(&mut tx, actor.did(Event::UserDeleted, id), now).await?;
    app.changes.commit(tx, &[Effect::on_user(Reason::UserDeleted, id)], now).await
}
