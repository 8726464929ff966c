//! SQLite's connections, on which what takes too long is ended.
//!
//! A statement of sqlx that nobody waits for any more is not over: SQLite goes on with it, on a thread of its own, and
//! keeps the connection. So each connection knows when its statement must end, and SQLite asks that every
//! [`STEPS`] steps. A pool does not say which of its connections it gives: here it has one.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Sqlite, SqlitePool};
use tokio::sync::{Semaphore, SemaphorePermit};

/// After how many steps of its machine SQLite asks whether to go on: a fraction of a millisecond, as a rule. `begin`,
/// `commit` and `rollback` take fewer, and are never ended.
const STEPS: i32 = 10_000;

/// When the statement that runs on a connection must have ended.
#[derive(Clone, Debug)]
pub struct End(Arc<Moment>);

#[derive(Debug)]
struct Moment {
    since: Instant,
    micros: AtomicU64,
}

impl End {
    fn none_yet() -> End {
        End(Arc::new(Moment { since: Instant::now(), micros: AtomicU64::new(u64::MAX) }))
    }

    pub fn set(&self, at: Instant) {
        let micros = at.saturating_duration_since(self.0.since).as_micros();
        self.0.micros.store(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn is_ahead(&self) -> bool {
        self.0.since.elapsed().as_micros() < u128::from(self.0.micros.load(Ordering::Relaxed))
    }
}

/// One connection, made when it is needed. Clones share it, and queue for it in order.
#[derive(Clone, Debug)]
pub struct Lane {
    pub pool: SqlitePool,
    pub end: End,
}

impl Lane {
    pub fn new(pool: SqlitePoolOptions, file: SqliteConnectOptions) -> Lane {
        let end = End::none_yet();
        let asked = end.clone();
        let pool = pool.max_connections(1).after_connect(move |connection, _| {
            let asked = asked.clone();
            Box::pin(async move {
                connection.lock_handle().await?.set_progress_handler(STEPS, move || asked.is_ahead());
                Ok(())
            })
        });
        Lane { pool: pool.connect_lazy_with(file), end }
    }

    /// The connection, for a statement that ends by then.
    pub async fn until(&self, end: Instant) -> sqlx::Result<PoolConnection<Sqlite>> {
        let connection = self.pool.acquire().await?;
        // Not before: another's statement was running.
        self.end.set(end);
        Ok(connection)
    }

    /// Whether nothing runs on it, nor is about to end.
    fn is_idle(&self) -> bool {
        self.pool.size() == 0 || self.pool.num_idle() > 0
    }
}

/// Several connections, for whichever of them is free.
#[derive(Clone, Debug)]
pub struct Lanes(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    all: Vec<Lane>,
    free: Mutex<VecDeque<Lane>>,
    /// As many as are free.
    turns: Semaphore,
}

/// One of [`Lanes`], free again when this is dropped.
pub struct Taken<'a> {
    pub lane: Lane,
    shared: &'a Shared,
    /// Given back after the lane.
    _turn: SemaphorePermit<'a>,
}

impl Lanes {
    pub fn new(all: Vec<Lane>) -> Lanes {
        let free = Mutex::new(all.iter().cloned().collect());
        Lanes(Arc::new(Shared { free, turns: Semaphore::new(all.len()), all }))
    }

    /// Takes one, in order of those who wait.
    pub async fn take(&self) -> sqlx::Result<Taken<'_>> {
        let shared = &*self.0;
        let turn = shared.turns.acquire().await.map_err(|_| sqlx::Error::PoolClosed)?;
        let mut free = shared.free();
        // One whose statement was given up may need a moment yet.
        let idle = free.iter().position(Lane::is_idle).unwrap_or(0);
        let lane = free.remove(idle).ok_or(sqlx::Error::PoolClosed)?;
        Ok(Taken { lane, shared, _turn: turn })
    }

    /// All of them, free or not.
    pub fn all(&self) -> &[Lane] {
        &self.0.all
    }

    pub async fn close(&self) {
        for lane in &self.0.all {
            lane.pool.close().await;
        }
    }
}

impl Shared {
    fn free(&self) -> MutexGuard<'_, VecDeque<Lane>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.shared.free().push_back(self.lane.clone());
    }
}
