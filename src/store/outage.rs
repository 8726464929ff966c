//! Whether the database is there, told once when it goes away and once when it is back.
//!
//! The feed of changes finds out, as a rule: it reads four times a second, on a line of its own, so that connections which are all busy
//! are not taken for a database that is away. What fails meanwhile for the same reason is a detail, but for requests, of which each leaves its
//! line.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::failure::Failure;
use crate::error::Error;

/// What is known of it. Clones share that.
#[derive(Clone, Debug, Default)]
pub struct Outage(Arc<Mutex<Absence>>);

/// The last one, if there was any.
#[derive(Debug, Default)]
struct Absence {
    /// While it lasts.
    since: Option<Instant>,
    /// When the feed was read last.
    read: Option<Instant>,
    ended: Option<Instant>,
}

impl Outage {
    /// Notes what became of a read of the feed.
    pub(super) fn note<T>(&self, read: &Result<T, Error>) {
        let mut absence = self.absence();
        match read {
            Ok(_) => {
                let now = Instant::now();
                absence.read = Some(now);
                if let Some(since) = absence.since.take() {
                    absence.ended = Some(now);
                    tracing::info!("the database answers again, after {:.1?}", now - since);
                }
            }
            Err(Error::Unavailable(cause)) => {
                absence.begin(|| format!("the database does not answer: {cause:#}"))
            }
            Err(error) => absence.begin(|| {
                format!("changes can't be read, and every request asks the database: {}", cause(error))
            }),
        }
    }

    /// Logs that something failed, begun at `began`, for which no request waits.
    pub fn tell(&self, what: &str, began: Instant, error: &Error) {
        let cause = cause(error);
        let answered = match error {
            Error::Unavailable(cause) => cause.downcast_ref().is_some_and(Failure::is_answer),
            _ => true,
        };
        if !answered && self.was_away_since(began, &cause) {
            tracing::debug!("{what}: {cause}");
        } else {
            tracing::warn!("{what}: {cause}");
        }
    }

    fn was_away_since(&self, began: Instant, cause: &str) -> bool {
        let mut absence = self.absence();
        // The feed waits longer where it connects just then.
        if absence.read.is_none_or(|read| read < began) {
            absence.begin(|| format!("the database does not answer: {cause}"));
        }
        absence.since.is_some() || absence.ended.is_some_and(|ended| ended >= began)
    }

    fn absence(&self) -> MutexGuard<'_, Absence> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Absence {
    fn begin(&mut self, told: impl FnOnce() -> String) {
        if self.since.is_none() {
            self.since = Some(Instant::now());
            tracing::warn!("{}", told());
        }
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
    use std::borrow::Cow;
    use std::time::Duration;

    use anyhow::anyhow;
    use sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    #[test]
    fn what_was_begun_before_it_was_back_failed_for_that() {
        let outage = Outage::default();
        let was_away_since = |began| outage.was_away_since(began, "gone");
        outage.note(&Ok(()));
        let before = outage.absence().read.unwrap();
        // All connections were busy, say.
        assert!(!was_away_since(before));
        outage.note::<()>(&Err(Error::Unavailable(anyhow!("gone"))));
        assert!(was_away_since(before));
        outage.note(&Ok(()));
        assert!(was_away_since(before));
        let back = outage.absence().read.unwrap();
        outage.note(&Ok(()));
        assert!(!was_away_since(back + Duration::from_nanos(1)));
    }

    #[test]
    fn a_database_that_refuses_is_there() {
        let outage = Outage::default();
        outage.note(&Ok(()));
        let later = Instant::now() + Duration::from_secs(1);
        let full = sqlx::Error::Database(Box::new(Full));
        let full = Error::from(full);
        outage.tell("the usage could not be written", later, &full);
        assert!(matches!(full, Error::Unavailable(_)) && outage.absence().since.is_none());
        outage.tell("the usage could not be written", later, &Error::from(sqlx::Error::PoolTimedOut));
        assert!(outage.absence().since.is_some());
    }

    /// As SQLite says that the disk is full.
    #[derive(Debug, thiserror::Error)]
    #[error("database or disk is full")]
    struct Full;

    impl DatabaseError for Full {
        fn message(&self) -> &str {
            "database or disk is full"
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some("13".into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    #[test]
    fn whoever_notices_first_tells() {
        let outage = Outage::default();
        outage.note(&Ok(()));
        assert!(outage.was_away_since(Instant::now() + Duration::from_secs(1), "gone"));
        assert!(outage.absence().since.is_some());
    }
}
