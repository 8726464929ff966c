//! Whether the database is there, told once when it goes away and once when it is back.
//!
//! The feed of changes finds out: it reads four times a second, on a line of its own, so that connections which are all busy are not
//! taken for a database that is away. What fails meanwhile for the same reason is a detail, but for requests, of which each leaves its
//! line.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::error::Error;

/// What is known of it. Clones share that.
#[derive(Clone, Debug, Default)]
pub struct Outage(Arc<Mutex<Absence>>);

/// The last one, if there was any.
#[derive(Debug, Default)]
struct Absence {
    /// While it lasts.
    since: Option<Instant>,
    ended: Option<Instant>,
}

impl Outage {
    /// Notes what became of a read of the feed.
    pub(super) fn note<T>(&self, read: &Result<T, Error>) {
        let mut absence = self.absence();
        match read {
            Ok(_) => {
                if let Some(since) = absence.since.take() {
                    absence.ended = Some(Instant::now());
                    tracing::info!("the database answers again, after {:.1?}", since.elapsed());
                }
            }
            Err(error) if absence.since.is_none() => {
                absence.since = Some(Instant::now());
                match error {
                    Error::Unavailable(cause) => tracing::warn!("the database does not answer: {cause:#}"),
                    error => tracing::warn!(
                        "changes can't be read, and every request asks the database: {}",
                        cause(error)
                    ),
                }
            }
            Err(_) => {}
        }
    }

    /// Logs that something failed, begun at `began`, for which no request waits.
    pub fn tell(&self, what: &str, began: Instant, error: &Error) {
        let cause = cause(error);
        if matches!(error, Error::Unavailable(_)) && self.was_away_since(began) {
            tracing::debug!("{what}: {cause}");
        } else {
            tracing::warn!("{what}: {cause}");
        }
    }

    fn was_away_since(&self, began: Instant) -> bool {
        let absence = self.absence();
        absence.since.is_some() || absence.ended.is_some_and(|ended| ended >= began)
    }

    fn absence(&self) -> MutexGuard<'_, Absence> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a client is not told.
fn cause(error: &Error) -> String {
    match error {
        Error::Internal(cause) | Error::Unavailable(cause) => format!("{cause:#}"),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn what_was_begun_before_it_was_back_failed_for_that() {
        let (outage, before) = (Outage::default(), Instant::now());
        assert!(!outage.was_away_since(before));
        outage.note::<()>(&Err(Error::Unavailable(anyhow!("gone"))));
        assert!(outage.was_away_since(Instant::now()));
        outage.note(&Ok(()));
        assert!(outage.was_away_since(before));
        assert!(!outage.was_away_since(Instant::now()));
    }
}
