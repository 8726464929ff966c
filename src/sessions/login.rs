//! Logging in.

use std::sync::Arc;

use super::letters::tell_of_new_sign_in;
use super::{Client, TokenResponse, issue};
use crate::app::App;
use crate::audit::Event;
use crate::counts::SUCCEEDED;
use crate::error::{Error, Result};
use crate::hasher::Verdict;
use crate::id::{SessionId, UserId};
use crate::limits::{Guess, Subject};
use crate::store::sessions::{self, Session};
use crate::store::users::{self, Credentials, User};

/// The one name that a login gives, as the key by which it is found. It need not be a valid name: then it is no
/// one's.
#[derive(Debug)]
pub enum Identifier {
    Username(String),
    Email(String),
}

impl Identifier {
    fn subject(&self) -> Subject<'_> {
        match self {
            Identifier::Username(key) => Subject::Username(key),
            Identifier::Email(key) => Subject::Email(key),
        }
    }
}

/// A name whose password was right, and what is left to do about it.
struct Checked<'a> {
    guess: Guess<'a>,
    found: Credentials,
    verdict: Verdict,
}

impl Checked<'_> {
    /// The names by which the owner's network is known from now on.
    fn names(found: &Credentials) -> impl Iterator<Item = Subject<'_>> {
        let username = found.username_key.as_deref().map(Subject::Username);
        let email = found.email_key.as_deref().map(Subject::Email);
        username.into_iter().chain(email).chain([Subject::User(found.user.id.as_bytes())])
    }
}

/// Checks a password. An unknown name, a wrong password and a disabled account answer the same and in the same time;
/// only who gives the right password learns that the account is disabled, or its address not verified.
async fn check<'a>(
    app: &'a App,
    identifier: &Identifier,
    password: &str,
    client: &Client,
) -> Result<Checked<'a>> {
    let guess = app.guessing.begin(&app.db, identifier.subject(), client.ip, app.clock.now()).await?;
    let found = find(app, identifier).await?;
    let verdict = app.hasher.verify(password, found.as_ref().map(|found| &found.password.hash)).await?;
    let known = found.as_ref().map(|found| found.user.id);
    let Some(found) = found.filter(|_| verdict != Verdict::Wrong) else {
        guess.failed(&app.db, app.clock.now()).await?;
        return failed(app, client, known, Error::InvalidCredentials).await;
    };
    if found.user.disabled {
        return failed(app, client, known, Error::AccountDisabled).await;
    }
    // Who has no address was made by an admin: there is nothing to verify.
    if app.config.require_verified_email && found.user.email.is_some() && !found.user.email_verified {
        return failed(app, client, known, Error::EmailNotVerified).await;
    }
    Ok(Checked { guess, found, verdict })
}

/// Whose name and password these are, for who needs no session. It counts as a guess and is kept in the log, as a login is; but
/// nobody's network is known by it.
pub async fn recognise(app: &App, identifier: &Identifier, password: &str, client: &Client) -> Result<User> {
    counted(app, recognised(app, identifier, password, client).await)
}

async fn recognised(app: &App, identifier: &Identifier, password: &str, client: &Client) -> Result<User> {
    let Checked { guess, found, .. } = check(app, identifier, password, client).await?;
    let mut tx = app.db.begin().await?;
    let (actor, now) = (client.actor(found.user.id), app.clock.now());
    guess.succeeded(&mut tx, [], now).await?;
    let recognised =
        actor.did(Event::LoginSucceeded, found.user.id).with("session_id", serde_json::Value::Null);
    app.audit.note(&mut tx, recognised, now).await?;
    tx.commit().await?;
    Ok(found.user)
}

/// Starts a session, for who gives the right password.
pub async fn login(
    app: &App,
    identifier: &Identifier,
    password: &str,
    client: &Client,
) -> Result<TokenResponse> {
    counted(app, logged_in(app, identifier, password, client).await)
}

fn counted<T>(app: &App, outcome: Result<T>) -> Result<T> {
    app.counts.logins.note(outcome.as_ref().map_or_else(Error::code, |_| SUCCEEDED));
    outcome
}

async fn logged_in(
    app: &App,
    identifier: &Identifier,
    password: &str,
    client: &Client,
) -> Result<TokenResponse> {
    let Checked { guess, found, verdict } = check(app, identifier, password, client).await?;
    let Credentials { user, password: stored, .. } = &found;
    let known = Some(user.id);
    let renewed = match verdict {
        Verdict::RightButOutdated => Some(app.hasher.hash(password).await?),
        _ => None,
    };

    app.keyring.settle(&app.db, &app.changes).await?;
    let now = app.clock.now();
    let ends_by = now + app.config.session_max_age;
    let session = Session {
        id: SessionId::new(now),
        user_id: user.id,
        generation: 1,
        arrived: 0,
        rotations: Default::default(),
        created_at: now,
        last_used_at: now,
        expires_at: ends_by.min(now + app.config.refresh_token_ttl),
        ends_by,
        ended_at: None,
        ip: client.ip.map(|ip| ip.to_string()),
        user_agent: client.user_agent.clone(),
        client_id: client.id.clone(),
    };
    let mut tx = app.db.begin().await?;
    if !users::set_login(&mut tx, user.id, stored.version, renewed.as_ref(), now).await? {
        drop(tx);
        // The password was changed, or the account disabled or deleted, while this one was being checked.
        return failed(app, client, known, Error::InvalidCredentials).await;
    }
    sessions::insert(&mut tx, &session).await?;
    guess.succeeded(&mut tx, Checked::names(&found), now).await?;
    let actor = client.actor(user.id);
    let succeeded = actor.did(Event::LoginSucceeded, user.id).with("session_id", session.id.to_string());
    app.audit.note(&mut tx, succeeded, now).await?;
    tell_of_new_sign_in(app, &mut tx, user, session.id, client, now).await?;
    // Read again: hashing took a while, and a role that went meanwhile must not be signed into a token.
    let user = users::by_id(&mut tx, user.id).await?.ok_or(Error::InvalidCredentials)?;
    tx.commit().await?;
    // What other sessions of this user are answered from has an older `last_login_at`.
    app.changes.cache().forget(user.id, None);
    issue(app, Arc::new(user), &session, session.generation, now)
}

/// Refuses a login, and keeps that it was tried: by one statement in each case, since the time that a refusal takes must not tell
/// which it is.
async fn failed<T>(app: &App, client: &Client, user: Option<UserId>, why: Error) -> Result<T> {
    let actor = client.actor(None);
    let entry = actor.did(Event::LoginFailed, user).with("code", why.code());
    app.audit.note(&app.db, entry, app.clock.now()).await?;
    Err(why)
}

async fn find(app: &App, identifier: &Identifier) -> Result<Option<Credentials>> {
    match identifier {
        // Postgres has no NUL in its texts, and so no one has it in a name.
        Identifier::Username(key) | Identifier::Email(key) if key.contains('\0') => Ok(None),
        Identifier::Username(key) => users::by_username(&app.db, key).await,
        Identifier::Email(key) => users::by_email(&app.db, key).await,
    }
}
