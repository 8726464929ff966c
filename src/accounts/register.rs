//! Making an account.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::links::{self, Offer};
use super::{DisplayName, EmailAddress, Password, Username};
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::config;
use crate::error::{Broken, Error, Result};
use crate::id::UserId;
use crate::sessions::Client;
use crate::store::links::Purpose;
use crate::store::users::{self, FIRST_PASSWORD, NewUser, User};
use crate::store::{self, Tx};

/// What someone registers with.
#[derive(Debug)]
pub struct Registration {
    pub username: Option<Username>,
    pub email: Option<EmailAddress>,
    pub password: Password,
    pub display_name: Option<DisplayName>,
}

/// Whether strangers may make accounts; asked before anything of theirs is read.
pub fn ensure_open(app: &App) -> Result<()> {
    match app.config.registration {
        config::Registration::Open => Ok(()),
        config::Registration::Closed => Err(Error::RegistrationClosed),
    }
}

/// Makes an account for a stranger, who is mailed a link that proves the address.
pub async fn register(app: &App, registration: &Registration, client: &Client) -> Result<User> {
    insert(app, registration, &[], Event::UserRegistered, |user| client.actor(user)).await
}

/// Makes an account with these roles, each of which must exist. Whether the actor may is the caller's to know.
pub async fn create(app: &App, registration: &Registration, roles: &[String], actor: &Actor) -> Result<User> {
    insert(app, registration, roles, Event::UserCreated, |_| actor.clone()).await
}

async fn insert(
    app: &App,
    registration: &Registration,
    roles: &[String],
    event: Event,
    actor: impl FnOnce(UserId) -> Actor,
) -> Result<User> {
    let username = registration.username.as_ref().map(Username::parts);
    let email = registration.email.as_ref().map(EmailAddress::parts);
    if username.is_none() && email.is_none() {
        let rule = Broken::new("required", "Give a `username`, an `email`, or both.");
        return Err(Error::field("username", rule));
    }
    let is_stranger = event == Event::UserRegistered;
    if is_stranger && app.config.require_verified_email && email.is_none() {
        let rule = Broken::new("required", "An account needs an e-mail address here.");
        return Err(Error::field("email", rule));
    }
    let names = [username, email].into_iter().flatten().map(|(typed, _)| typed);
    registration.password.check_not_a_name(names).map_err(|broken| Error::field("password", broken))?;

    let taken = async || users::taken(&app.db, username.map(|(_, key)| key), email.map(|(_, key)| key)).await;
    // Most conflicts are found here, before a hash is spent on them; the insert finds the rest.
    if let Some(error) = taken().await? {
        return Err(error);
    }
    let password_hash = app.hasher.hash(registration.password.expose()).await?;
    let now = app.clock.now();
    let user = NewUser {
        id: UserId::new(now),
        username,
        email,
        email_verified: false,
        display_name: registration.display_name.as_ref().map(DisplayName::as_str),
        password_hash: &password_hash,
        disabled: false,
        created_at: now,
    };

    let mut tx = app.db.begin().await?;
    if !users::insert(&mut tx, &user, now).await? {
        drop(tx);
        // Whoever was faster may have gone again; then the name is free, but this request has had its answer.
        return Err(taken().await?.unwrap_or(Error::UsernameTaken));
    }
    let actor = actor(user.id);
    app.audit.note(&mut tx, actor.did(event, user.id), now).await?;
    for role in BTreeSet::from_iter(roles) {
        grant(app, &mut tx, user.id, role, &actor, now).await?;
    }
    let created = users::by_id(&mut tx, user.id).await?;
    let created = created.ok_or_else(|| anyhow::anyhow!("a user that was just inserted is not there"))?;
    if let Some(email) = email.filter(|_| is_stranger) {
        let purpose = Purpose::VerifyEmail;
        let offer = Offer { purpose, user: &created, password_version: FIRST_PASSWORD, email, session: None };
        links::post(app, &mut tx, &offer, now).await?;
    }
    tx.commit().await?;
    Ok(created)
}

/// Gives a user a role, which must exist.
pub(super) async fn grant(
    app: &App,
    tx: &mut Tx,
    user: UserId,
    role: &str,
    actor: &Actor,
    now: DateTime<Utc>,
) -> Result<()> {
    if !store::roles::grant(tx, user, role).await? {
        let known = store::roles::names(tx).await?.join(", ");
        let rule = Broken::new("invalid", format!("There is no role {role:?}; the roles are: {known}."));
        return Err(Error::field("roles", rule));
    }
    app.audit.note(tx, actor.did(Event::RoleGranted, user).with("role", role), now).await
}
