//! The keys of a database, looked at beside the service: nothing is made, nothing is sealed anew.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::keyring::KeyInfo;
use super::keys::Keys;
use super::signing_key::{Key, Seals};
use crate::error::Result;
use crate::secret::{Purpose, SecretKey};
use crate::store::{Db, signing_keys};

/// What there is.
#[derive(Debug)]
pub struct Look {
    /// Oldest first.
    pub keys: Vec<KeyInfo>,
    /// The ids of those that neither secret opens.
    pub unreadable: Vec<String>,
}

/// Looks at all keys with these secrets.
pub async fn look(
    db: &Db,
    secret: &SecretKey,
    previous: Option<&SecretKey>,
    now: DateTime<Utc>,
) -> Result<Look> {
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let seals = Seals {
        present: secret.sealing(Purpose::SigningKey),
        previous: previous.map(|secret| secret.sealing(Purpose::SigningKey)),
    };
    let (mut keys, mut unreadable) = (Vec::new(), Vec::new());
    for stored in signing_keys::all(db).await? {
        match Key::open(&stored, &seals) {
            Ok(key) => keys.push(Arc::new(key)),
            Err(_) => unreadable.push(stored.kid),
        }
    }
    let keys = Keys::new(keys);
    let told = keys.all().iter().map(|key| keys.info(key, now)).collect();
    Ok(Look { keys: told, unreadable })
}
