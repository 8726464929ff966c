//! Changing one's names.

use super::{DisplayName, Username};
use crate::app::App;
use crate::audit::Event;
use crate::error::{Broken, Error, Result};
use crate::sessions::Client;
use crate::store::changes::Reason;
use crate::store::users::{self, User};
use crate::tokens::Effect;

/// What to change: `None` leaves a name as it is, `Some(None)` takes it away.
#[derive(Debug, Default)]
pub struct Changes {
    pub username: Option<Option<Username>>,
    pub display_name: Option<Option<DisplayName>>,
}

/// Changes a user's names, and returns the user as it is then.
pub async fn update(app: &App, user: &User, changes: &Changes, client: &Client) -> Result<User> {
    if matches!(changes.username, Some(None)) && user.email.is_none() {
        let rule = Broken::new("required", "An account without an e-mail address needs a username.");
        return Err(Error::field("username", rule));
    }
    let username = changes.username.as_ref().map(|new| new.as_ref().map(Username::parts));
    let display_name = changes.display_name.as_ref().map(|new| new.as_ref().map(DisplayName::as_str));
    if username.is_some() || display_name.is_some() {
        let now = app.clock.now();
        let mut tx = app.db.begin().await?;
        users::set_profile(&mut tx, user.id, username, display_name, now).await?;
        let fields = [("username", username.is_some()), ("display_name", display_name.is_some())];
        let fields: Vec<_> = fields.into_iter().filter(|(_, set)| *set).map(|(field, _)| field).collect();
        let actor = client.actor(user.id);
        app.audit.note(&mut tx, actor.did(Event::UserUpdated, user.id).with("fields", fields), now).await?;
        app.changes.commit(tx, &[Effect::on_user(Reason::UserUpdated, user.id)], now).await?;
    }
    users::by_id(&app.db, user.id).await?.ok_or(Error::RevokedToken)
}
