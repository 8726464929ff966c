//! From an access token to the user that it speaks for.

use chrono::TimeDelta;

use crate::app::App;
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::store::sessions;
use crate::store::users::User;

/// How exactly `last_used_at` is kept: a session in constant use is written once in this time.
const USE_NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// Who a request speaks for.
#[derive(Clone, Debug)]
pub struct Authenticated {
    /// As the database has it now: roles and names are the present ones, whatever the token says.
    pub user: User,
    pub session: SessionId,
}

/// Checks a token, that its session lives, and that its user exists and is not disabled. Asks the database once.
pub async fn authenticate(app: &App, token: &str) -> Result<Authenticated> {
    let now = app.clock.now();
    let claims = app.keyring.verify(token, now)?;
    let presence = sessions::presence(&app.db, claims.sid).await?.ok_or(Error::RevokedToken)?;
    let user = presence.user;
    if presence.session_ended_at.is_some() || now >= presence.session_expires_at || user.disabled {
        return Err(Error::RevokedToken);
    }
    if user.id != claims.sub {
        return Err(Error::InvalidToken);
    }
    let arrives = claims.generation > presence.session_arrived;
    let stale = now - USE_NOTED_EVERY;
    if arrives || presence.session_last_used_at <= stale {
        let noted = sessions::set_seen(&app.db, claims.sid, claims.generation, now, stale).await;
        match noted {
            // An arrival is noted before the answer: from here on a replaced refresh token is a stolen one.
            Err(error) if arrives => return Err(error),
            Err(error) => tracing::warn!("the session's last use could not be noted: {error}"),
            Ok(()) => {}
        }
    }
    Ok(Authenticated { user, session: claims.sid })
}
