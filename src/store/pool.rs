//! The connections to Postgres: straight, or by way of PgBouncer in transaction mode (`?pgbouncer=true`).
//!
//! PgBouncer lends a connection of the server's for a transaction, and the next transaction may get another. So of what
//! belongs to a session nothing may be used: no statement that is prepared under a name, no setting, no advisory lock, no
//! LISTEN. Even a statement by itself would be torn apart, since it is sent in two turns, first to be parsed and then with
//! its values; and in between, the other connection may have met another statement. There, each is therefore run in a transaction,
//! without a name, and the settings that else come with the connection come with each `begin`.

use std::ops::Deref;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, FromRow, PgConnection, PgPool};

use super::held::{Held, Transaction};
use super::outage::Outage;
use crate::patience::DEADLINE;

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

/// The connections. Clones share them.
#[derive(Clone, Debug)]
pub struct Pool {
    connections: PgPool,
    /// Whether PgBouncer lends them.
    lent: bool,
    outage: Outage,
}

impl Pool {
    /// Opens none yet.
    pub(super) fn new(options: PgConnectOptions, max_connections: u32, lent: bool) -> Pool {
        let options = Pool::options(options, lent);
        let connections = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_lazy_with(options);
        Pool { connections, lent, outage: Outage::default() }
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

    pub(super) fn outage(&self) -> &Outage {
        &self.outage
    }

    /// Waits for a connection.
    pub(super) async fn hold(&self) -> sqlx::Result<Held> {
        Held::of(&self.connections).await
    }

    /// Begins a transaction, by a task of its own, which goes on if this request is given up (a client that hangs up), and rolls back what
    /// nobody took: a connection is not to be closed for that. On a line on which nothing comes back it is.
    pub(super) async fn begin(&self) -> sqlx::Result<Transaction> {
        let Pool { connections, lent, .. } = self.clone();
        let begun = tokio::spawn(tokio::time::timeout(DEADLINE, async move {
            Held::of(&connections).await?.begin(if lent { BEGIN } else { "begin" }).await
        }));
        let begun = begun.await.map_err(|_| sqlx::Error::WorkerCrashed)?;
        begun.map_err(|_| sqlx::Error::PoolTimedOut)?
    }
}

/// Runs a statement, its values written into it, in a single message, which Postgres takes for a transaction: what PgBouncer lends a
/// connection for, in one turn.
pub(super) async fn at_once<T>(line: &mut PgConnection, sql: &str) -> sqlx::Result<Vec<T>>
where
    T: for<'r> FromRow<'r, PgRow>,
{
    let settings = BEGIN.trim_start_matches("begin; ");
    let rows = sqlx::raw_sql(AssertSqlSafe(format!("{settings}; {sql}"))).fetch_all(line).await?;
    rows.iter().map(T::from_row).collect()
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
