//! The keys at hand: what signs and verifies access tokens.
//!
//! The database has them; here is a copy, which [`take`](Keyring::take) replaces as a whole. Who follows the changes does
//! that ([`Changes`](super::Changes)), and whoever has reason to think that it is old. What becomes of the keys is decided in
//! [`rotation`](super::rotation).

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::access_token::LEEWAY;
use super::keys::{KeyState, Keys};
use super::signing_key::{Key, Seals};
use crate::config::{Algorithm, Config};
use crate::error::{Error, Result};
use crate::secret::{Purpose, SecretKey};
use crate::store::Db;
use crate::store::signing_keys::{self, SigningKey};

/// How long others may keep the public keys without asking again.
pub const JWKS_MAX_AGE: Duration = Duration::from_secs(300);

/// How old the copy may be where it matters. Not less: anyone can send a token that names an unknown key.
const FRESH: Duration = Duration::from_millis(100);

/// All keys at hand, and what every token says alike.
pub struct Keyring {
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) seals: Seals,
    kept: TimeDelta,
    keys: RwLock<Arc<Keys>>,
    /// When [`refresh`](Self::refresh) read them last.
    refreshed: Mutex<Option<Instant>>,
}

/// What can be told of a key.
#[derive(Clone, Debug)]
pub struct KeyInfo {
    pub kid: String,
    pub algorithm: Algorithm,
    pub state: KeyState,
    pub created_at: DateTime<Utc>,
    pub signs_from: DateTime<Utc>,
    /// `None`: no end is known.
    pub verifies_until: Option<DateTime<Utc>>,
}

impl Keyring {
    /// Without keys: they have to be [loaded](Self::load).
    pub fn new(config: &Config, secret: &SecretKey, previous: Option<&SecretKey>) -> Keyring {
        // Chosen once for the process; a second choice of the same is refused, which changes nothing.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let ttl = TimeDelta::from_std(config.access_token_ttl).unwrap_or(TimeDelta::MAX);
        Keyring {
            issuer: config.public_url.clone(),
            audience: config.audience().to_owned(),
            seals: Seals {
                present: secret.sealing(Purpose::SigningKey),
                previous: previous.map(|secret| secret.sealing(Purpose::SigningKey)),
            },
            kept: ttl.checked_add(&LEEWAY).unwrap_or(ttl),
            keys: RwLock::default(),
            refreshed: Mutex::default(),
        }
    }

    /// Reads all keys, each of which must be readable.
    pub async fn load(&self, db: &Db) -> anyhow::Result<()> {
        let stored = signing_keys::all(db).await?;
        let keys: Result<Vec<_>, _> = stored.iter().map(|key| self.open(key)).collect();
        self.replace(keys?);
        Ok(())
    }

    /// Takes these for all the keys there are. One that can't be read is left out, and does not keep the others.
    pub(super) fn take(&self, stored: &[SigningKey]) {
        let open = |stored| match self.open(stored) {
            Ok(key) => Some(key),
            Err(error) => {
                tracing::error!("{error:#}; its tokens are refused here");
                None
            }
        };
        self.replace(stored.iter().filter_map(open).collect());
    }

    /// Reads the keys anew, unless that was done a moment ago.
    pub async fn refresh(&self, db: &Db) -> Result<()> {
        let mut refreshed = self.refreshed.lock().await;
        if refreshed.is_none_or(|at| at.elapsed() >= FRESH) {
            self.take(&signing_keys::all(db).await?);
            *refreshed = Some(Instant::now());
        }
        Ok(())
    }

    /// The key as it is known here already, else opened.
    fn open(&self, stored: &SigningKey) -> anyhow::Result<Arc<Key>> {
        let is_it = |key: &&Arc<Key>| key.number == stored.number && key.signs_from == stored.signs_from;
        match self.keys().by_kid(&stored.kid).filter(is_it) {
            Some(key) => Ok(key.clone()),
            None => Key::open(stored, &self.seals).map(Arc::new),
        }
    }

    fn replace(&self, keys: Vec<Arc<Key>>) {
        let keys = Arc::new(Keys::new(keys, self.kept));
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    pub(super) fn keys(&self) -> Arc<Keys> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn active(&self, now: DateTime<Utc>) -> Result<Arc<Key>> {
        let active = self.keys().active(now).cloned();
        active.ok_or_else(|| Error::Internal(anyhow!("there is no key to sign with")))
    }

    /// The key with this id, if what it signed can be valid.
    pub(super) fn verifying(&self, kid: &str, now: DateTime<Utc>) -> Option<Arc<Key>> {
        let keys = self.keys();
        keys.by_kid(kid).filter(|key| keys.state(key, now) != KeyState::Gone).cloned()
    }

    /// The public keys as a JWK set (RFC 7517 section 5), those that sign next included; none of HS256, whose key is no one
    /// else's to know.
    pub fn jwks(&self, now: DateTime<Utc>) -> Value {
        let keys = self.keys();
        let public = keys.verifying(now).filter(|key| key.algorithm != Algorithm::Hs256);
        json!({ "keys": public.map(|key| &key.jwk).collect::<Vec<_>>() })
    }

    /// All keys, oldest first.
    pub fn list(&self, now: DateTime<Utc>) -> Vec<KeyInfo> {
        let keys = self.keys();
        let info = |key: &Arc<Key>| KeyInfo {
            kid: key.kid.clone(),
            algorithm: key.algorithm,
            state: keys.state(key, now),
            created_at: key.created_at,
            signs_from: key.signs_from,
            verifies_until: keys.verifies_until(key),
        };
        keys.all().iter().map(info).collect()
    }
}
