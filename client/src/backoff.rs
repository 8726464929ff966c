//! How long to wait before a failed call is made again.

use std::time::Duration;

use crate::api::CallError;

const FIRST: Duration = Duration::from_millis(100);

/// A service that comes back is noticed within that.
const LONGEST: Duration = Duration::from_secs(2);

/// What only a person can change (a password, a role) is not asked for more often than this.
const REFUSED: Duration = Duration::from_secs(10);

/// However long Portcullis wants to be left alone after too many requests.
const LONGEST_ASKED: Duration = Duration::from_secs(60);

pub(crate) struct Backoff(Duration);

impl Backoff {
    pub fn new() -> Backoff {
        Backoff(FIRST)
    }

    pub fn reset(&mut self) {
        self.0 = FIRST;
    }

    /// The pause after this failure: longer each time, and what Portcullis asked for, within reason.
    pub fn after(&mut self, error: &CallError) -> Duration {
        let own = self.0;
        self.0 = (self.0 * 2).min(LONGEST);
        match error {
            // Our token has ended; the next call gets another one.
            CallError::Refused { status: 401, code, .. }
                if code.as_deref() != Some("invalid_credentials") =>
            {
                own
            }
            CallError::Refused { status: 429, retry_after: Some(asked), .. } => {
                own.max((*asked).min(LONGEST_ASKED))
            }
            CallError::Refused { status: 400..500, .. } => REFUSED,
            // Also where Portcullis would rather be asked later: until it is heard, all tokens are refused here.
            _ => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, code: &str, retry_after: Option<u64>) -> CallError {
        let retry_after = retry_after.map(Duration::from_secs);
        CallError::Refused { status, code: Some(code.to_owned()), retry_after }
    }

    #[test]
    fn the_pause_fits_the_failure() {
        let seconds = Duration::from_secs;
        let after = |error: CallError| Backoff::new().after(&error);
        assert_eq!(after(refused(401, "revoked_token", None)), FIRST);
        assert_eq!(after(refused(401, "invalid_credentials", None)), REFUSED);
        assert_eq!(after(refused(403, "forbidden", None)), REFUSED);
        assert_eq!(after(refused(429, "rate_limited", None)), REFUSED);
        assert_eq!(after(refused(503, "unavailable", Some(30))), FIRST);
        assert_eq!(after(refused(429, "rate_limited", Some(30))), seconds(30));
        assert_eq!(after(refused(429, "rate_limited", Some(86_400))), LONGEST_ASKED);
        let mut backoff = Backoff::new();
        let pauses: Vec<_> = (0..7).map(|_| backoff.after(&refused(500, "internal", None))).collect();
        assert!(pauses.is_sorted() && pauses[0] == FIRST && pauses[6] == LONGEST);
    }
}
