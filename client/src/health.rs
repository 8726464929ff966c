//! Whether what runs in the background works, for the log and for people who ask.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// One thing that is tried again and again.
pub(crate) struct Health {
    what: &'static str,
    problem: Mutex<Option<String>>,
}

impl Health {
    pub fn new(what: &'static str) -> Health {
        Health { what, problem: Mutex::new(None) }
    }

    /// Notes a failure, and logs it where it is not the same as the last one.
    pub fn failed(&self, why: String) {
        let mut problem = self.problem();
        if problem.as_ref() != Some(&why) {
            tracing::warn!("{}: {why}", self.what);
            *problem = Some(why);
        }
    }

    /// Notes a success, and logs it where it ends a failure.
    pub fn worked(&self) {
        if self.problem().take().is_some() {
            tracing::info!("{}: works again", self.what);
        }
    }

    /// What is wrong at the moment.
    pub fn told(&self) -> Option<String> {
        self.problem().as_ref().map(|problem| format!("{}: {problem}", self.what))
    }

    fn problem(&self) -> MutexGuard<'_, Option<String>> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
