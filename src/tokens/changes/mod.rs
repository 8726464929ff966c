//! Making changes known: to this process at once, to every other within a second.
//!
//! Whoever takes rights away writes a row to `changes` in the same transaction, and does so here
//! ([`commit`](Changes::commit)), so that what is cached is dropped before anyone hears that it happened. Every replica
//! [follows](Changes::follow) that table on a line of its own: woken by the database where that can, and looking by
//! itself every [`POLL`].
//!
//! # Why no change is missed
//!
//! A follower remembers the `seq` of the last change that it has seen, and asks for what comes after. That is only right
//! because `seq` is given out in the order of commits: who adds a change holds the row of `newest_change` from then until
//! its commit. With a sequence of the database's own, change 8 could be seen before change 7 is committed, and 7 never.
//! Since there are no gaps either, one that shows means that changes were deleted before they were read here: then
//! everything is forgotten, as it is where the newest change is older than one seen before (a backup was restored).
//!
//! # Why a replica that can't follow does no harm
//!
//! What is cached is believed only for [`TRUST`] from the *start* of the last read that succeeded. A change that
//! this read did not see was committed after its start; so a second after that commit, this replica has either read it or
//! believes nothing, and asks the database for each request.

mod position;

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};

use super::{Keyring, SessionCache};
use crate::error::Result;
use crate::id::{SessionId, UserId};
use crate::store::changes::{self, Change, Reason};
use crate::store::{Feed, Tx};
use position::{Old, Position};

/// How long a replica looks away at most.
const POLL: Duration = Duration::from_millis(250);

/// How long a read of the feed is good for.
const TRUST: Duration = Duration::from_secs(1);

/// What a transaction does to those who hold tokens.
#[derive(Clone, Debug)]
pub struct Effect {
    reason: Reason,
    /// `None`: on everyone.
    user: Option<UserId>,
    sessions: Vec<Option<SessionId>>,
}

impl Effect {
    /// On all that there is or was of the user.
    pub fn on_user(reason: Reason, user: UserId) -> Effect {
        Effect { reason, user: Some(user), sessions: vec![None] }
    }

    /// On these sessions of the user, of which there may be none.
    pub fn on_sessions(
        reason: Reason,
        user: UserId,
        sessions: impl IntoIterator<Item = SessionId>,
    ) -> Effect {
        Effect { reason, user: Some(user), sessions: sessions.into_iter().map(Some).collect() }
    }

    /// That a key was made or dropped.
    pub fn on_signing_keys() -> Effect {
        Effect::on_everyone(Reason::SigningKeysChanged)
    }

    /// On all that is known of anyone: one row, where there may be a hundred thousand users. Each is read again when next seen.
    pub fn on_everyone(reason: Reason) -> Effect {
        Effect { reason, user: None, sessions: vec![None] }
    }
}

/// What is known here of tokens and of what changes for them.
pub struct Changes {
    cache: SessionCache,
    began: Instant,
    /// Until when the cache may be believed: nanoseconds since `began`.
    trusted_until: AtomicU64,
    /// There may be something new to read.
    wake: Notify,
    /// The last change that was read.
    seen: watch::Sender<i64>,
}

impl Changes {
    /// With room for this many tokens. Nothing is believed before [`follow`](Self::follow) has read.
    pub fn new(cached_tokens: usize) -> Changes {
        Changes {
            cache: SessionCache::new(cached_tokens),
            began: Instant::now(),
            trusted_until: AtomicU64::new(0),
            wake: Notify::new(),
            seen: watch::Sender::new(0),
        }
    }

    /// Where what is found out is kept.
    pub fn cache(&self) -> &SessionCache {
        &self.cache
    }

    /// What is known, while it can be believed.
    pub fn known(&self) -> Option<&SessionCache> {
        self.are_followed().then_some(&self.cache)
    }

    /// Ends a transaction that has effects: notes them in it, commits, and drops what is cached of whom they concern. If
    /// it fails, or whoever asked for it goes away, nobody knows whether it happened, and that is dropped all the same.
    pub async fn commit(&self, mut tx: Tx, effects: &[Effect], now: DateTime<Utc>) -> Result<()> {
        for Effect { reason, user, sessions } in effects.iter().filter(|effect| !effect.sessions.is_empty()) {
            changes::insert(&mut tx, *reason, *user, sessions, now).await?;
        }
        let _at_the_end = Forgetting { changes: self, effects };
        tx.commit().await
    }

    /// Whether all changes are known here but those of the last second.
    pub fn are_followed(&self) -> bool {
        self.since_began(Instant::now()) < self.trusted_until.load(SeqCst)
    }

    /// How long ago the last read that succeeded began; before the first, how long there has been none.
    pub fn lag(&self) -> Duration {
        let last = self.trusted_until.load(SeqCst).checked_sub(TRUST.as_nanos() as u64);
        self.began.elapsed().saturating_sub(Duration::from_nanos(last.unwrap_or(0)))
    }

    /// The last change that was read; it tells when there is another.
    pub fn seen(&self) -> watch::Receiver<i64> {
        self.seen.subscribe()
    }

    /// Follows the changes of all replicas until the database is closed. The keyring has the keys from here, too.
    pub async fn follow(&self, mut feed: Feed, keyring: &Keyring) {
        let mut position = Position::default();
        let mut failing = false;
        while !feed.is_closed() {
            let started = Instant::now();
            match self.catch_up(&mut feed, &mut position, keyring, failing).await {
                Ok(caught_up) => {
                    failing = false;
                    if !caught_up {
                        continue;
                    }
                    self.trusted_until.store(self.since_began(started + TRUST), SeqCst);
                }
                // The feed tells of it.
                Err(_) => failing = true,
            }
            tokio::select! {
                () = self.wake.notified() => {}
                () = feed.woken() => {}
                () = tokio::time::sleep_until((started + POLL).into()) => {}
            }
        }
    }

    /// Reads the news, and drops what they made old; `false` where there is more to read at once. After a failure nobody
    /// knows what it is that came back, and everything is old.
    async fn catch_up(
        &self,
        feed: &mut Feed,
        position: &mut Position,
        keyring: &Keyring,
        failed: bool,
    ) -> Result<bool> {
        let news = feed.read(position.seen).await?;
        let mut next = *position;
        // Of what concerns everyone, the keys are read again in any case.
        let of_all = |change: &Change| change.user_id.is_none();
        match next.advance(&news) {
            Old::These(changes) if !failed && !changes.iter().any(of_all) => {
                for change in changes {
                    self.forget(change.user_id, change.session_id);
                }
            }
            _ => {
                // First the keys: what is found out with the old ones meanwhile is dropped with the rest.
                let number = keyring.begin_read();
                keyring.take(number, &feed.signing_keys().await?);
                self.cache.forget_all();
            }
        }
        *position = next;
        let seen = position.seen.unwrap_or_default();
        self.seen.send_if_modified(|before| std::mem::replace(before, seen) != seen);
        Ok(seen >= news.newest)
    }

    fn forget(&self, user: Option<UserId>, session: Option<SessionId>) {
        match user {
            Some(user) => self.cache.forget(user, session),
            None => self.cache.forget_all(),
        }
    }

    fn since_began(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Drops what is cached of whom effects concern, when it is dropped itself.
struct Forgetting<'a> {
    changes: &'a Changes,
    effects: &'a [Effect],
}

impl Drop for Forgetting<'_> {
    fn drop(&mut self) {
        for Effect { user, sessions, .. } in self.effects {
            sessions.iter().for_each(|session| self.changes.forget(*user, *session));
        }
        self.changes.wake.notify_one();
    }
}
