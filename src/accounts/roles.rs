//! Which roles there are.

use super::RoleDescription;
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::store::changes::Reason;
use crate::store::roles::{self, ADMIN, INTROSPECT};
use crate::tokens::Effect;

/// Users of whom one statement takes a role that goes: few enough for it to be done long before its deadline.
const BATCH: u32 = 10_000;

/// Makes a role of this name, which is [one that a role can have](super::role_name).
pub async fn create_role(
    app: &App,
    name: &str,
    description: Option<&RoleDescription>,
    actor: &Actor,
) -> Result<()> {
    let now = app.clock.now();
    let mut tx = actor.begin(&app.db, now).await?;
    if !roles::insert(&mut tx, name, description.map(RoleDescription::as_str)).await? {
        return Err(Error::RoleTaken);
    }
    app.audit.note(&mut tx, actor.did(Event::RoleCreated, None).with("role", name), now).await?;
    tx.commit().await
}

/// Deletes a role, and takes it of all users at once, however many have it: one transaction, one change, one event that says how many
/// it were. The service itself asks for some roles, which stay.
pub async fn delete_role(app: &App, name: &str, actor: &Actor) -> Result<()> {
    if [ADMIN, INTROSPECT].contains(&name) {
        return Err(Error::RoleProtected);
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if !roles::hold(&mut tx, name).await? {
        return Err(Error::NotFound);
    }
    actor.ensure_let_in(&mut tx, now).await?;
    let (mut users, mut last) = (0, UserId::NIL);
    while let Some((some, to)) = roles::delete_some(&mut tx, name, last, BATCH).await? {
        (users, last) = (users + some, to);
    }
    roles::delete_role(&mut tx, name).await?;
    let deleted = actor.did(Event::RoleDeleted, None).with("role", name).with("users", users);
    app.audit.note(&mut tx, deleted, now).await?;
    let had_it = (users > 0).then(|| Effect::on_everyone(Reason::RoleDeleted));
    app.changes.commit(tx, had_it.as_slice(), now).await
}
