//! How many requests a user may make, as an admin sets it.

use crate::app::App;
use crate::audit::{Actor, Event};
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::store::changes::Reason;
use crate::store::quotas::{self, Per};
use crate::store::users;
use crate::tokens::Effect;

/// Sets the user's quota. To set what is set already changes nothing.
pub async fn set_quota(app: &App, user: UserId, requests: i64, per: Per, actor: &Actor) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    // Who is being deleted is gone by then, rather than missed by the row that is to belong to them.
    if !users::hold(&mut tx, user).await? {
        return Err(Error::NotFound);
    }
    actor.ensure_let_in(&mut tx, now).await?;
    if !quotas::set(&mut tx, user, requests, per, now).await? {
        return Ok(());
    }
    let changed = actor.did(Event::QuotaChanged, user).with("requests", requests).with("per", per.name());
    app.audit.note(&mut tx, changed, now).await?;
    app.changes.commit(tx, &[Effect::on_user(Reason::UserUpdated, user)], now).await
}

/// Lets the user make as many requests as they like.
pub async fn remove_quota(app: &App, user: UserId, actor: &Actor) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if !users::hold(&mut tx, user).await? {
        return Err(Error::NotFound);
    }
    actor.ensure_let_in(&mut tx, now).await?;
    if !quotas::delete(&mut tx, user).await? {
        return Err(Error::NotFound);
    }
    let changed = actor.did(Event::QuotaChanged, user).with("requests", None::<i64>);
    app.audit.note(&mut tx, changed, now).await?;
    app.changes.commit(tx, &[Effect::on_user(Reason::UserUpdated, user)], now).await?;
    app.usage.quotas.forget(user);
    Ok(())
}
