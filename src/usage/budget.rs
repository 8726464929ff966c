//! What one replica may let through of one user's quota; why so, is told by [`quota`](super::quota).

use std::cmp::Ordering;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use chrono::{DateTime, Utc};
use tokio::sync::{Mutex, MutexGuard};

use super::window::Window;
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::patience;
use crate::store::Db;
use crate::store::quotas::{self, Quota};
use crate::traces;

/// For how long it is believed that nothing is left; another replica may give something back.
const REFUSED_FOR: i64 = 1_000_000;

/// What this replica may let through of a user's quota.
pub struct Budget {
    user: UserId,
    quota: Quota,
    /// What is held of it counts as used until it is given back.
    before: std::sync::Mutex<Option<Arc<Budget>>>,
    held: AtomicU64,
    /// What was left in the database when something was last taken.
    left_there: AtomicI64,
    /// How much was last taken.
    part: AtomicI64,
    /// Microseconds since the epoch.
    refused_until: AtomicI64,
    /// Since it was last looked for what is idle.
    is_used: AtomicBool,
    takes_ahead: AtomicBool,
    /// When an attempt failed last, for a request or beside one. Which request waited for it meanwhile does not try again.
    taking: Mutex<Option<Instant>>,
}

/// Where a user stands with a quota.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub quota: Quota,
    pub remaining: i64,
    /// How long the window is,
    pub window: Duration,
    /// and how long until the next.
    pub resets_in: Duration,
}

/// A window's first day and the requests that are held of it, in one word: 24 and 40 bits.
fn packed(window: i64, held: i64) -> u64 {
    let (window, held) = (window.clamp(0, (1 << 24) - 1) as u64, held.clamp(0, (1 << 40) - 1) as u64);
    window << 40 | held
}

fn unpacked(word: u64) -> (i64, i64) {
    ((word >> 40) as i64, (word & ((1 << 40) - 1)) as i64)
}

impl Budget {
    /// `before` is that of the quota which this one took the place of.
    pub fn new(user: UserId, quota: Quota, before: Option<Arc<Budget>>) -> Budget {
        Budget {
            before: std::sync::Mutex::new(before),
            user,
            quota,
            held: AtomicU64::new(0),
            left_there: AtomicI64::new(0),
            part: AtomicI64::new(0),
            refused_until: AtomicI64::new(i64::MIN),
            is_used: AtomicBool::new(true),
            takes_ahead: AtomicBool::new(false),
            taking: Mutex::default(),
        }
    }

    /// Whether this is what is held of that quota, or of one that came after it.
    pub fn is_of(&self, quota: &Quota) -> bool {
        self.quota == *quota || self.quota.version > quota.version
    }

    /// Whether something was asked since this was.
    pub fn was_used(&self) -> bool {
        self.is_used.swap(false, SeqCst)
    }

    pub fn window(&self, now: DateTime<Utc>) -> Window {
        Window::of(self.quota.per, now)
    }

    /// Spends one of what is held, and tells how much is left of that; `None` where nothing is held.
    pub fn spend(&self, window: Window) -> Option<i64> {
        // To look costs less than to write what all threads look at.
        if !self.is_used.load(SeqCst) {
            self.is_used.store(true, SeqCst);
        }
        let spent = self.held.fetch_update(SeqCst, SeqCst, |word| {
            let (of, held) = unpacked(word);
            (of >= window.first && held > 0).then(|| packed(of, held - 1))
        });
        spent.ok().map(|before| unpacked(before).1 - 1)
    }

    pub fn is_refused(&self, now: DateTime<Utc>) -> bool {
        now.timestamp_micros() < self.refused_until.load(SeqCst)
    }

    /// Where the user stands, by what is held here and what the database has left; `None` where the quota is gone, or is for another time.
    pub async fn present_standing(&self, db: &Db, now: DateTime<Utc>) -> Result<Option<Standing>> {
        let window = self.window(now);
        let left = quotas::left(db, self.user, self.quota.per, window.first).await?;
        let (of, held) = unpacked(self.held.load(SeqCst));
        let held = if of >= window.first { held } else { 0 };
        Ok(left.map(|left| self.standing((held + left).max(0), window, now)))
    }

    pub fn standing(&self, remaining: i64, Window { first, next }: Window, now: DateTime<Utc>) -> Standing {
        let days = |days: i64| Duration::from_secs(u64::try_from(days * 86_400).unwrap_or(0));
        let passed = u64::try_from(now.timestamp() - first * 86_400).unwrap_or(0);
        Standing {
            quota: self.quota,
            remaining: remaining.min(self.quota.requests),
            window: days(next - first),
            resets_in: days(next - first).saturating_sub(Duration::from_secs(passed)),
        }
    }

    /// Spends one request, of what is held by then, or of what the database has left; where the user stands, if nothing is left. A quota that has
    /// just been taken away, or is for another time, allows it. Goes on if whoever asked goes away.
    pub async fn ask(self: Arc<Budget>, db: &Db, now: DateTime<Utc>) -> Result<Result<(), Standing>> {
        let db = db.clone();
        let work = async move {
            let mut failed = self.turn().await?;
            let asked = self.ask_in_turn(&db, now).await;
            if asked.is_err() {
                *failed = Some(Instant::now());
            }
            asked
        };
        let asked = patience::spend(tokio::spawn(traces::along(patience::along(work)))).await;
        asked.unwrap_or_else(|_| Err(Error::Internal(anyhow!("taking of a quota was given up"))))
    }

