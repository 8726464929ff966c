//! Usage: who asked how often for which service, and how often they may (`quota.rs`).
//!
//! Each request that is let through counts one, for its user, the API key that it came with, the service that it is for, and the day
//! (UTC): a request to a protected route of this service, for `portcullis`; a question at `/forward-auth`, for the host that the proxy
//! names. One that is refused, for want of a token, a role or a quota, does not count.
//!
//! # What it costs
//!
//! A count is one addition in a table of the thread's own, under a lock that only the flusher ever wants beside it; no SQL, and nothing
//! is allocated but for the first request of its kind since the last flush.
//!
//! # What can be lost
//!
//! Every ten seconds, and when the service stops, what was counted is [added](Usage::flush) to the database, a few hundred rows
//! a statement. A crash loses what was counted since: ten seconds at most. While the database is away the counts are kept,
//! as long as they are of 200,000 kinds at most, and added when it is back; what comes on top of those is dropped, and logged. If the line
//! breaks while the answer to a batch is on its way, nobody knows whether it was added, and it is added again: a count may then be too high,
//! by that batch. Replicas add up, since each adds what it counted. What was counted for a user who was deleted meanwhile is dropped.
//!
//! A host name comes from a header. A proxy is trusted with it, but one that passes on what clients send must not fill the database: of
//! one user and day, a replica takes 100 of them, and counts the others as [`UNKNOWN`].

mod budget;
mod count;
mod quota;
mod report;
mod window;

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};

use crate::error::Result;
use crate::id::{ApiKeyId, UserId};
use crate::store::usage::Count;
use crate::store::{Db, usage};
pub use budget::{Budget, Standing};
use count::{Counters, Kind};
pub use quota::{Quotas, Spent};
pub use report::{Report, report};

/// What is counted here and not yet in the database.
#[derive(Default)]
pub struct Usage {
    counters: Counters,
    pub quotas: Quotas,
    /// Taken from the counters, and being written. Held by whoever writes, so that one who has to see it done waits.
    pending: tokio::sync::Mutex<HashMap<Kind, u64>>,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service<'a> {
    /// This one.
    Own,
    /// The one of this host name.
    Host(&'a str),
}

/// What this service is called.
pub const OWN: &str = "portcullis";

/// A service that the proxy does not name, or names absurdly.
pub const UNKNOWN: &str = "unknown";

/// How far back one looks who does not say.
pub const DAYS_BY_DEFAULT: i64 = 30;

/// Rows that are written by one statement: few enough that no one waits for it.
const BATCH: usize = 500;

impl Usage {
    /// Counts a request.
    pub fn count(&self, user: UserId, key: Option<ApiKeyId>, service: Service<'_>, now: DateTime<Utc>) {
        self.counters.count(user, key.unwrap_or(ApiKeyId::NIL), service, day_of(now));
    }

    /// Adds what was counted since this was done last to the database. What could not be added is kept for the next time, also if
    /// this is given up in the middle.
    pub async fn flush(&self, db: &Db) -> Result<()> {
        let mut pending = self.pending.lock().await;
        self.counters.take(&mut pending);
        let mut kinds: Vec<Kind> = pending.keys().cloned().collect();
        kinds.sort();
        for batch in kinds.chunks(BATCH) {
            let count = |kind: &Kind| i64::try_from(pending[kind]).unwrap_or(i64::MAX);
            let counts =
                batch.iter().map(|kind| (kind.user, kind.key, &*kind.service, kind.day, count(kind)));
            let counts: Vec<Count> = counts.collect();
            usage::insert_counts(db, &counts).await?;
            for kind in batch {
                pending.remove(kind);
            }
        }
        Ok(())
    }
}

/// The day on which a moment is, in days since the epoch.
pub fn day_of(moment: DateTime<Utc>) -> i64 {
    moment.timestamp().div_euclid(86_400)
}

/// The date of a day.
pub fn date_of(day: i64) -> NaiveDate {
    DateTime::from_timestamp(day.saturating_mul(86_400), 0).unwrap_or_default().date_naive()
}
