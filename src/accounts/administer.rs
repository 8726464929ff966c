//! What an admin changes of someone's account.

use std::collections::BTreeSet;

use super::register::grant;
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::sessions;
use crate::store::changes::Reason;
use crate::store::roles::{self, ADMIN};
use crate::store::users::{self, User};
use crate::tokens::Effect;

/// What to change: `None` leaves it as it is.
#[derive(Debug, Default)]
pub struct AdminChanges {
    pub disabled: Option<bool>,
    /// All that the user has from now on.
    pub roles: Option<Vec<String>>,
}

/// Changes an account, and returns the user as it is then. Who is disabled has no session any more, also not when enabled
/// again. The last enabled admin stays one.
pub async fn administer(app: &App, id: UserId, changes: &AdminChanges, actor: &Actor) -> Result<User> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let loses_role = changes.roles.as_ref().is_some_and(|roles| !roles.iter().any(|role| role == ADMIN));
    let loses_admin = changes.disabled == Some(true) || loses_role;
    if loses_admin && roles::is_last_admin(&mut tx, id).await? {
        return Err(Error::LastAdmin);
    }
    let mut effects = Vec::new();
    if changes.disabled.is_some() || changes.roles.is_some() {
        // Holds the row, so that what is read next is what these changes replace.
        if !users::set_disabled(&mut tx, id, None, now).await? {
            return Err(Error::NotFound);
        }
        effects.push(Effect::on_user(Reason::UserUpdated, id));
    }
    let before = users::by_id(&mut tx, id).await?.ok_or(Error::NotFound)?;
    if let Some(roles) = &changes.roles {
        let (old, new) = (BTreeSet::from_iter(before.roles.names()), BTreeSet::from_iter(roles));
        for role in old.difference(&new) {
            roles::delete(&mut tx, id, role).await?;
            app.audit
                .note(&mut tx, actor.did(Event::RoleRevoked, id).with("role", role.as_str()), now)
                .await?;
        }
        for role in new.difference(&old) {
            grant(app, &mut tx, id, role, actor, now).await?;
        }
    }
    if let Some(disabled) = changes.disabled {
        users::set_disabled(&mut tx, id, Some(disabled), now).await?;
        if disabled != before.disabled {
            let event = if disabled { Event::UserDisabled } else { Event::UserEnabled };
            app.audit.note(&mut tx, actor.did(event, id), now).await?;
        }
    }
    if changes.disabled == Some(true) {
        effects.push(sessions::end_all(&mut tx, Reason::UserDisabled, id, None, now).await?);
    }
    let user = users::by_id(&mut tx, id).await?.ok_or(Error::NotFound)?;
    app.changes.commit(tx, &effects, now).await?;
    Ok(user)
}
