//! Making an account.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::links::{self, Offer};
use super::{DisplayName, EmailAddress, Password, Username};
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::config;
use crate::counts::SUCCEEDED;
use crate::error::{Broken, Error, Result};
use crate::hasher::PasswordHash;
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

/// What an admin gives an account from the start.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    pub email_verified: bool,
    /// Each must exist.
    pub roles: Vec<String>,
}

/// Whether strangers may make accounts; asked before anything of theirs is read.
pub fn ensure_open(app: &App) -> Result<()> {
    match app.config.registration {
        config::Registration::Open => Ok(()),
        config::Registration::Closed => counted(app, Err(Error::RegistrationClosed)),
    }
}

/// Whether a stranger could have these names, for who answers those whose names are taken in another way than [`register`] does.
pub async fn ensure_free(app: &App, username: Option<&Username>, email: Option<&EmailAddress>) -> Result<()> {
    let (username, email) = (username.map(Username::parts), email.map(EmailAddress::parts));
    match users::taken(&app.db, username.map(|(_, key)| key), email.map(|(_, key)| key)).await? {
        Some(taken) => counted(app, Err(taken)),
        None => Ok(()),
    }
}

/// Makes an account for a stranger, who is mailed a link that proves the address.
pub async fn register(app: &App, registration: &Registration, client: &Client) -> Result<User> {
    let standing = Standing::default();
    let made = insert(app, registration, &standing, Event::UserRegistered, |user| client.actor(user));
    counted(app, made.await)
}

fn counted<T>(app: &App, outcome: Result<T>) -> Result<T> {
    app.counts.registrations.note(outcome.as_ref().map_or_else(Error::code, |_| SUCCEEDED));
    outcome
}

/// Makes an account that stands so. Whether the actor may is the caller's to know.
pub async fn create(
    app: &App,
    registration: &Registration,
    standing: &Standing,
    actor: &Actor,
) -> Result<User> {
    insert(app, registration, standing, Event::UserCreated, |_| actor.clone()).await
}

async fn insert(
    app: &App,
    registration: &Registration,
    standing: &Standing,
    event: Event,
    actor: impl Fn(Option<UserId>) -> Actor,
) -> Result<User> {
    let Registration { username, email, password, .. } = registration;
    if username.is_none() && email.is_none() {
        let rule = Broken::new("required", "Give a `username`, an `email`, or both.");
        return Err(Error::field("username", rule));
    }
    if event == Event::UserRegistered && app.config.require_verified_email && email.is_none() {
        let rule = Broken::new("required", "An account needs an e-mail address here.");
        return Err(Error::field("email", rule));
    }
    if standing.email_verified && email.is_none() {
        return Err(needs_address());
    }
    password.check_not_a_name(registration.names()).map_err(|broken| Error::field("password", broken))?;
    let [username, email] = registration.keys();
    // Most conflicts are found here, before a hash is spent on them; the insert finds the rest.
    if let Some(error) = users::taken(&app.db, username, email).await? {
        return Err(error);
    }
    let hash = app.hasher.hash(password.expose()).await?;
    let now = app.clock.now();
    let mut tx = actor(None).begin(&app.db, now).await?;
    match write(app, &mut tx, registration, standing, &hash, event, |user| actor(Some(user)), now).await? {
        Some(user) => {
            tx.commit().await?;
            Ok(user)
        }
        None => {
            drop(tx);
            // Whoever was faster may have gone again; then the name is free, but this request has had its answer.
            Err(users::taken(&app.db, username, email).await?.unwrap_or(Error::UsernameTaken))
        }
    }
}

/// Makes the account in a transaction, unless its name or address is taken: then `None`.
#[expect(clippy::too_many_arguments, reason = "all that an account is made of, once")]
pub(super) async fn write(
    app: &App,
    tx: &mut Tx,
    registration: &Registration,
    standing: &Standing,
    hash: &PasswordHash,
    event: Event,
    actor: impl FnOnce(UserId) -> Actor,
    now: DateTime<Utc>,
) -> Result<Option<User>> {
    let user = NewUser {
        id: UserId::new(now),
        username: registration.username.as_ref().map(Username::parts),
        email: registration.email.as_ref().map(EmailAddress::parts),
        email_verified: standing.email_verified,
        display_name: registration.display_name.as_ref().map(DisplayName::as_str),
        password_hash: hash,
        disabled: false,
        created_at: now,
    };
    if !users::insert(&mut *tx, &user, now).await? {
        return Ok(None);
    }
    let actor = actor(user.id);
    app.audit.note(&mut *tx, actor.did(event, user.id), now).await?;
    for role in BTreeSet::from_iter(&standing.roles) {
        grant(app, tx, user.id, role, &actor, now).await?;
    }
    let created = users::by_id(&mut *tx, user.id).await?;
    let created = created.ok_or_else(|| anyhow::anyhow!("a user that was just inserted is not there"))?;
    if let Some(email) = user.email.filter(|_| event == Event::UserRegistered) {
        let purpose = Purpose::VerifyEmail;
        let offer = Offer { purpose, user: &created, password_version: FIRST_PASSWORD, email, session: None };
        links::post(app, tx, &offer, now).await?;
    }
    Ok(Some(created))
}

impl Registration {
    /// As they were typed.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let username = self.username.as_ref().map(|username| username.parts().0);
        username.into_iter().chain(self.email.as_ref().map(|email| email.parts().0))
    }

    /// By which username and address are found.
    pub(super) fn keys(&self) -> [Option<&str>; 2] {
        let username = self.username.as_ref().map(|username| username.parts().1);
        [username, self.email.as_ref().map(|email| email.parts().1)]
    }
}

/// Why an account without an address has none that is verified.
pub(super) fn needs_address() -> Error {
    let rule = Broken::new("invalid", "There is no e-mail address that could be verified.");
    Error::field("email_verified", rule)
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
        return Err(unknown_role(tx, role).await?);
    }
    app.audit.note(tx, actor.did(Event::RoleGranted, user).with("role", role), now).await
}

/// Which roles there are, for who names another.
pub(super) async fn unknown_role(tx: &mut Tx, role: &str) -> Result<Error> {
    let known = store::roles::names(tx).await?.join(", ");
    let rule = Broken::new("invalid", format!("There is no role {role:?}; the roles are: {known}."));
    Ok(Error::field("roles", rule))
}
