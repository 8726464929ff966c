//! How long a request waits for the database: all its statements together, and what it does before them in a queue.
//!
//! A database that answers nothing costs a request no more than [`DEADLINE`] and one more [`LEAST`], in whichever of its
//! statements it is when that begins, and whatever it still tries then.

use std::cell::Cell;
use std::time::{Duration, Instant};

use tokio::time::error::Elapsed;

/// What a statement may take at most, waiting for a connection included.
pub const DEADLINE: Duration = Duration::from_millis(3700);

/// What a statement may take however long its request has waited: over a slow line a login takes many, none of them long.
const LEAST: Duration = Duration::from_millis(800);

tokio::task_local! {
    static WAITED: Cell<Duration>;
}

/// Answers a request, all of whose waiting is counted together. What is done beside requests has its full time for each
/// statement.
pub async fn patiently<T>(request: impl Future<Output = T>) -> T {
    WAITED.scope(Cell::new(Duration::ZERO), request).await
}

/// Waits, for as long as it takes; the statements that follow have less time.
pub async fn spend<T>(work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let done = work.await;
    let _ = WAITED.try_with(|waited| waited.set(waited.get() + began.elapsed()));
    done
}

/// How long the next statement may take.
pub(super) fn left() -> Duration {
    WAITED.try_with(|waited| DEADLINE.saturating_sub(waited.get()).max(LEAST)).unwrap_or(DEADLINE)
}

/// Waits for a statement, for as long as it may take.
pub(super) async fn within<T>(work: impl Future<Output = T>) -> Result<T, Elapsed> {
    spend(tokio::time::timeout(left(), work)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_waiting_of_a_request_counts_and_nobody_elses() {
        assert_eq!(left(), DEADLINE);
        patiently(async {
            spend(tokio::time::sleep(Duration::from_millis(20))).await;
            assert!(left() <= DEADLINE - Duration::from_millis(20));
            assert!(within(std::future::ready(())).await.is_ok());
            WAITED.with(|waited| waited.set(Duration::from_secs(60)));
            assert_eq!(left(), LEAST);
        })
        .await;
        assert_eq!(left(), DEADLINE);
    }
}
