//! From an API key to the user that it speaks for.

use std::sync::Arc;

use super::authenticate::{USE_NOTED_EVERY, note};
use crate::api_keys::{PREFIX, digest};
use crate::app::App;
use crate::error::{Error, Result};
use crate::id::Credential;
use crate::store::api_keys;
use crate::tokens::Authenticated;

/// Whether this is meant to be one, and not an access token.
pub(super) fn is_api_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Checks a key, and that its user is not disabled. Asks the database, and remembers the answer.
pub(super) async fn by_api_key(app: &App, text: &str) -> Result<Arc<Authenticated>> {
    let now = app.clock.now();
    let digest = digest(text).ok_or(Error::InvalidToken)?;
    // Twice: what changes after the counters are taken must be found by what is read after them, and whose key it is tells of
    // whom to take them.
    let (id, user) = api_keys::by_digest(&app.db, &digest).await?.ok_or(Error::InvalidToken)?;
    let stamps = app.changes.cache().stamps(id, user);
    let presence = api_keys::presence(&app.db, id).await?.ok_or(Error::InvalidToken)?;
    presence.holds(now)?;
    if presence.key_last_used_at.is_none_or(|at| at <= now - USE_NOTED_EVERY) {
        note(app, Credential::ApiKey(id), 0, now, api_keys::set_used(&app.db, &[id], now)).await?;
    }
    let (expires_at, quota) = (presence.key_expires_at, presence.quota.quota());
    let found = Authenticated::by_api_key(id, expires_at, Arc::new(presence.into_user()), stamps, now);
    let found = Arc::new(found.within(quota));
    app.changes.cache().insert(text.as_bytes(), found.clone(), now);
    Ok(found)
}
