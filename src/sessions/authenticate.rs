//! From an access token or an API key to the user that it speaks for.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::api_key::{by_api_key, is_api_key};
use crate::app::App;
use crate::error::{Error, Result};
use crate::id::Credential;
use crate::patience;
use crate::store::{api_keys, sessions};
use crate::tokens::{Authenticated, Claims};

/// How exactly `last_used_at` is kept: a session or key in constant use is written once in this time.
pub(super) const USE_NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Who a token speaks for, where this replica has met it before and knows of all that has changed since: without a
/// word to the database. `None` says nothing about the token; [`authenticate`] does.
pub fn known(app: &App, token: &[u8], now: DateTime<Utc>) -> Option<Arc<Authenticated>> {
    let found = app.changes.known().and_then(|known| known.get(token, now));
    app.counts.looked_up(found.is_some());
    found
}

/// Checks an access token or an API key. Asks the database, and remembers the answer.
pub async fn authenticate(app: &App, token: &str) -> Result<Arc<Authenticated>> {
    if is_api_key(token) { by_api_key(app, token).await } else { by_token(app, token).await }
}

/// Checks a token, that its session lives, and that its user exists and is not disabled. Asks the database once, and
/// remembers the answer.
async fn by_token(app: &App, token: &str) -> Result<Arc<Authenticated>> {
    let now = app.clock.now();
    let moment = app.changes.cache().moment();
    let claims = verified(app, token, now).await?;
    let stamps = app.changes.cache().stamps(claims.sid, claims.sub).since(moment);
    let presence = sessions::presence(&app.db, claims.sid).await?.ok_or(Error::RevokedToken)?;
    presence.holds(now)?;
    let user = presence.user;
    if user.id != claims.sub {
        return Err(Error::InvalidToken);
    }
    let arrives = claims.generation > presence.session_arrived;
    let stale = now - USE_NOTED_EVERY;
    let mut is_noted = true;
    if arrives || presence.session_last_used_at <= stale {
        let seen = sessions::set_seen(&app.db, claims.sid, claims.generation, now, stale);
        is_noted = note(app, claims.sid.into(), claims.generation, now, seen).await? || !arrives;
    }
    let found = Authenticated::by_token(&claims, Arc::new(user), stamps, now);
    let found = Arc::new(found.within(presence.quota.quota()));
    // An arrival is noted before the token is known, and so with its first use that can be, or soon after: from then on a replaced
    // refresh token is a stolen one.
    if is_noted {
        app.changes.cache().insert(token.as_bytes(), found.clone(), now);
    }
    Ok(found)
}

/// Notes that a session or key was used by doing `work`, and tells whether it could; else it is noted later. A database that takes
/// no writes (a full disk, a standby) takes no refresh either, and is read all the same: without waiting for long, each time least of all.
pub(super) async fn note(
    app: &App,
    credential: Credential,
    generation: i64,
    now: DateTime<Utc>,
    work: impl Future<Output = Result<()>>,
) -> Result<bool> {
    if app.unnoted.keeps(credential, generation, now) {
        return Ok(false);
    }
    match patience::briefly(work).await {
        Ok(()) => app.unnoted.forget(credential, generation),
        Err(Error::Unavailable(cause)) => {
            // From when the attempt ended: it took a while.
            if app.unnoted.keep(credential, generation, now, app.clock.now()) {
                tracing::warn!(
                    "that a session or an API key was used could not be noted, and is tried again: {cause:#}"
                );
            }
            return Ok(false);
        }
        Err(error) => return Err(error),
    }
    Ok(true)
}

/// The claims of a token that is good but for its session.
pub(super) async fn verified(app: &App, token: &str, now: DateTime<Utc>) -> Result<Claims> {
    // Of a key that was made or dropped this replica learns with all other changes.
    app.keyring.settle(&app.db, &app.changes).await?;
    if app.keyring.may_lack_key_of(token, now) {
        app.keyring.refresh(&app.db).await?;
    }
    app.keyring.verify(token, now)
}

/// Writes down which sessions and API keys were used since this was done last: what is answered from memory is not. Of those, uses that
/// can't be written are lost, and the next one is noted again. Then what could not be noted with its request.
pub async fn note_uses(app: &App) -> Result<()> {
    let used = app.changes.cache().take_used();
    for sessions in used.sessions.chunks(NOTED_AT_ONCE) {
        sessions::set_used(&app.db, sessions, used.since).await?;
    }
    for keys in used.api_keys.chunks(NOTED_AT_ONCE) {
        api_keys::set_used(&app.db, keys, used.since).await?;
    }
    for (credential, unnoted) in app.unnoted.all() {
        let (generation, at) = (unnoted.generation, unnoted.at);
        let noted = match credential {
            Credential::Session(id) => {
                sessions::set_seen(&app.db, id, generation, at, at - USE_NOTED_EVERY).await
            }
            Credential::ApiKey(id) => api_keys::set_used(&app.db, &[id], at).await,
        };
        if noted.is_err() {
            // So that the others come before it the next time.
            app.unnoted.keep(credential, generation, at, app.clock.now());
        }
        noted?;
        app.unnoted.forget(credential, generation);
    }
    Ok(())
}

/// Few enough that no one waits for these rows.
const NOTED_AT_ONCE: usize = 200;