    /// Waits for those who take, and tells when one of them failed last; an error where that was meanwhile.
    async fn turn(&self) -> Result<MutexGuard<'_, Option<Instant>>> {
        let began = Instant::now();
        let gone = || Error::Unavailable(anyhow!("the database did not answer who took of the quota before"));
        let failed = patience::within(self.taking.lock()).await.map_err(|_| gone())?;
        if failed.is_some_and(|failed| began < failed) { Err(gone()) } else { Ok(failed) }
    }

    async fn ask_in_turn(&self, db: &Db, now: DateTime<Utc>) -> Result<Result<(), Standing>> {
        let window = self.window(now);
        if self.spend(window).is_some() {
            return Ok(Ok(()));
        }
        if self.is_refused(now) {
            return Ok(Err(self.standing(0, window, now)));
        }
        self.give_back_before(db).await?;
        if self.take(db, 1, window).await? {
            return Ok(Ok(()));
        }
        let present = quotas::by_user(db, self.user).await?;
        if present.is_none_or(|present| present.per != self.quota.per) {
            return Ok(Ok(()));
        }
        self.refused_until.store(now.timestamp_micros() + REFUSED_FOR, SeqCst);
        Ok(Err(self.standing(0, window, now)))
    }

    async fn give_back_before(&self, db: &Db) -> Result<()> {
        let before = || self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let old = before().clone();
        if let Some(old) = old {
            old.give_back(db).await?;
            *before() = None;
        }
        Ok(())
    }

    /// Takes a part of what is left, `spent` of which is spent already; `false` where nothing is left.
    async fn take(&self, db: &Db, spent: i64, window: Window) -> Result<bool> {
        let Some(taken) = quotas::take(db, self.user, self.quota.per, window.first).await? else {
            self.left_there.store(0, SeqCst);
            return Ok(false);
        };
        self.left_there.store(taken.left, SeqCst);
        self.part.store(taken.granted, SeqCst);
        self.hold(taken.window_start, taken.granted - spent);
        Ok(true)
    }

    /// Adds to what is held; what was held of an earlier window is worth nothing any more.
    fn hold(&self, of: i64, more: i64) {
        self.held
            .fetch_update(SeqCst, SeqCst, |word| {
                let (window, held) = unpacked(word);
                match window.cmp(&of) {
                    Ordering::Less => Some(packed(of, more)),
                    Ordering::Equal => Some(packed(of, held + more)),
                    Ordering::Greater => None,
                }
            })
            .ok();
    }

    /// Takes the next part beside the requests, where this one is half spent and was more than a single request.
    pub fn take_ahead_of(self: &Arc<Budget>, held: i64, db: &Db, window: Window) {
        let part = self.part.load(SeqCst);
        let nothing_left = self.left_there.load(SeqCst) == 0;
        if held > part / 2 || part < 2 || nothing_left || self.takes_ahead.swap(true, SeqCst) {
            return;
        }
        let (budget, db) = (self.clone(), db.clone());
        tokio::spawn(async move {
            if let Ok(mut failed) = budget.turn().await
                && budget.take(&db, 0, window).await.is_err()
            {
                *failed = Some(Instant::now());
            }
            budget.takes_ahead.store(false, SeqCst);
        });
    }

    /// Gives back what is held.
    pub async fn give_back(&self, db: &Db) -> Result<()> {
        let mut failed = self.taking.lock().await;
        let (of, held) = unpacked(self.held.fetch_and(packed(i64::MAX, 0), SeqCst));
        if held > 0 {
            let given = quotas::set_given_back(db, self.user, self.quota.per, of, held).await;
            if given.is_err() {
                self.hold(of, held);
                *failed = Some(Instant::now());
            }
            given?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Executor;
    use crate::store::quotas::Per;

    #[test]
    fn what_is_held_is_of_one_window() {
        let quota = Quota { requests: 1000, per: Per::Day, version: 1 };
        let budget = Budget::new(UserId::from([1; 16]), quota, None);
        let at = |day: i64| Window { first: day, next: day + 1 };
        assert_eq!(budget.spend(at(100)), None);
        budget.hold(100, 3);
        budget.hold(100, 2);
        assert_eq!(
            (budget.spend(at(100)), budget.spend(at(101)), budget.spend(at(100))),
            (Some(4), None, Some(3))
        );
        // Of another replica, whose clock is ahead.
        budget.hold(101, 2);
        budget.hold(100, 7);
        assert_eq!(
            (budget.spend(at(100)), budget.spend(at(101)), budget.spend(at(101))),
            (Some(1), Some(0), None)
        );
        assert_eq!(unpacked(packed(20_000, 1 << 39)), (20_000, 1 << 39));
    }

    #[tokio::test]
    async fn who_waits_for_a_part_has_no_more_time_than_its_request_and_does_not_try_after_one_that_failed() {
        let (folder, now) = (tempfile::tempdir().unwrap(), DateTime::UNIX_EPOCH);
        let db = Db::open(&format!("sqlite://{}/test.db", folder.path().display()), 1).await.unwrap();
        db.query("drop table quotas").execute().await.unwrap();
        let quota = Quota { requests: 1000, per: Per::Day, version: 1 };
        let budget = Arc::new(Budget::new(UserId::from([1; 16]), quota, None));
        let (taken, ask) = (budget.taking.lock().await, || budget.clone().ask(&db, now));
        let began = Instant::now();
        let asked = patience::briefly(ask()).await;
        assert!(matches!(asked, Err(Error::Unavailable(_))) && began.elapsed() < patience::DEADLINE);
        let let_go = async {
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
            drop(taken);
        };
        let (tries, waits, ()) = tokio::join!(ask(), ask(), let_go);
        assert!(matches!((tries, waits), (Err(Error::Internal(_)), Err(Error::Unavailable(_)))));
    }
}
