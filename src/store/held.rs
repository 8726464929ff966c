//! A connection to Postgres that a request holds, and how it goes back to the pool: within a moment, or not at all.
//!
//! sqlx asks a connection that goes back whether it still answers, and waits for that without end. Of a line that is lost in that moment
//! nothing comes back: the connection would be missing from the pool for good, or until TCP gives it up, a quarter of an hour later.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::time::timeout;

/// How long a connection may take to answer when it is given back.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// One connection of a pool. Dropped, it goes back.
#[derive(Debug)]
pub struct Held {
    /// `None` once it has gone.
    connection: Option<PoolConnection<Postgres>>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Free,
    InTransaction,
    /// Nobody knows which of the two: it does not go back. What is written on it later might never be committed.
    Unknown,
}

impl Held {
    pub async fn of(pool: &PgPool) -> sqlx::Result<Held> {
        Ok(Held { connection: Some(pool.acquire().await?), state: State::Free })
    }

    /// Begins a transaction, with `begin` or a statement in its place.
    pub async fn begin(mut self, begin: &'static str) -> sqlx::Result<Transaction> {
        self.state = State::Unknown;
        sqlx::raw_sql(begin).execute(&mut *self).await?;
        self.state = State::InTransaction;
        Ok(Transaction(self))
    }
}

const HELD: &str = "a connection is there until it is dropped";

impl Deref for Held {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.connection.as_ref().expect(HELD)
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection.as_mut().expect(HELD)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        if self.state == State::Unknown {
            drop(connection.detach());
            return;
        }
        let in_transaction = self.state == State::InTransaction;
        tokio::spawn(async move {
            if in_transaction {
                let rollback = sqlx::raw_sql("rollback").execute(&mut *connection);
                if !matches!(timeout(RELEASE_TIMEOUT, rollback).await, Ok(Ok(_))) {
                    drop(connection.detach());
                    return;
                }
            }
            // Given up, it is closed, and another can be opened in its place.
            let _ = timeout(RELEASE_TIMEOUT, connection.return_to_pool()).await;
        });
    }
}

/// A transaction: dropped without [`commit`](Transaction::commit), it never happened.
#[derive(Debug)]
pub struct Transaction(Held);

impl Transaction {
    pub async fn commit(mut self) -> sqlx::Result<()> {
        sqlx::raw_sql("commit").execute(&mut *self.0).await?;
        self.0.state = State::Free;
        Ok(())
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.0
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.0
    }
}
