//! What becomes of the signing keys: made, replaced by a next one, dropped.
//!
//! Any replica may do any of it, at any time. A new key takes the number after the newest one's, which only one can have: of
//! those who make one at once, one succeeds, and the others find its key. What has happened goes through the feed of changes.
//!
//! A key that replaces another of its kind is published [`LEAD`] before it signs: whoever keeps the public keys for as long as
//! they are told to knows it by then. The first key, one of another algorithm and one in the place of a revoked key sign at
//! once: there, waiting would help nobody, and who verifies asks again when a token names a key that is new to it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, TimeDelta, Utc};

use super::keyring::{JWKS_MAX_AGE, KeyInfo, Keyring};
use super::keys::{KeyState, Keys};
use super::signing_key::{Key, NewKey};
use super::{Changes, Effect};
use crate::audit::{Actor, Entry, Event};
use crate::config::{Algorithm, Config};
use crate::store::{Db, signing_keys};

/// How long a key is published before it signs.
const LEAD: TimeDelta = TimeDelta::seconds(2 * JWKS_MAX_AGE.as_secs() as i64);

/// A next key that signs later than this from now was made by a wrong clock, and is none.
const LATEST_NEXT: TimeDelta = TimeDelta::seconds(LEAD.num_seconds() + 60);

/// Each time another replica is faster, there is a key more than before; it never takes many.
const TRIES: usize = 10;

impl Keyring {
    /// Makes sure that there is a key of the algorithm that the settings want, which signs from now on if it is new; and that
    /// all keys verify for as long as what is signed here lives.
    pub async fn provide(
        &self,
        db: &Db,
        changes: &Changes,
        config: &Config,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        self.keep_for_long_enough(db, changes, now).await?;
        let given = match (config.jwt_algorithm, &config.jwt_secret) {
            (Algorithm::Hs256, None) => bail!("JWT_ALGORITHM=HS256 needs JWT_SECRET"),
            (Algorithm::Hs256, Some(secret)) => Some(secret),
            _ => None,
        };
        for _ in 0..TRIES {
            let keys = self.read(db).await?;
            let newest = keys.newest_until(now + LATEST_NEXT);
            let new = match given {
                Some(secret) => NewKey::from_secret(secret),
                None if newest.is_some_and(|newest| newest.algorithm == config.jwt_algorithm) => {
                    return Ok(());
                }
                None => make(config.jwt_algorithm).await?,
            };
            if newest.is_some_and(|newest| newest.kid == new.kid) {
                return Ok(());
            }
            let kid = new.kid.clone();
            let due = Due { signs_from: now, why: "another kind" };
            if self.add(db, changes, &keys, new, now, due).await? {
                if let Some(before) = newest {
                    tracing::warn!(
                        "JWT_ALGORITHM or JWT_SECRET is not what it was: access tokens are signed with the new key {kid} ({}) \
                         in place of {} ({}), by all replicas",
                        config.jwt_algorithm.name(),
                        before.kid,
                        before.algorithm.name()
                    );
                }
                return Ok(());
            }
        }
        Err(anyhow!(
            "other replicas keep making signing keys; do they have the same JWT_ALGORITHM and JWT_SECRET?"
        ))
    }

    async fn keep_for_long_enough(
        &self,
        db: &Db,
        changes: &Changes,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let keys = self.keys();
        if keys.all().iter().all(|key| key.longest_ttl >= self.token_ttl) {
            return Ok(());
        }
        let mut tx = db.begin().await?;
        if signing_keys::set_longest_ttl(&mut tx, self.token_ttl.num_seconds()).await? {
            changes.commit(tx, &[Effect::on_signing_keys()], now).await?;
        }
        Ok(())
    }

    /// Publishes the key that signs next, or finds the one that has been. `true` beside one that was made now.
    pub async fn rotate(
        &self,
        db: &Db,
        changes: &Changes,
        now: DateTime<Utc>,
    ) -> anyhow::Result<(KeyInfo, bool)> {
        let keys = self.read(db).await?;
        let newest = keys.newest_until(now + LATEST_NEXT);
        let newest = newest.context("there is no signing key yet; `portcullis serve` makes the first")?;
        if newest.algorithm == Algorithm::Hs256 {
            bail!("the key of HS256 is JWT_SECRET: set another one and restart");
        }
        let due = Due { signs_from: now + LEAD, why: "by hand" };
        self.publish_next(db, changes, &keys, newest, now, due).await
    }

    /// Publishes the key that signs next, if the present one will have signed for `every` by then.
    pub async fn rotate_if_due(
        &self,
        db: &Db,
        changes: &Changes,
        every: Duration,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let keys = self.read(db).await?;
        let newest = keys.newest_until(now + LATEST_NEXT);
        let Some(newest) = newest.filter(|key| key.algorithm != Algorithm::Hs256) else { return Ok(()) };
        let every = TimeDelta::from_std(every).unwrap_or(TimeDelta::MAX);
        let Some(due) = newest.signs_from.checked_add_signed(every) else { return Ok(()) };
        if due - LEAD <= now {
            let due = Due { signs_from: due.max(now + LEAD), why: "its time" };
            let (key, made) = self.publish_next(db, changes, &keys, newest, now, due).await?;
            if made {
                tracing::info!(kid = key.kid, "a new key signs access tokens from {} on", key.signs_from);
            }
        }
        Ok(())
    }

