//! The connections to Postgres: straight, or by way of PgBouncer in transaction mode (`?pgbouncer=true`).
//!
//! PgBouncer lends a connection of the server's for a transaction, and the next transaction may get another. So of what
//! belongs to a session nothing may be used: no statement that is prepared under a name, no setting, no advisory lock, no
//! LISTEN. Even a statement by itself would be torn apart, since it is sent in two turns, first to be parsed and then with
//! its values; and in between, the other connection may have met another statement. There, each is therefore run in a transaction,
//! without a name, and the settings that else come with the connection come with each `begin`.

use std::ops::Deref;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgPool, Postgres, Transaction};

use super::doubt::Doubt;

/// In turn:
/// - how long a statement may run before the server itself cancels it; a little under `DEADLINE`, so that its own
///   error is the one that is seen;
/// - how long one may wait for a row that another transaction holds: longer than any of ours takes, and too short for
///   one that hangs to collect all connections behind it;
/// - how long a transaction may wait for its next statement: nothing but a lost client makes one wait at all.
const SETTINGS: [(&str, &str); 3] = [
    ("statement_timeout", "3500ms"),
    ("lock_timeout", "1500ms"),
    ("idle_in_transaction_session_timeout", "5s"),
];

/// The same, for the transaction that it begins: one message to the server, as `begin` alone is.
const BEGIN: &str = "begin; set local statement_timeout = '3500ms'; set local lock_timeout = '1500ms'; \
                     set local idle_in_transaction_session_timeout = '5s'";

/// How long a request waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a connection may take to answer when it is given back.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// The connections. Clones share them.
#[derive(Clone, Debug)]
pub struct Pool {
    connections: PgPool,
    /// Whether PgBouncer lends them.
    lent: bool,
    doubt: Doubt,
}

impl Pool {
    /// Opens none yet.
    pub(super) fn new(options: PgConnectOptions, max_connections: u32, lent: bool) -> Pool {
        let options = Pool::options(options, lent);
        let doubt = Doubt::default();
        let is_doubted = doubt.clone();
        let connections = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // A connection that does not answer is dropped, not waited for until TCP gives it up.
            .after_release(move |connection, _| {
                let is_doubted = is_doubted.is_raised();
                Box::pin(async move {
                    if is_doubted {
                        return Ok(false);
                    }
                    let answered = tokio::time::timeout(RELEASE_TIMEOUT, connection.ping()).await;
                    answered.map_err(|_| sqlx::Error::PoolTimedOut)?.map(|()| true)
                })
            })
            .connect_lazy_with(options);
        Pool { connections, lent, doubt }
    }

    /// As a connection of a pool is opened.
    pub(super) fn options(options: PgConnectOptions, lent: bool) -> PgConnectOptions {
        match lent {
            // PgBouncer refuses settings in the startup message that it does not know how to restore.
            true => options.extra_float_digits(None).statement_cache_capacity(0),
            false => options.options(SETTINGS),
        }
    }

    pub(super) fn is_lent(&self) -> bool {
        self.lent
    }

    /// One connection of its own, to the same place.
    pub(super) fn apart(&self) -> Pool {
        let options = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let options = options.acquire_timeout(ACQUIRE_TIMEOUT);
        let connections = options.connect_lazy_with(self.connect_options().as_ref().clone());
        Pool { connections, lent: self.lent, doubt: self.doubt.clone() }
    }

    /// Begins a transaction by a task of its own, which goes on if this request is given up (a client that hangs up, a
    /// deadline) and rolls back what nobody took: a connection whose `begin` was cut off in the middle would go back to the
    /// pool inside a transaction.
    pub(super) async fn begin(&self) -> sqlx::Result<Transaction<'static, Postgres>> {
        let Pool { connections, lent, doubt } = self.clone();
        let begun = tokio::spawn(async move {
            match lent {
                true => doubt.begin(connections.begin_with(BEGIN)).await,
                false => doubt.begin(connections.begin()).await,
            }
        });
        begun.await.map_err(|_| sqlx::Error::WorkerCrashed)?
    }
}

impl Deref for Pool {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.connections
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_begins_with_the_settings_of_a_connection() {
        let set = SETTINGS.map(|(name, value)| format!("; set local {name} = '{value}'"));
        assert_eq!(BEGIN, format!("begin{}", set.concat()));
    }
}
