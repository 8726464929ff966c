//! Changing one's names.

use super::{DisplayName, Username};
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::error::{Broken, Error, Result};
use crate::store::changes::Reason;
use crate::store::users::{self, Edit, User};
use crate::tokens::Effect;

/// What to change: `None` leaves a name as it is, `Some(None)` takes it away.
#[derive(Debug, Default)]
pub struct Changes {
    pub username: Option<Option<Username>>,
    pub display_name: Option<Option<DisplayName>>,
}

/// Changes a user's names, and returns the user as it is then.
pub async fn update(app: &App, user: &User, changes: &Changes, actor: &Actor) -> Result<User> {
    if changes.username.is_none() && changes.display_name.is_none() {
        return users::by_id(&app.db, user.id).await?.ok_or(Error::RevokedToken);
    }
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    if !users::hold(&mut tx, user.id).await? {
        return Err(Error::RevokedToken);
    }
    actor.ensure_let_in(&mut tx, now).await?;
    let before = users::by_id(&mut tx, user.id).await?.ok_or(Error::RevokedToken)?;
    if matches!(changes.username, Some(None)) && before.email.is_none() {
        let rule = Broken::new("required", "An account without an e-mail address needs a username.");
        return Err(Error::field("username", rule));
    }
    let edit = Edit {
        username: changes.username.as_ref().map(|new| new.as_ref().map(Username::parts)),
        display_name: changes.display_name.as_ref().map(|new| new.as_ref().map(DisplayName::as_str)),
        ..Edit::default()
    };
    users::set(&mut tx, user.id, &edit, now).await?;
    let after = users::by_id(&mut tx, user.id).await?.ok_or(Error::RevokedToken)?;
    let fields = [
        ("username", before.username != after.username),
        ("display_name", before.display_name != after.display_name),
    ];
    let fields: Vec<_> = fields.into_iter().filter(|(_, changed)| *changed).map(|(field, _)| field).collect();
    if !fields.is_empty() {
        let updated = actor.did(Event::UserUpdated, user.id).with("fields", fields);
        app.audit.note(&mut tx, updated, now).await?;
    }
    app.changes.commit(tx, &[Effect::on_user(Reason::UserUpdated, user.id)], now).await?;
    Ok(after)
}
