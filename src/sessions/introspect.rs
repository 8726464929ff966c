//! What a token is worth, for others than the one who shows it.

use std::sync::Arc;

use super::api_key::is_api_key;
use super::authenticate::{authenticate, known, verified};
use super::{Client, LogoutScope, logout};
use crate::app::App;
use crate::error::{Error, Result};
use crate::id::ApiKeyId;
use crate::id::Credential;
use crate::store::sessions;
use crate::store::users::User;
use crate::tokens::Claims;

/// What is good for something, and its user as it is now.
pub enum Introspected {
    Token(Claims, Arc<User>),
    ApiKey(ApiKeyId, Arc<User>),
}

/// What an access token or an API key is worth; `None` where it is good for nothing. To be asked about counts as a use: whoever
/// asks got it from who holds it.
pub async fn introspect(app: &App, token: &str) -> Result<Option<Introspected>> {
    let claims = match is_api_key(token) {
        true => None,
        false => match good(verified(app, token, app.clock.now()).await)? {
            Some(claims) => Some(claims),
            None => return Ok(None),
        },
    };
    let found = match known(app, token.as_bytes(), app.clock.now()) {
        Some(found) => Some(found),
        None => good(authenticate(app, token).await)?,
    };
    Ok(found.and_then(|found| match (claims, found.credential) {
        (Some(claims), _) => Some(Introspected::Token(claims, found.user.clone())),
        (None, Credential::ApiKey(id)) => Some(Introspected::ApiKey(id, found.user.clone())),
        (None, Credential::Session(_)) => None,
    }))
}

/// Ends the session of an access or a refresh token. One that is good for nothing is left alone.
pub async fn revoke(app: &App, token: &str, client: &Client) -> Result<()> {
    let now = app.clock.now();
    let (user, session) = match app.refresh_tokens.read(token) {
        // Of whatever generation: who held it has held the session.
        Some((id, _)) => match sessions::by_id(&app.db, id).await? {
            Some(session) => (session.user_id, id),
            None => return Ok(()),
        },
        None => match good(verified(app, token, now).await)? {
            Some(claims) => (claims.sub, claims.sid),
            None => return Ok(()),
        },
    };
    logout(app, user, session, LogoutScope::Session, client).await
}

/// `None` where the token is at fault.
fn good<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(Error::InvalidToken | Error::ExpiredToken | Error::RevokedToken) => Ok(None),
        Err(error) => Err(error),
    }
}
