//! The one source of time.
//!
//! Everything that is stored, signed or compared takes its time from here, in whole microseconds: Postgres keeps
//! no finer ones, and a time that changes by being stored compares unequal to itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};

/// Tells the time: the system's, or one that a test sets and advances. Clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    /// Microseconds since the epoch.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock.
    pub fn system() -> Clock {
        Clock(Source::System)
    }

    /// A clock that stands at `start` until it is [advanced](Clock::advance).
    pub fn manual(start: DateTime<Utc>) -> Clock {
        Clock(Source::Manual(Arc::new(AtomicI64::new(start.timestamp_micros()))))
    }

    /// The present moment in UTC, in whole microseconds.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
            Source::System => Utc::now().trunc_subsecs(6),
            Source::Manual(micros) => {
                DateTime::from_timestamp_micros(micros.load(SeqCst)).unwrap_or_default()
            }
        }
    }

    /// Moves a manual clock forward; the system's clock can't be moved and stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(micros) = &self.0 {
            micros.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), SeqCst);
        }
    }
}
