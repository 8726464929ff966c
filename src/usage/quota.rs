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
//! replica that was asked nothing for ten to twenty seconds, or stops, gives back what it holds. One that crashes takes 0.75 % at most with it, until
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
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use foldhash::fast::RandomState;

use super::budget::{Budget, Standing};
use crate::error::Result;
use crate::id::UserId;
use crate::store::Db;
use crate::store::quotas::Quota;

/// The quotas of which this replica holds something.
#[derive(Default)]
pub struct Quotas {
    budgets: RwLock<HashMap<UserId, Arc<Budget>, RandomState>>,
    /// Of quotas that were changed.
    retired: Mutex<Vec<Arc<Budget>>>,
}

/// What came of asking for one request.
pub enum Spent {
    Allowed,
    Refused(Standing),
    /// It has to be asked for.
    Unknown(Arc<Budget>),
}

impl Quotas {
    /// Spends one request of the user's quota, if that can be told from memory.
    pub fn spend(&self, db: &Db, user: UserId, quota: &Quota, now: DateTime<Utc>) -> Spent {
        let budgets = self.budgets.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = budgets.get(&user).filter(|budget| budget.is_of(quota)) {
            return spend(budget, db, now);
        }
        drop(budgets);
        spend(&self.made(user, quota), db, now)
    }

    /// Where the user stands with the quota, but for what other replicas hold; `None` where the quota is gone.
    pub async fn standing(
        &self,
        db: &Db,
        user: UserId,
        quota: &Quota,
        now: DateTime<Utc>,
    ) -> Result<Option<Standing>> {
        let budget = {
            let budgets = self.budgets.read().unwrap_or_else(PoisonError::into_inner);
            budgets.get(&user).filter(|budget| budget.is_of(quota)).cloned()
        };
        match budget {
            Some(budget) => budget.present_standing(db, now).await,
            None => Ok(None),
        }
    }

    fn made(&self, user: UserId, quota: &Quota) -> Arc<Budget> {
        let mut budgets = self.budgets.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = budgets.get(&user).filter(|budget| budget.is_of(quota)) {
            return budget.clone();
        }
        let old = budgets.remove(&user);
        let new = Arc::new(Budget::new(user, *quota, old.clone()));
        budgets.insert(user, new.clone());
        old.into_iter().for_each(|old| self.retire(old));
        new
    }

    fn retire(&self, budget: Arc<Budget>) {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner).push(budget);
    }

    fn next_retired(&self) -> Option<Arc<Budget>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Forgets what is held of a quota that is gone.
    pub fn forget(&self, user: UserId) {
        self.budgets.write().unwrap_or_else(PoisonError::into_inner).remove(&user);
    }

    /// Gives back what is held of quotas that were changed, and of those that nobody asked for since this was done last; or of all.
    pub async fn give_back(&self, db: &Db, all: bool) -> Result<()> {
        while let Some(budget) = self.next_retired() {
            if let Err(error) = budget.give_back(db).await {
                self.retire(budget);
                return Err(error);
            }
        }
        let budgets = self.budgets.read().unwrap_or_else(PoisonError::into_inner).clone();
        for (user, budget) in budgets {
            if budget.was_used() && !all {
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

fn spend(budget: &Arc<Budget>, db: &Db, now: DateTime<Utc>) -> Spent {
    let window = budget.window(now);
    match budget.spend(window) {
        Some(left) => {
            budget.take_ahead_of(left, db, window);
            Spent::Allowed
        }
        None if budget.is_refused(now) => Spent::Refused(budget.standing(0, window, now)),
        None => Spent::Unknown(budget.clone()),
    }
}
