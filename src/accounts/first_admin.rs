//! The first admin, as the settings have it: for a service that starts where nobody has a command line.

use super::register::{Registration, Standing, write};
use super::{EmailAddress, Password, Username};
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::config::Config;
use crate::error::{Broken, Error, Result};
use crate::store::roles::{self, ADMIN};
use crate::store::users::{self, User};

/// What is wrong with the settings of the first admin, each by itself: the setting, and what is allowed.
pub fn first_admin_problems(config: &Config) -> Vec<(&'static str, String)> {
    read(config).err().unwrap_or_default()
}

/// `None` where no first admin is asked for.
fn read(config: &Config) -> Result<Option<Registration>, Vec<(&'static str, String)>> {
    let mut problems = Vec::new();
    let mut note = |field, broken: Broken| problems.push((field, format!("is refused: {}", broken.message)));
    let username = config.admin_username.as_deref().map(Username::parse).transpose();
    let username = username.unwrap_or_else(|broken| {
        note("admin_username", broken);
        None
    });
    let email = config.admin_email.as_deref().map(EmailAddress::parse).transpose();
    let email = email.unwrap_or_else(|broken| {
        note("admin_email", broken);
        None
    });
    let password = config.admin_password.as_ref().map(|password| {
        let password = Password::parse_setting(config, password.expose())?;
        password.check_not_a_name(config.admin_username.iter().chain(&config.admin_email))?;
        Ok(password)
    });
    let password = password.transpose().unwrap_or_else(|broken| {
        note("admin_password", broken);
        None
    });
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(password.map(|password| Registration { username, email, password, display_name: None }))
}

/// Makes the admin that the settings name where no user has the role at all, and returns it. Of replicas that start at once, one
/// does. Who has the name already is not made an admin: whoever registered it knows its password. Then the error is
/// [`Error::UsernameTaken`] or [`Error::EmailTaken`].
pub async fn provide_admin(app: &App) -> Result<Option<User>> {
    let registration = read(&app.config).unwrap_or_default();
    let Some(registration) = registration else { return Ok(None) };
    if roles::is_any_admin(&app.db).await? {
        return Ok(None);
    }
    let hash = app.hasher.hash(registration.password.expose()).await?;
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    roles::take_turn(&mut tx).await?;
    if roles::is_any_admin(&mut tx).await? {
        return Ok(None);
    }
    let standing = Standing { email_verified: registration.email.is_some(), roles: vec![ADMIN.to_owned()] };
    let actor = |_| Actor::service();
    let made = write(app, &mut tx, &registration, &standing, &hash, Event::UserCreated, actor, now).await?;
    if made.is_none() {
        let [username, email] = registration.keys();
        return Err(users::taken(&mut tx, username, email).await?.unwrap_or(Error::UsernameTaken));
    }
    tx.commit().await?;
    Ok(made)
}
