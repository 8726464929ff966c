//! Quotas: how many requests a user may make in a day or a month (UTC), over all sessions and keys, on all replicas together.
//!
//! # How replicas agree without asking for each request
//!
//! What is left of a quota stands in the database. A replica takes a part of it with one conditional update ([`quotas::take`]), and
//! lets through so many requests by itself: a two-hundredth of what is left, and one at least. While it has less than half of
//! what it took, it takes the next part beside the requests; so on the way no request waits.
//!
//! *Never more than the quota.* A request is let through only for one that was taken, and taking is one statement on one row, which
//! gives nobody what another was given. It holds for any number of replicas, also if they crash.
//!
//! *Hardly ever less.* What is taken and not used yet is missing elsewhere. A replica holds at most what it took last, and half of what it
//! took before: 0.5 % + 0.25 % = 0.75 % of the quota, so of two replicas neither refuses before 99.25 % is used, of three
//! before 98.5 %. The parts shrink with what is left (1 in 200 of it), so the last requests go one by one. And a
//! replica that was asked nothing for ten seconds, or stops, gives back what it holds. One that crashes takes 0.75 % at most with it, until
//! the window ends.
//!
//! *What it costs.* To use up a quota of n > 400 takes about 200 · ln(n / 400) + 400 updates: 1,500 for 100,000 requests. With fewer
//! than 400 left a part is a single request, which is asked for when it is needed, and so is exact on all replicas: quotas of 400 and less, and
//! the last 400 of every other, cost one update a request.
//!
//! # When it changes
//!
//! A changed quota drops what is cached of its user, as any change does, and what is held of the old one is given back. As long as
//! it stays one for a day (or for a month), what was used counts on; else it begins anew, as it does for who never had one: what was asked
//! before there was a quota does not count. A window ends by the replica's own clock; what is left of it here is worth nothing then. Where
//! another replica's clock is ahead, its window counts for all, so that none is opened twice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::anyhow;
use chrono::{DateTime, Datelike, Months, Utc};

use super::{date_of, day_of};
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::store::Db;
use crate::store::quotas::{self, Per, Quota};

/// For how long it is believed that nothing is left; another replica may give something back.
const REFUSED_FOR: i64 = 1_000_000;

/// The quotas of which this replica holds something.
#[derive(Default)]
pub struct Quotas {
    budgets: RwLock<HashMap<UserId, Arc<Budget>>>,
    /// Of quotas that were changed.
    retired: Mutex<Vec<Arc<Budget>>>,
}

/// What this replica may let through of a user's quota.
pub struct Budget {
    user: UserId,
    quota: Quota,
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
    taking: tokio::sync::Mutex<()>,
}

/// Where a user stands with a quota.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub quota: Quota,
    /// As far as this replica knows.
    pub remaining: i64,
    /// How long the window is,
    pub window: Duration,
    /// and how long until the next.
    pub resets_in: Duration,
}

/// What came of asking for one request.
pub enum Spent {
    Allowed(Standing),
    Refused(Standing),
    /// It has to be [asked](Budget::ask) for.
    Unknown(Arc<Budget>),
}

/// A window's first day and the requests that are held of it, in one word: 24 and 40 bits.
fn packed(window: i64, held: i64) -> u64 {
    let (window, held) = (window.clamp(0, (1 << 24) - 1) as u64, held.clamp(0, (1 << 40) - 1) as u64);
    window << 40 | held
}

fn unpacked(word: u64) -> (i64, i64) {
    ((word >> 40) as i64, (word & ((1 << 40) - 1)) as i64)
}

/// The first day of the day or month, and the first one after it.
fn window(per: Per, now: DateTime<Utc>) -> (i64, i64) {
    let today = day_of(now);
    match per {
        Per::Day => (today, today + 1),
        Per::Month => {
            let date = date_of(today);
            let first = today - i64::from(date.day0());
            let next = date_of(first).checked_add_months(Months::new(1));
            (first, next.map_or(first + 31, |next| first + (next - date_of(first)).num_days()))
        }
    }
}

impl Quotas {
    /// Spends one request of the user's quota, if that can be told from memory.
    pub fn spend(&self, db: &Db, user: UserId, quota: &Quota, now: DateTime<Utc>) -> Spent {
        let budget = self.budget(user, quota);
        budget.is_used.store(true, SeqCst);
        match budget.spend(now) {
            Some(left) => {
                let standing = budget.standing(left, now);
                budget.take_ahead_of(left, db, now);
                Spent::Allowed(standing)
            }
            None if budget.is_refused(now) => Spent::Refused(budget.standing(0, now)),
            None => Spent::Unknown(budget),
        }
    }

