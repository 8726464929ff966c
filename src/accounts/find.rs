//! Finding a user by whatever name a person gives.

use super::{EmailAddress, Username};
use crate::app::App;
use crate::error::Result;
use crate::id::UserId;
use crate::store::users::{self, User};

/// The user with this username, e-mail address or id. What looks like an id is one, and nothing else, since anyone may register a
/// username that looks like another's.
pub async fn find(app: &App, name: &str) -> Result<Option<User>> {
    const ID_LENGTH: usize = 36;
    if let Some(id) = name.parse::<UserId>().ok().filter(|_| name.len() == ID_LENGTH) {
        return users::by_id(&app.db, id).await;
    }
    let found = if name.contains('@') {
        users::by_email(&app.db, &EmailAddress::key_of(name)).await?
    } else {
        users::by_username(&app.db, &Username::key_of(name)).await?
    };
    Ok(found.map(|found| found.user))
}