    async fn publish_next(
        &self,
        db: &Db,
        changes: &Changes,
        before: &Keys,
        newest: &Arc<Key>,
        now: DateTime<Utc>,
        due: Due,
    ) -> anyhow::Result<(KeyInfo, bool)> {
        let is_next = before.state(newest, now) == KeyState::Next;
        let made = !is_next && self.add(db, changes, before, make(newest.algorithm).await?, now, due).await?;
        let keys = self.read(db).await?;
        let key = keys.newest_until(now + LATEST_NEXT).context("the signing keys are gone")?;
        Ok((keys.info(key, now), made))
    }

    /// Drops a key, so that what it signed is refused at once. If it is the one that signs, a new one does so at once.
    pub async fn revoke(
        &self,
        db: &Db,
        changes: &Changes,
        kid: &str,
        now: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        let keys = self.read(db).await?;
        let key = keys.by_kid(kid).context("there is no such key; `portcullis keys list` shows all")?;
        let signs = keys.state(key, now) == KeyState::Active;
        if signs && key.algorithm == Algorithm::Hs256 {
            bail!("this key is JWT_SECRET: set another one and restart, then revoke this one");
        }
        let heir = if signs { Some(make(key.algorithm).await?) } else { None };
        let mut tx = db.begin().await?;
        if !signing_keys::delete(&mut tx, kid, key.number).await? {
            drop(tx);
            self.load(db).await?;
            bail!("somebody else has just revoked this key");
        }
        let mut entry = rotated("revoked").with("revoked", kid);
        if let Some(heir) = heir {
            let heir = heir.sealed(&self.seals, keys.next_number(), now, now, self.token_ttl);
            entry = entry.with("kid", heir.kid.as_str());
            if !signing_keys::insert(&mut tx, &heir).await? {
                bail!(
                    "the keys have just changed; nothing was revoked. Look at `portcullis keys list`, and try again"
                );
            }
        }
        self.audit.note(&mut tx, entry, now).await?;
        changes.commit(tx, &[Effect::on_signing_keys()], now).await?;
        self.load(db).await?;
        // What was found out with the key since the commit.
        changes.cache().forget_all();
        Ok(())
    }

    /// Adds a key after the newest of these: `false` where somebody else was faster.
    async fn add(
        &self,
        db: &Db,
        changes: &Changes,
        before: &Keys,
        new: NewKey,
        now: DateTime<Utc>,
        Due { signs_from, why }: Due,
    ) -> anyhow::Result<bool> {
        // Nobody has to be told of the very first, and it replaces none.
        let effect = before.newest().map(|_| Effect::on_signing_keys());
        let key = new.sealed(&self.seals, before.next_number(), now, signs_from, self.token_ttl);
        let mut tx = db.begin().await?;
        // A JWT_SECRET that comes back.
        if let Some(old) = before.by_kid(&key.kid) {
            signing_keys::delete(&mut tx, &old.kid, old.number).await?;
        }
        if !signing_keys::insert(&mut tx, &key).await? {
            return Ok(false);
        }
        if effect.is_some() {
            self.audit.note(&mut tx, rotated(why).with("kid", key.kid.as_str()), now).await?;
        }
        changes.commit(tx, effect.as_slice(), now).await?;
        self.load(db).await?;
        Ok(true)
    }

    /// Encrypts under the present secret what is still under the one before.
    pub async fn reseal(&self, db: &Db) -> anyhow::Result<()> {
        for stored in signing_keys::all(db).await? {
            if let Some(renewed) = self.seals.renewed(&stored) {
                signing_keys::set_private_key(db, &stored.kid, &stored.private_key, &renewed).await?;
            }
        }
        Ok(())
    }

    /// Deletes keys of which no token can be valid any more, the private halves with them.
    pub async fn prune(&self, db: &Db, changes: &Changes, now: DateTime<Utc>) -> anyhow::Result<()> {
        let keys = self.read(db).await?;
        let gone: Vec<_> = keys.all().iter().filter(|key| keys.state(key, now) == KeyState::Gone).collect();
        if gone.is_empty() {
            return Ok(());
        }
        let mut tx = db.begin().await?;
        for key in gone {
            signing_keys::delete(&mut tx, &key.kid, key.number).await?;
        }
        changes.commit(tx, &[Effect::on_signing_keys()], now).await?;
        Ok(())
    }
}

/// When a new key signs, and, for the audit log, why there is one.
struct Due {
    signs_from: DateTime<Utc>,
    why: &'static str,
}

/// Nobody who is known does it: the service, or who has its command line.
fn rotated(why: &'static str) -> Entry {
    Actor::service().did(Event::SigningKeyRotated, None).with("why", why)
}

/// Not on a thread that answers requests: an RSA key takes a while.
async fn make(algorithm: Algorithm) -> anyhow::Result<NewKey> {
    tokio::task::spawn_blocking(move || NewKey::new(algorithm)).await?
}
