//! Counting: what rooms note of what they do, for the metrics to tell. Atomics alone: no lock, no allocation.
//!
//! What is noted at every request ([`Hot`]) is noted only where somebody may read it (`METRICS_BIND`). The rest is an
//! increment beside a statement or a hash, and always noted.

mod histogram;
mod requests;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub use histogram::{BOUNDS, Histogram};
pub use requests::{METHODS, ROUTES, Requests, STATUSES};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add_one(&self) {
        self.add(1);
    }

    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Relaxed);
    }

    pub fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// How often each of a few outcomes was.
#[derive(Debug)]
pub struct Outcomes {
    /// The last one stands for all that are not named.
    names: &'static [&'static str],
    counts: Box<[Counter]>,
}

impl Outcomes {
    pub fn of(names: &'static [&'static str]) -> Outcomes {
        Outcomes { names, counts: names.iter().map(|_| Counter::default()).collect() }
    }

    pub fn note(&self, outcome: &str) {
        let named = self.names.iter().position(|name| *name == outcome);
        if let Some(count) = self.counts.get(named.unwrap_or(self.names.len() - 1)) {
            count.add_one();
        }
    }

    pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.names.iter().zip(&self.counts).map(|(name, count)| (*name, count.count()))
    }
}

/// What came of it, where that went well; what failed has its [code](crate::error::Error::code).
pub const SUCCEEDED: &str = "succeeded";

/// What is counted of what no room keeps by itself.
#[derive(Debug)]
pub struct Counts {
    pub hot: Option<Hot>,
    pub logins: Outcomes,
    pub refreshes: Outcomes,
    pub registrations: Outcomes,
    /// Requests beyond their user's quota.
    pub quota_refusals: Counter,
}

/// What is counted at every request.
#[derive(Debug)]
pub struct Hot {
    pub requests: Requests,
    /// Tokens and keys that were answered from memory,
    pub hits: Counter,
    /// and those for which the database was asked.
    pub misses: Counter,
}

/// A replaced refresh token that came again, and ended its session.
pub const REUSED: &str = "reused";

impl Counts {
    /// What is hot is counted only if it is wanted.
    pub fn new(hot: bool) -> Counts {
        let hot = hot.then(|| Hot {
            requests: Requests::default(),
            hits: Counter::default(),
            misses: Counter::default(),
        });
        Counts {
            hot,
            logins: Outcomes::of(&[
                SUCCEEDED,
                "invalid_credentials",
                "account_disabled",
                "email_not_verified",
                "rate_limited",
                "overloaded",
                "unavailable",
                "other",
            ]),
            refreshes: Outcomes::of(&[SUCCEEDED, "invalid_refresh_token", REUSED, "unavailable", "other"]),
            registrations: Outcomes::of(&[
                SUCCEEDED,
                "username_taken",
                "email_taken",
                "validation_failed",
                "registration_closed",
                "overloaded",
                "unavailable",
                "other",
            ]),
            quota_refusals: Counter::default(),
        }
    }

    /// Counts whether a token was answered from memory.
    pub fn looked_up(&self, found: bool) {
        if let Some(Hot { hits, misses, .. }) = &self.hot {
            if found { hits } else { misses }.add_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_that_is_not_named_is_the_last() {
        let outcomes = Outcomes::of(&[SUCCEEDED, "overloaded", "other"]);
        ["overloaded", SUCCEEDED, "internal", SUCCEEDED, ""].iter().for_each(|name| outcomes.note(name));
        assert_eq!(outcomes.each().collect::<Vec<_>>(), [(SUCCEEDED, 2), ("overloaded", 1), ("other", 2)]);
    }
}
