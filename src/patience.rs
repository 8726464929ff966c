//! How long a request waits: for all its statements together, and for what it does before and between them: its turn in a
//! queue, the hash of a password, the answer of another service.
//!
//! A database that answers nothing costs a request no more than [`DEADLINE`] and one more `LEAST`, in whichever of its
//! statements it is when that begins, and whatever it still tries then. A hash that alone takes longer than that is not cut short,
//! and leaves each statement that follows it `LEAST`.

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

/// Does `work` for the request that is being answered here, on a task of its own: it has what is left of that request's time. What the
/// request waits for it is for the request to [`spend`].
pub fn along<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let waited = WAITED.try_with(Cell::get);
    async move {
        match waited {
            Ok(waited) => WAITED.scope(Cell::new(waited), work).await,
            Err(_) => work.await,
        }
    }
}

/// Does what the request can do without: each statement of it has `LEAST`.
pub async fn briefly<T>(work: impl Future<Output = T>) -> T {
    spend(WAITED.scope(Cell::new(DEADLINE), work)).await
}

/// Waits, for as long as it takes; the statements that follow have less time.
pub async fn spend<T>(work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let done = work.await;
    let _ = WAITED.try_with(|waited| waited.set(waited.get() + began.elapsed()));
    done
}

/// How long the next statement may take.
pub fn left() -> Duration {
    WAITED.try_with(|waited| DEADLINE.saturating_sub(waited.get()).max(LEAST)).unwrap_or(DEADLINE)
}

/// Waits for a statement, or for a turn to make one, for as long as it may take.
pub async fn within<T>(work: impl Future<Output = T>) -> Result<T, Elapsed> {
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

    #[tokio::test]
    async fn what_is_done_for_a_request_on_another_task_has_what_is_left_of_its_time() {
        patiently(async {
            WAITED.with(|waited| waited.set(Duration::from_secs(1)));
            let beside = tokio::spawn(async { left() }).await.unwrap();
            let along = tokio::spawn(along(async { left() })).await.unwrap();
            assert_eq!((beside, along), (DEADLINE, DEADLINE - Duration::from_secs(1)));
        })
        .await;
        assert_eq!(tokio::spawn(along(async { left() })).await.unwrap(), DEADLINE);
    }

    #[tokio::test]
    async fn what_a_request_can_do_without_takes_the_least_of_its_time() {
        let never = || async { briefly(within(std::future::pending::<()>())).await.unwrap_err() };
        patiently(async {
            never().await;
            assert!((LEAST..DEADLINE).contains(&left()) && left() <= DEADLINE - LEAST);
        })
        .await;
        assert_eq!(briefly(async { left() }).await, LEAST);
    }
}
