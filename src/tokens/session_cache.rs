//! Tokens and API keys that were seen before: from the exact text to the user it speaks for, without SQL and without a signature
//! check. And the users themselves, for whoever knows one's id by other means.
//!
//! # When an entry holds
//!
//! An entry is good until its token expires, or something changes for its session or its user. Nobody looks for the
//! entries that a change concerns: there is a table of counters, of which each session and each user has one, and a
//! change [raises](SessionCache::forget) it. An entry keeps the counters as they were *before* its session and user
//! were read from the database ([`Stamps`]), and is good while they are the same. So a change drops its entries by
//! one increment, and an entry that was read while a change happened is never good: its counters are those from before.
//! Sessions and users that share a counter cost each other one more read, no more.
//!
//! That what is known here may be believed at all is for [`Changes`](super::Changes) to say: it follows what other
//! replicas change.
//!
//! The key is the exact token: one that differs in a single bit is another. (Its SHA-256 would do, too, and was measured at a
//! third of all the instructions of a request where the processor has none for it.)

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::Cache;

use super::authenticated::Authenticated;
use super::stamps::{Counters, Moment, Stamps, UserStamps};
use crate::id::{ApiKeyId, Credential, SessionId, UserId};
use crate::store::users::User;

/// A user as the database had it, and the user's counters as they were before it was asked.
#[derive(Clone)]
struct Known {
    user: Arc<User>,
    stamps: UserStamps,
    read_at: DateTime<Utc>,
}

/// How long a user is believed without being read again; tokens have an end of their own.
const USERS_KEPT: TimeDelta = TimeDelta::minutes(5);

/// The cache.
pub struct SessionCache {
    /// `None` where none is wanted.
    entries: Option<Cache<Box<[u8]>, Arc<Authenticated>>>,
    users: Option<Cache<UserId, Known>>,
    counters: Counters,
    used: Mutex<Used>,
}

/// Sessions and API keys that were used without the database's knowledge, each once a minute.
#[derive(Debug, Default)]
pub struct Used {
    pub sessions: Vec<SessionId>,
    pub api_keys: Vec<ApiKeyId>,
    /// When the first of them was.
    pub since: DateTime<Utc>,
}

impl SessionCache {
    /// Keeps `entries` tokens at most, and as many users.
    pub fn new(entries: usize) -> SessionCache {
        SessionCache {
            entries: (entries > 0).then(|| Cache::new(entries)),
            users: (entries > 0).then(|| Cache::new(entries)),
            counters: Counters::new(),
            used: Mutex::default(),
        }
    }

    /// Who this token speaks for, if that is known and [still holds](Self::holds). Counts as a use of the session or key.
    pub fn get(&self, token: &[u8], now: DateTime<Utc>) -> Option<Arc<Authenticated>> {
        let known = self.entries.as_ref()?.get(token)?;
        if !self.holds(&known, now) {
            return None;
        }
        if known.is_first_use_in_minute(now) {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            if used.sessions.is_empty() && used.api_keys.is_empty() {
                used.since = now;
            }
            match known.credential {
                Credential::Session(id) => used.sessions.push(id),
                Credential::ApiKey(id) => used.api_keys.push(id),
            }
        }
        Some(known)
    }

