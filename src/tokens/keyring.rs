//! The keys at hand: what signs and verifies access tokens.
//!
//! The database has them; here is a copy. Who follows the changes keeps it up to date ([`Changes`]), and whoever has reason to
//! think that it is old reads it anew ([`Keyring::refresh`]). What becomes of the keys is decided in
//! [`rotation`](super::rotation).
//!
//! Reads overtake each other. So each takes a number before it asks the database, and a copy is never replaced by one of a
//! lower number: whoever knows that a key was dropped and then reads, knows that it stays dropped here.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::Changes;
use super::keys::{KeyState, Keys};
use super::signing_key::{Key, Seals};
use crate::audit::Audit;
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
    pub(super) audit: Audit,
    /// The lifetime of tokens that are signed here.
    pub(super) token_ttl: TimeDelta,
    copy: RwLock<Copy>,
    reads: AtomicU64,
    refreshed: tokio::sync::Mutex<Option<Refresh>>,
    /// Keys that can't be read, of which the log has been told.
    unreadable: Mutex<BTreeSet<String>>,
}

#[derive(Default)]
struct Copy {
    keys: Arc<Keys>,
    read: u64,
}

/// A read's place among all reads: taken before the database is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadNumber(u64);

/// The last [`Keyring::refresh`] that asked the database.
struct Refresh {
    began: Instant,
    ended: Instant,
    succeeded: bool,
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
    pub fn new(config: &Config, secret: &SecretKey, previous: Option<&SecretKey>, audit: Audit) -> Keyring {
        // Chosen once for the process; a second choice of the same is refused, which changes nothing.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        Keyring {
            issuer: config.public_url.clone(),
            audience: config.audience().to_owned(),
            seals: Seals {
                present: secret.sealing(Purpose::SigningKey),
                previous: previous.map(|secret| secret.sealing(Purpose::SigningKey)),
            },
            audit,
            token_ttl: TimeDelta::from_std(config.access_token_ttl).unwrap_or(TimeDelta::MAX),
            copy: RwLock::default(),
            reads: AtomicU64::new(0),
            refreshed: tokio::sync::Mutex::default(),
            unreadable: Mutex::default(),
        }
    }

    /// Reads all keys, each of which must be readable.
    pub async fn load(&self, db: &Db) -> anyhow::Result<()> {
        self.read(db).await.map(drop)
    }

    /// As [`load`](Self::load), and returns what was read: the copy may be newer already.
    pub(super) async fn read(&self, db: &Db) -> anyhow::Result<Arc<Keys>> {
        let number = self.begin_read();
        let stored = signing_keys::all(db).await?;
        let keys: Result<Vec<_>, _> = stored.iter().map(|key| self.open(key)).collect();
        Ok(self.replace(number, keys?))
    }

    pub(super) fn begin_read(&self) -> ReadNumber {
        ReadNumber(self.reads.fetch_add(1, SeqCst) + 1)
    }

    /// Takes these for all the keys there are. One that can't be read is left out, and does not keep the others.
    pub(super) fn take(&self, number: ReadNumber, stored: &[SigningKey]) {
        let open = |stored: &SigningKey| match self.open(stored) {
            Ok(key) => Some(key),
            Err(error) => {
                let mut told = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
                if told.insert(stored.kid.clone()) {
                    tracing::error!("{error:#}; its tokens are refused here");
                }
                None
            }
        };
        self.replace(number, stored.iter().filter_map(open).collect());
    }

    /// Makes sure that the copy is as new as it has to be: where the changes are not followed, it is read.
    pub async fn settle(&self, db: &Db, changes: &Changes) -> Result<()> {
        if changes.are_followed() { Ok(()) } else { self.refresh(db).await }
    }

    /// Reads the keys anew, unless that was done a moment ago. However many ask while the database is away, each waits for one
    /// attempt at most.
    pub async fn refresh(&self, db: &Db) -> Result<()> {
        let asked = Instant::now();
        let mut last = self.refreshed.lock().await;
        match &*last {
            Some(last) if last.succeeded && asked < last.began + FRESH => return Ok(()),
            Some(last) if !last.succeeded && asked < last.ended => {
                return Err(Error::Unavailable(anyhow!("the signing keys could not be read a moment ago")));
            }
            _ => {}
        }
        let (began, number) = (Instant::now(), self.begin_read());
        let stored = signing_keys::all(db).await;
        *last = Some(Refresh { began, ended: Instant::now(), succeeded: stored.is_ok() });
        self.take(number, &stored?);
        Ok(())
    }

    /// The key as it is known here already, else opened.
    fn open(&self, stored: &SigningKey) -> anyhow::Result<Arc<Key>> {
        let is_it = |key: &&Arc<Key>| {
            (key.number, key.signs_from, key.longest_ttl.num_seconds())
                == (stored.number, stored.signs_from, stored.longest_ttl)
        };
        match self.keys().by_kid(&stored.kid).filter(is_it) {
            Some(key) => Ok(key.clone()),
            None => Key::open(stored, &self.seals).map(Arc::new),
        }
    }

    /// Replaces the copy, unless it is newer.
    fn replace(&self, number: ReadNumber, keys: Vec<Arc<Key>>) -> Arc<Keys> {
        let keys = Arc::new(Keys::new(keys));
        let mut copy = self.copy.write().unwrap_or_else(PoisonError::into_inner);
        if copy.read < number.0 {
            *copy = Copy { keys: keys.clone(), read: number.0 };
        }
        keys
    }

    pub(super) fn keys(&self) -> Arc<Keys> {
        self.copy.read().unwrap_or_else(PoisonError::into_inner).keys.clone()
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
        keys.all().iter().map(|key| keys.info(key, now)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A read that began before a key was dropped, and ends after the one that saw it dropped.
    #[test]
    fn an_older_read_brings_nothing_back() {
        let secret = SecretKey::from_text(&"a".repeat(32)).unwrap();
        let config = crate::cli::config_from(["portcullis"], []).unwrap();
        let keyring = Keyring::new(&config, &secret, None, Audit::under(&secret));
        let now = DateTime::UNIX_EPOCH;
        let made = super::super::signing_key::NewKey::new(Algorithm::Es256).unwrap();
        let stored = made.sealed(&keyring.seals, 1, now, now, TimeDelta::minutes(15));
        let (older, newer) = (keyring.begin_read(), keyring.begin_read());
        keyring.take(newer, &[]);
        keyring.take(older, std::slice::from_ref(&stored));
        assert!(keyring.list(now).is_empty());
        keyring.take(keyring.begin_read(), &[stored]);
        assert_eq!(keyring.list(now).len(), 1);
    }
}
