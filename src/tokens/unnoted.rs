//! Uses of sessions and API keys that could not be noted in the database.
//!
//! That an access token was used proves that it arrived, and must be known before long, also if it is never used again: so what
//! could not be noted is kept here, and noted beside the requests. Meanwhile most requests don't try: a database whose writes hang
//! would make each of them wait.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::id::Credential;

/// For how long after a failure no request tries.
const LEFT_ALONE: TimeDelta = TimeDelta::seconds(1);

/// How many are kept. Of one more, each use is tried.
const KEPT: usize = 10_000;

/// What could not be noted yet.
#[derive(Default)]
pub struct Unnoted(Mutex<HashMap<Credential, Use>>);

/// A use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// The latest of a session that was seen. A key has none.
    pub generation: i64,
    pub at: DateTime<Utc>,
    tried_at: DateTime<Utc>,
}

impl Unnoted {
    /// Whether this is kept for later, since it was tried in vain a moment ago.
    pub fn keeps(&self, credential: Credential, generation: i64, now: DateTime<Utc>) -> bool {
        let mut kept = self.kept();
        let Some(kept) = kept.get_mut(&credential) else { return false };
        // A clock that was set back does not make it long.
        let is_left_alone = kept.tried_at <= now && now < kept.tried_at + LEFT_ALONE;
        if is_left_alone {
            kept.generation = kept.generation.max(generation);
            kept.at = now;
        }
        is_left_alone
    }

    /// Keeps what was tried in vain, and tells whether it is the first.
    pub fn keep(
        &self,
        credential: Credential,
        generation: i64,
        at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> bool {
        let mut kept = self.kept();
        let is_first = kept.is_empty();
        if kept.len() < KEPT || kept.contains_key(&credential) {
            let new = Use { generation, at, tried_at: now };
            let kept = kept.entry(credential).or_insert(new);
            *kept = Use { generation: kept.generation.max(generation), at: kept.at.max(at), tried_at: now };
        }
        is_first
    }

    /// Forgets what was noted, unless there has been more since.
    pub fn forget(&self, credential: Credential, generation: i64) {
        let mut kept = self.kept();
        if kept.get(&credential).is_some_and(|kept| kept.generation <= generation) {
            kept.remove(&credential);
        }
    }

    /// All of it, what was tried longest ago first.
    pub fn all(&self) -> Vec<(Credential, Use)> {
        let mut all: Vec<_> = self.kept().iter().map(|(credential, kept)| (*credential, *kept)).collect();
        all.sort_by_key(|(_, kept)| kept.tried_at);
        all
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Credential, Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;

    #[test]
    fn what_could_not_be_noted_is_left_alone_for_a_second_and_kept() {
        let (unnoted, session) = (Unnoted::default(), Credential::Session(SessionId::from([1; 16])));
        let at = |millis| DateTime::from_timestamp_millis(millis).unwrap();
        assert!(!unnoted.keeps(session, 1, at(1000)));
        assert!(unnoted.keep(session, 1, at(1000), at(1000)));
        assert!(unnoted.keeps(session, 2, at(1999)));
        assert!(!unnoted.keeps(session, 2, at(2000)) && !unnoted.keeps(session, 2, at(999)));
        // Which is told once.
        assert!(!unnoted.keep(session, 1, at(2000), at(2000)));
        assert_eq!(unnoted.all(), [(session, Use { generation: 2, at: at(2000), tried_at: at(2000) })]);
        unnoted.forget(session, 1);
        assert!(unnoted.keeps(session, 1, at(2000)));
        unnoted.forget(session, 2);
        assert!(!unnoted.keeps(session, 1, at(2000)) && unnoted.all().is_empty());
        assert!(unnoted.keep(session, 1, at(1000), at(1000)));
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let (unnoted, now) = (Unnoted::default(), DateTime::UNIX_EPOCH);
        for n in 0..=KEPT {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&n.to_be_bytes());
            unnoted.keep(Credential::Session(SessionId::from(id)), 1, now, now);
        }
        assert_eq!(unnoted.all().len(), KEPT);
    }
}