    fn budget(&self, user: UserId, quota: &Quota) -> Arc<Budget> {
        let is_present =
            |budget: &&Arc<Budget>| budget.quota == *quota || budget.quota.version > quota.version;
        let budgets = self.budgets.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = budgets.get(&user).filter(is_present) {
            return budget.clone();
        }
        drop(budgets);
        let mut budgets = self.budgets.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = budgets.get(&user).filter(is_present) {
            return budget.clone();
        }
        let new = Arc::new(Budget::new(user, *quota));
        if let Some(old) = budgets.insert(user, new.clone()) {
            self.retired.lock().unwrap_or_else(PoisonError::into_inner).push(old);
        }
        new
    }

    /// Forgets what is held of a quota that is gone.
    pub fn forget(&self, user: UserId) {
        self.budgets.write().unwrap_or_else(PoisonError::into_inner).remove(&user);
    }

    /// Gives back what is held of quotas that were changed, and of those that nobody asked for since this was done last; or of all.
    pub async fn give_back(&self, db: &Db, all: bool) -> Result<()> {
        let retired = std::mem::take(&mut *self.retired.lock().unwrap_or_else(PoisonError::into_inner));
        for budget in retired {
            budget.give_back(db).await?;
        }
        let budgets = self.budgets.read().unwrap_or_else(PoisonError::into_inner).clone();
        for (user, budget) in budgets {
            if budget.is_used.swap(false, SeqCst) && !all {
                continue;
            }
            budget.give_back(db).await?;
            let mut budgets = self.budgets.write().unwrap_or_else(PoisonError::into_inner);
            // Nobody else has it: `budgets` and this.
            if budgets
                .get(&user)
                .is_some_and(|kept| Arc::ptr_eq(kept, &budget) && Arc::strong_count(kept) == 2)
            {
                budgets.remove(&user);
            }
        }
        Ok(())
    }
}

impl Budget {
    fn new(user: UserId, quota: Quota) -> Budget {
        Budget {
            user,
            quota,
            held: AtomicU64::new(0),
            left_there: AtomicI64::new(0),
            part: AtomicI64::new(0),
            refused_until: AtomicI64::new(i64::MIN),
            is_used: AtomicBool::new(true),
            takes_ahead: AtomicBool::new(false),
            taking: tokio::sync::Mutex::default(),
        }
    }

    /// Spends one of what is held, and tells how much is left of that; `None` where nothing is held.
    fn spend(&self, now: DateTime<Utc>) -> Option<i64> {
        let (first, _) = window(self.quota.per, now);
        let spent = self.held.fetch_update(SeqCst, SeqCst, |word| {
            let (window, held) = unpacked(word);
            (window >= first && held > 0).then(|| packed(window, held - 1))
        });
        spent.ok().map(|before| unpacked(before).1 - 1)
    }

    fn is_refused(&self, now: DateTime<Utc>) -> bool {
        now.timestamp_micros() < self.refused_until.load(SeqCst)
    }

    fn standing(&self, held: i64, now: DateTime<Utc>) -> Standing {
        let (first, next) = window(self.quota.per, now);
        let days = |days: i64| Duration::from_secs(u64::try_from(days * 86_400).unwrap_or(0));
        let passed = u64::try_from(now.timestamp() - first * 86_400).unwrap_or(0);
        Standing {
            quota: self.quota,
            remaining: (held + self.left_there.load(SeqCst)).min(self.quota.requests),
            window: days(next - first),
            resets_in: days(next - first).saturating_sub(Duration::from_secs(passed)),
        }
    }

    /// Spends one request, of what is held by then, or of what the database has left. `None` in place of a standing: the quota has just been
    /// taken away, or is for another time. Goes on if whoever asked goes away.
    pub async fn ask(self: Arc<Budget>, db: &Db, now: DateTime<Utc>) -> Result<Option<(bool, Standing)>> {
        let db = db.clone();
        let asked = tokio::spawn(async move {
            let _turn = self.taking.lock().await;
            if let Some(left) = self.spend(now) {
                return Ok(Some((true, self.standing(left, now))));
            }
            if self.is_refused(now) {
                return Ok(Some((false, self.standing(0, now))));
            }
            if let Some(held) = self.take(&db, 1, now).await? {
                return Ok(Some((true, self.standing(held, now))));
            }
            let present = quotas::by_user(&db, self.user).await?;
            if present.is_none_or(|present| present.per != self.quota.per) {
                return Ok(None);
            }
            self.left_there.store(0, SeqCst);
            self.refused_until.store(now.timestamp_micros() + REFUSED_FOR, SeqCst);
            Ok(Some((false, self.standing(0, now))))
        });
        asked.await.unwrap_or_else(|_| Err(Error::Internal(anyhow!("taking of a quota was given up"))))
    }

