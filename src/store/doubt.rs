//! Beginning a transaction on Postgres where the line may be lost in the middle of it.
//!
//! Nobody knows of a `begin` that was cut off whether it is carried out, and sqlx does not look: a connection that went back to the
//! pool then might be inside a transaction, and what is written there later would never be committed. So while there is such a
//! doubt, connections that are given back are closed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::patience::DEADLINE;

/// For how long after a `begin` was cut off. Its connection is given back at once.
const DOUBTED_FOR: Duration = Duration::from_secs(5);

/// Until when connections are not believed.
#[derive(Clone, Debug, Default)]
pub struct Doubt(Arc<Mutex<Option<Instant>>>);

impl Doubt {
    /// Begins a transaction, or gives up: on a line on which nothing comes back that would otherwise never happen, and take a
    /// connection from the pool for good.
    pub async fn begin<T>(&self, begin: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
        let mut begin = Box::pin(begin);
        match tokio::time::timeout(DEADLINE, &mut begin).await {
            Ok(begun) => begun,
            Err(_) => {
                // First: with `begin`, its connection is given back.
                *self.until() = Some(Instant::now() + DOUBTED_FOR);
                drop(begin);
                Err(sqlx::Error::PoolTimedOut)
            }
        }
    }

    pub fn is_raised(&self) -> bool {
        self.until().is_some_and(|until| Instant::now() < until)
    }

    fn until(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
