//! What is revoked, as far as Portcullis was heard, in memory.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use uuid::Uuid;

use crate::api::Revocation;
use crate::clock::Moment;
use crate::{Claims, Error};

/// What a client is told to wait while nothing is heard.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// How much longer than a token can live its revocation is kept, for clocks that differ.
const SLACK: Duration = Duration::from_secs(60);

/// How often what is no longer needed is looked for.
const PURGE_EVERY: Duration = Duration::from_secs(60);

pub(crate) struct Revoked {
    state: RwLock<State>,
    max_silence: Duration,
    remember: Duration,
}

/// Sessions and users, each with when it was heard last that they are revoked.
struct State {
    sessions: HashMap<Uuid, Moment>,
    users: HashMap<Uuid, Moment>,
    /// All that was revoked before this moment is known.
    complete_at: Option<Moment>,
    purged: Moment,
}

impl Revoked {
    pub fn new(max_silence: Duration, remember: Duration, now: Moment) -> Revoked {
        let (sessions, users) = Default::default();
        let state = State { sessions, users, complete_at: None, purged: now };
        Revoked { state: RwLock::new(state), max_silence, remember: remember + SLACK }
    }

    /// Whether what is known is complete enough to be relied on.
    pub fn is_fresh(&self, now: Moment) -> bool {
        self.fresh(now).is_ok()
    }

    /// As [`is_fresh`](Revoked::is_fresh), as the error it is.
    pub fn fresh(&self, now: Moment) -> Result<(), Error> {
        self.heard(&self.read(), now)
    }

    fn heard(&self, state: &State, now: Moment) -> Result<(), Error> {
        let heard = state.complete_at.is_some_and(|at| now.since(at) <= self.max_silence);
        heard.then_some(()).ok_or(Error::Unavailable { retry_after: RETRY_AFTER })
    }

    /// Fails closed: `Unavailable` where nothing was heard for too long.
    pub fn check(&self, claims: &Claims, now: Moment) -> Result<(), Error> {
        let state = self.read();
        self.heard(&state, now)?;
        match state.sessions.contains_key(&claims.sid) || state.users.contains_key(&claims.sub) {
            true => Err(Error::RevokedToken),
            false => Ok(()),
        }
    }

    /// Remembers what was revoked; one without a session concerns all of its user.
    pub fn note(&self, items: &[Revocation], now: Moment) {
        let mut state = self.write();
        for item in items {
            match item.sid {
                Some(session) => state.sessions.insert(session, now),
                None => state.users.insert(item.sub, now),
            };
        }
        if now.surely_since(state.purged) >= PURGE_EVERY {
            state.purged = now;
            let needed = |_: &Uuid, noted: &mut Moment| now.surely_since(*noted) <= self.remember;
            state.sessions.retain(needed);
            state.users.retain(needed);
        }
    }

    /// Notes that all that was revoked before `at` has been noted.
    pub fn complete(&self, at: Moment) {
        self.write().complete_at = Some(at);
    }

    /// How many sessions and users are remembered.
    pub fn len(&self) -> usize {
        let state = self.read();
        state.sessions.len() + state.users.len()
    }

    // Each change leaves the state whole, also where a thread should panic between two.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn revocation(sub: u128, sid: Option<u128>) -> Revocation {
        Revocation { seq: 1, sub: Uuid::from_u128(sub), sid: sid.map(Uuid::from_u128) }
    }

    fn claims(sub: u128, sid: u128) -> Claims {
        let (sub, sid) = (Uuid::from_u128(sub), Uuid::from_u128(sid));
        let (iss, aud, client_id) = Default::default();
        Claims { iss, aud, sub, client_id, sid, jti: Uuid::nil(), iat: 0, exp: 0, nbf: None, roles: vec![] }
    }

    #[test]
    fn a_session_alone_or_all_of_a_user() {
        let now = Moment::now();
        let revoked = Revoked::new(5 * SECOND, 60 * SECOND, now);
        revoked.note(&[revocation(1, Some(11)), revocation(2, None)], now);
        revoked.complete(now);
        assert_eq!(revoked.check(&claims(1, 11), now), Err(Error::RevokedToken));
        assert_eq!(revoked.check(&claims(1, 12), now), Ok(()));
        assert_eq!(revoked.check(&claims(2, 21), now), Err(Error::RevokedToken));
        assert_eq!(revoked.check(&claims(3, 31), now), Ok(()));
    }

    #[test]
    fn silence_on_either_clock_refuses_all() {
        let now = Moment::now();
        let revoked = Revoked::new(5 * SECOND, 60 * SECOND, now);
        let unavailable = Err(Error::Unavailable { retry_after: RETRY_AFTER });
        assert_eq!(revoked.check(&claims(1, 1), now), unavailable, "before the first sync");
        revoked.complete(now);
        assert_eq!(revoked.check(&claims(1, 1), now.later(5 * SECOND, 5 * SECOND)), Ok(()));
        assert_eq!(revoked.check(&claims(1, 1), now.later(6 * SECOND, Duration::ZERO)), unavailable);
        assert_eq!(revoked.check(&claims(1, 1), now.later(Duration::ZERO, 6 * SECOND)), unavailable);
    }

    #[test]
    fn what_no_living_token_can_concern_is_forgotten() {
        let now = Moment::now();
        let revoked = Revoked::new(5 * SECOND, 60 * SECOND, now);
        revoked.note(&[revocation(1, Some(11)), revocation(2, None)], now);
        let kept = 60 * SECOND + SLACK;
        revoked.note(&[revocation(3, None)], now.later(kept, kept));
        assert_eq!(revoked.len(), 3);
        let later = kept + PURGE_EVERY;
        revoked.note(&[], now.later(later, later));
        assert_eq!(revoked.len(), 1);
        // A clock that was set ahead forgets nothing.
        revoked.note(&[], now.later(later, 10_000 * SECOND));
        assert_eq!(revoked.len(), 1);
    }
}