    /// Takes a part of what is left, `spent` of which is spent already, and tells how much is held then.
    async fn take(&self, db: &Db, spent: i64, now: DateTime<Utc>) -> Result<Option<i64>> {
        let (first, _) = window(self.quota.per, now);
        let Some(taken) = quotas::take(db, self.user, self.quota.per, first).await? else { return Ok(None) };
        self.left_there.store(taken.left, SeqCst);
        self.part.store(taken.granted, SeqCst);
        Ok(Some(self.hold(taken.window_start, taken.granted - spent)))
    }

    /// Adds to what is held; what was held of an earlier window is worth nothing any more.
    fn hold(&self, of: i64, more: i64) -> i64 {
        let added = |word| {
            let (window, held) = unpacked(word);
            if window < of { (of, more) } else { (window, if window == of { held + more } else { held }) }
        };
        let before = self.held.fetch_update(SeqCst, SeqCst, |word| {
            let (window, held) = added(word);
            Some(packed(window, held))
        });
        added(before.unwrap_or_default()).1
    }

    /// Takes the next part beside the requests, where this one is half spent and was more than a single request.
    fn take_ahead_of(self: Arc<Budget>, held: i64, db: &Db, now: DateTime<Utc>) {
        let part = self.part.load(SeqCst);
        if held > part / 2 || part < 2 || self.takes_ahead.swap(true, SeqCst) {
            return;
        }
        let db = db.clone();
        tokio::spawn(async move {
            let turn = self.taking.lock().await;
            // Its failure is told to who needs more than is held.
            let _ = self.take(&db, 0, now).await;
            drop(turn);
            self.takes_ahead.store(false, SeqCst);
        });
    }

    async fn give_back(&self, db: &Db) -> Result<()> {
        let _turn = self.taking.lock().await;
        let (of, held) = unpacked(self.held.fetch_and(packed(i64::MAX, 0), SeqCst));
        if held > 0 {
            let given = quotas::set_given_back(db, self.user, self.quota.per, of, held).await;
            if given.is_err() {
                self.hold(of, held);
            }
            given?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_day_or_a_month_of_the_calendar() {
        for (at, per, days) in [
            ("2026-11-22T23:59:59.999999Z", Per::Day, ("2026-11-22", "2026-11-23")),
            ("2026-11-23T00:00:00Z", Per::Day, ("2026-11-23", "2026-11-24")),
            ("2026-11-01T00:00:00Z", Per::Month, ("2026-11-01", "2026-12-01")),
            ("2026-12-31T23:59:59Z", Per::Month, ("2026-12-01", "2027-01-01")),
            ("2028-02-29T12:00:00Z", Per::Month, ("2028-02-01", "2028-03-01")),
        ] {
            let (first, next) = window(per, at.parse().unwrap());
            assert_eq!(
                (date_of(first).to_string(), date_of(next).to_string()),
                (days.0.into(), days.1.into())
            );
        }
    }

    #[test]
    fn what_is_held_is_of_one_window() {
        let quota = Quota { requests: 1000, per: Per::Day, version: 1 };
        let budget = Budget::new(UserId::from([1; 16]), quota);
        let at = |day: i64| DateTime::from_timestamp(day * 86_400, 0).unwrap();
        assert_eq!(budget.spend(at(100)), None);
        assert_eq!((budget.hold(100, 3), budget.hold(100, 2)), (3, 5));
        assert_eq!(
            (budget.spend(at(100)), budget.spend(at(101)), budget.spend(at(100))),
            (Some(4), None, Some(3))
        );
        // Of another replica, whose clock is ahead.
        assert_eq!((budget.hold(101, 2), budget.hold(100, 7)), (2, 2));
        assert_eq!(
            (budget.spend(at(100)), budget.spend(at(101)), budget.spend(at(101))),
            (Some(1), Some(0), None)
        );
        assert_eq!(unpacked(packed(20_000, 1 << 39)), (20_000, 1 << 39));
    }
}
