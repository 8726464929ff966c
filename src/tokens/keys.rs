//! All keys at one moment, and which of them does what.
//!
//! Nothing tells that a key's turn has come: it follows from the clock. A key is *next* until its time, then *active*, until
//! a later one is; then *retired*, while a token that it signed can be valid; then *gone*. Replicas have the same keys and,
//! but for a little, the same time. One whose clock is ahead signs with the next key a little sooner, which the others
//! take: they know it already.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::access_token::LEEWAY;
use super::keyring::KeyInfo;
use super::signing_key::Key;

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, so that all who verify know it before it signs.
    Next,
    Active,
    /// Verifies what it signed.
    Retired,
    /// Nothing that it signed is valid any more.
    Gone,
}

impl KeyState {
    pub fn name(self) -> &'static str {
        match self {
            KeyState::Next => "next",
            KeyState::Active => "active",
            KeyState::Retired => "retired",
            KeyState::Gone => "gone",
        }
    }
}

/// All keys of the database, oldest first.
#[derive(Default)]
pub(super) struct Keys {
    all: Vec<Arc<Key>>,
}

impl Keys {
    pub fn new(all: Vec<Arc<Key>>) -> Keys {
        Keys { all }
    }

    pub fn all(&self) -> &[Arc<Key>] {
        &self.all
    }

    /// The latest one that was made, whether or not it signs yet.
    pub fn newest(&self) -> Option<&Arc<Key>> {
        self.all.last()
    }

    /// The latest one that was made, of those that sign no later than this: one that signs long after now is a wrong clock's.
    pub fn newest_until(&self, latest: DateTime<Utc>) -> Option<&Arc<Key>> {
        self.all.iter().rfind(|key| key.signs_from <= latest)
    }

    /// The number of the next one. Who takes it makes that one, and no one else.
    pub fn next_number(&self) -> i64 {
        self.newest().map_or(1, |newest| newest.number.saturating_add(1))
    }

    /// The one that signs. Where a wrong clock has it that none does yet, the oldest.
    pub fn active(&self, now: DateTime<Utc>) -> Option<&Arc<Key>> {
        self.all.iter().rfind(|key| key.signs_from <= now).or(self.all.first())
    }

    pub fn by_kid(&self, kid: &str) -> Option<&Arc<Key>> {
        self.all.iter().find(|key| key.kid == kid)
    }

    /// When another takes its place; `None` where none is known that will.
    fn retires_at(&self, key: &Key) -> Option<DateTime<Utc>> {
        self.all.iter().filter(|later| later.number > key.number).map(|later| later.signs_from).min()
    }

    /// Until when it verifies; `None` where no end is known.
    pub fn verifies_until(&self, key: &Key) -> Option<DateTime<Utc>> {
        self.retires_at(key)?.checked_add_signed(key.longest_ttl + LEEWAY)
    }

    pub fn state(&self, key: &Key, now: DateTime<Utc>) -> KeyState {
        let active = self.active(now);
        if self.verifies_until(key).is_some_and(|until| until <= now) {
            KeyState::Gone
        } else if active.is_some_and(|active| active.number == key.number) {
            KeyState::Active
        } else if active.is_some_and(|active| active.number < key.number) {
            KeyState::Next
        } else {
            KeyState::Retired
        }
    }

    /// What can be told of a key.
    pub fn info(&self, key: &Key, now: DateTime<Utc>) -> KeyInfo {
        KeyInfo {
            kid: key.kid.clone(),
            algorithm: key.algorithm,
            state: self.state(key, now),
            created_at: key.created_at,
            signs_from: key.signs_from,
            verifies_until: self.verifies_until(key),
        }
    }

    /// Those that a token may name.
    pub fn verifying(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Arc<Key>> {
        self.all.iter().filter(move |key| self.state(key, now) != KeyState::Gone)
    }
}
