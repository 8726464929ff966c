//! Replacing a refresh token by its successor. The reasoning is in the [room's own words](super).

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Client, GRACE, TokenResponse, issue};
use crate::app::App;
use crate::audit::Event;
use crate::counts::{REUSED, SUCCEEDED};
use crate::error::{Error, Result};
use crate::id::{SessionId, UserId};
use crate::store::changes::Reason;
use crate::store::sessions::{self, Session};
use crate::store::users::{self, User};
use crate::tokens::Effect;

/// Answers a refresh token with its successor and a new access token. A client that names itself gets none for the session of
/// one with another name.
pub async fn refresh(app: &App, token: &str, client: &Client) -> Result<TokenResponse> {
    let outcome = refreshed(app, token, client).await;
    app.counts.refreshes.note(match &outcome {
        Ok(_) => SUCCEEDED,
        Err(Refusal::Reused) => REUSED,
        Err(Refusal::Other(error)) => error.code(),
    });
    outcome.map_err(|refusal| match refusal {
        Refusal::Reused => Error::InvalidRefreshToken,
        Refusal::Other(error) => error,
    })
}

/// Why a token is not replaced.
enum Refusal {
    /// It was replaced before, and its session has ended for that. The client is told no more than of any other.
    Reused,
    Other(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        Refusal::Other(error)
    }
}

async fn refreshed(app: &App, token: &str, client: &Client) -> Result<TokenResponse, Refusal> {
    let (id, generation) = app.refresh_tokens.read(token).ok_or(Error::InvalidRefreshToken)?;
    app.keyring.settle(&app.db, &app.changes).await?;
    let client_id = client.id.as_deref();
    let now = app.clock.now();
    let expires_at = now + app.config.refresh_token_ttl;
    let rotated = sessions::rotate(&app.db, id, generation, now, expires_at, now - GRACE, client_id).await?;
    let mut session = match rotated {
        Some(rotated) => rotated,
        None => replaced_before(app, id, generation, client, now, expires_at).await?,
    };
    if session.client_id.is_none() {
        session.client_id = client_id.map(str::to_owned);
    }
    let user = user(app, session.user_id, now).await?.filter(|user| !user.disabled);
    Ok(issue(app, user.ok_or(Error::InvalidRefreshToken)?, &session, generation + 1, now)?)
}

/// The user, from memory where that can be believed. Of a role that another replica took less than a second ago the token may
/// still tell; what it opens here is asked for at each request, and who checks tokens elsewhere goes by older ones anyway.
async fn user(app: &App, id: UserId, now: DateTime<Utc>) -> Result<Option<Arc<User>>> {
    if let Some(user) = app.changes.known().and_then(|known| known.user(id, now)) {
        return Ok(Some(user));
    }
    let stamps = app.changes.cache().user_stamps(id);
    let user = users::by_id(&app.db, id).await?.map(Arc::new);
    if let Some(user) = &user {
        app.changes.cache().insert_user(user.clone(), stamps, now);
    }
    Ok(user)
}

/// The session of a token that is no longer the present one, if it may still be used; if not, the session ends.
async fn replaced_before(
    app: &App,
    id: SessionId,
    generation: i64,
    client: &Client,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> Result<Session, Refusal> {
    let is_theirs = |session: &Session| match (&session.client_id, &client.id) {
        (Some(its), Some(said)) => its == said,
        _ => true,
    };
    let session = sessions::by_id(&app.db, id).await?.filter(|session| session.is_open(now));
    let session = session.filter(is_theirs);
    // A generation that is yet to come has a valid MAC only where the database was set back to a backup.
    let session =
        session.filter(|session| generation < session.generation).ok_or(Error::InvalidRefreshToken)?;
    if may_be_used_again(&session, generation, now) {
        // Of parallel requests the first has just moved the end; a late one moves it as any use does.
        if is_just_now(session.last_used_at, now) {
            return Ok(session);
        }
        let extended = sessions::extend(&app.db, id, now, expires_at).await?;
        return Ok(extended.ok_or(Error::InvalidRefreshToken)?);
    }
    let mut tx = app.db.begin().await?;
    if sessions::end(&mut tx, session.user_id, id, now).await? {
        let user_id = session.user_id;
        // Thief or victim, nobody knows.
        let actor = client.actor(None);
        let reused = actor.did(Event::RefreshTokenReused, user_id).with("session_id", id.to_string());
        app.audit.note(&mut tx, reused, now).await?;
        let effect = Effect::on_sessions(Reason::RefreshTokenReused, user_id, [id]);
        app.changes.commit(tx, &[effect], now).await?;
        tracing::warn!(%user_id, session_id = %id, "refresh_token_reused: a replaced token came again; its session has ended");
        return Err(Refusal::Reused);
    }
    // Another request was faster to end it.
    Err(Error::InvalidRefreshToken.into())
}

fn may_be_used_again(session: &Session, generation: i64, now: DateTime<Utc>) -> bool {
    let replacements = session.generation - generation;
    let just_replaced = session.rotations.replaced_at(replacements).is_some_and(|at| is_just_now(at, now));
    let successor_arrived = session.arrived > generation;
    just_replaced || !successor_arrived
}

/// Not so what is still to come, where the clock was set back: a thief could go on until then.
fn is_just_now(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    (now - at).abs() <= GRACE
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn what_is_still_to_come_is_not_just_now() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let off = [0, 30, -30, 31, -31, -3600].map(TimeDelta::seconds);
        let just_now = off.map(|off| is_just_now(now - off, now));
        assert_eq!(just_now, [true, true, true, false, false, false]);
    }
}
