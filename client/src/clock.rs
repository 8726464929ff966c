//! The one place that asks for the time.

use std::time::{Duration, Instant, SystemTime};

/// A moment on both of the system's clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    monotonic: Instant,
    /// Since the epoch.
    unix: Duration,
}

impl Moment {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the system")]
    pub fn now() -> Moment {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        // A clock that is set before 1970 makes every token one from the future.
        Moment { monotonic: Instant::now(), unix: unix.unwrap_or_default() }
    }

    /// Whole seconds since the epoch, as tokens count.
    pub fn unix_seconds(&self) -> i64 {
        i64::try_from(self.unix.as_secs()).unwrap_or(i64::MAX)
    }

    /// How long ago `earlier` was: the greater of what both clocks say. The monotonic one can't be set back, but
    /// stands still while the machine is suspended; the other one goes on.
    pub fn since(&self, earlier: Moment) -> Duration {
        let monotonic = self.monotonic.saturating_duration_since(earlier.monotonic);
        monotonic.max(self.unix.saturating_sub(earlier.unix))
    }

    /// How long ago `earlier` was at least, where too early is worse than too late.
    pub fn surely_since(&self, earlier: Moment) -> Duration {
        self.monotonic.saturating_duration_since(earlier.monotonic)
    }
}

#[cfg(test)]
impl Moment {
    /// This moment and `monotonic` and `unix` later on the two clocks.
    pub fn later(self, monotonic: Duration, unix: Duration) -> Moment {
        Moment { monotonic: self.monotonic + monotonic, unix: self.unix + unix }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_that_went_further_counts() {
        let (start, second) = (Moment::now(), Duration::from_secs(1));
        assert_eq!(start.later(second, Duration::ZERO).since(start), second);
        assert_eq!(start.later(Duration::ZERO, 7 * second).since(start), 7 * second);
        assert_eq!(start.later(second, 7 * second).surely_since(start), second);
        assert_eq!(start.since(start.later(second, second)), Duration::ZERO);
    }
}