    /// What was used since this was asked last.
    pub fn take_used(&self) -> Used {
        std::mem::take(&mut self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether the token has not expired and nothing has changed for its session and user.
    pub fn holds(&self, known: &Authenticated, now: DateTime<Utc>) -> bool {
        known.is_in_time(now) && self.stamps(known.credential, known.user.id) == known.stamps
    }

    /// To be taken before a token's signature is checked: a key that is dropped concerns everyone.
    pub fn moment(&self) -> Moment {
        self.counters.moment()
    }

    /// To be taken before session (or key) and user are read.
    pub fn stamps(&self, credential: impl Into<Credential>, user: UserId) -> Stamps {
        self.counters.of_credential(credential.into().as_bytes(), user)
    }

    /// To be taken before the user is read.
    pub fn user_stamps(&self, user: UserId) -> UserStamps {
        self.counters.of_user(user)
    }

    /// Keeps what was found out about a token just now.
    pub fn insert(&self, token: &[u8], found: Arc<Authenticated>, now: DateTime<Utc>) {
        // Of a key's user some roles may be missing.
        if matches!(found.credential, Credential::Session(_)) {
            self.insert_user(found.user.clone(), found.stamps.user, now);
        }
        if let Some(entries) = &self.entries {
            entries.insert(token.into(), found);
        }
    }

    /// The user with this id, if read not long ago and unchanged since.
    pub fn user(&self, id: UserId, now: DateTime<Utc>) -> Option<Arc<User>> {
        let known = self.users.as_ref()?.get(&id)?;
        let holds = now < known.read_at + USERS_KEPT && known.stamps == self.user_stamps(id);
        holds.then_some(known.user)
    }

    /// Keeps a user, read at `read_at`. `stamps` are those from before that.
    pub fn insert_user(&self, user: Arc<User>, stamps: UserStamps, read_at: DateTime<Utc>) {
        if let Some(users) = &self.users {
            users.insert(user.id, Known { user, stamps, read_at });
        }
    }

    /// Drops what is known of a session, or with `None` of all that is the user's. To be done after the change has been
    /// committed: who reads the database from here on sees it.
    pub fn forget(&self, user: UserId, session: Option<SessionId>) {
        self.counters.raise(session.as_ref().map_or(user.as_bytes(), SessionId::as_bytes));
    }

    /// Drops everything.
    pub fn forget_all(&self) {
        self.counters.raise_all();
        self.entries.as_ref().inspect(|entries| entries.clear());
        self.users.as_ref().inspect(|users| users.clear());
    }

    /// How many tokens it has room for.
    pub fn capacity(&self) -> u64 {
        self.entries.as_ref().map_or(0, Cache::capacity)
    }

    /// How many tokens it knows.
    pub fn len(&self) -> usize {
        self.entries.as_ref().map_or(0, Cache::len)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::Claims;
    use super::*;
    use crate::id::token_id;

    fn user(id: UserId) -> Arc<User> {
        Arc::new(User {
            id,
            username: Some("ada".to_owned()),
            email: None,
            email_verified: false,
            display_name: None,
            disabled: false,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            last_login_at: None,
            roles: Default::default(),
        })
    }

    fn claims(sub: UserId, sid: SessionId, exp: i64) -> Claims {
        let jti = token_id(DateTime::UNIX_EPOCH);
        let claims = serde_json::json!({
            "iss": "", "aud": "", "client_id": "", "sub": sub, "sid": sid, "gen": 1, "jti": jti, "iat": 0, "exp": exp,
            "roles": []
        });
        serde_json::from_value(claims).unwrap()
    }

    #[test]
    fn an_entry_holds_until_something_changes_or_its_time_is_over() {
        let (cache, now) = (SessionCache::new(10), DateTime::UNIX_EPOCH);
        let (ada, bob) = (UserId::from([1; 16]), UserId::from([2; 16]));
        let (first, second) = (SessionId::from([3; 16]), SessionId::from([4; 16]));
        let keep = || {
            let found =
                Authenticated::by_token(&claims(ada, first, 60), user(ada), cache.stamps(first, ada), now);
            cache.insert(b"token", Arc::new(found), now);
        };
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        assert!(cache.user(ada, now).is_none());
        keep();
        assert!(cache.user(ada, now).is_some() && cache.user(bob, now).is_none());
        assert!(cache.get(b"token", now).is_some() && cache.get(b"another", now).is_none());
        assert!(cache.get(b"token", at(59)).is_some() && cache.get(b"token", at(60)).is_none());
        cache.forget(bob, None);
        cache.forget(ada, Some(second));
        assert!(cache.get(b"token", now).is_some());
        for forget in
            [&|| cache.forget(ada, Some(first)) as _, &|| cache.forget(ada, None), &|| cache.forget_all()]
                as [&dyn Fn(); 3]
        {
            keep();
            assert!(cache.get(b"token", now).is_some());
            forget();
            assert!(cache.get(b"token", now).is_none());
        }
        assert!(cache.user(ada, now).is_none());
        cache.insert_user(user(ada), cache.user_stamps(ada), now);
        assert!(cache.user(ada, at(299)).is_some() && cache.user(ada, at(300)).is_none());
        cache.forget(ada, Some(first));
        assert!(cache.user(ada, now).is_some());
        cache.forget(ada, None);
        assert!(cache.user(ada, now).is_none());
    }

    #[test]
    fn what_was_read_while_something_changed_is_never_believed() {
        let (cache, now) = (SessionCache::new(10), DateTime::UNIX_EPOCH);
        let (ada, session) = (UserId::from([1; 16]), SessionId::from([3; 16]));
        for change in [Some(session), None] {
            let before = cache.stamps(session, ada);
            // Here the database is read; the change is committed and dropped only now.
            cache.forget(ada, change);
            let found = Authenticated::by_token(&claims(ada, session, 60), user(ada), before, now);
            cache.insert(b"token", Arc::new(found), now);
            assert!(cache.get(b"token", now).is_none());
        }
    }

    #[test]
    fn the_use_of_a_session_is_told_once_a_minute() {
        let cache = SessionCache::new(10);
        let (ada, session) = (UserId::from([1; 16]), SessionId::from([3; 16]));
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        let stamps = cache.stamps(session, ada);
        let found = Arc::new(Authenticated::by_token(&claims(ada, session, 600), user(ada), stamps, at(0)));
        cache.insert(b"token", found, at(0));
        for (second, used) in
            [(1, vec![]), (59, vec![]), (60, vec![session]), (61, vec![]), (200, vec![session])]
        {
            cache.get(b"token", at(second)).unwrap();
            assert_eq!(cache.take_used().sessions, used, "second {second}");
        }
    }
}
