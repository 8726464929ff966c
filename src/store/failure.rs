//! What became of a statement that failed: whether the same request may well succeed later.

use anyhow::anyhow;

use crate::error::Error;

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        match error {
            // sqlx says that a pool timed out, which reads as if it were too small.
            sqlx::Error::PoolTimedOut => Error::Unavailable(anyhow!(
                "no connection to the database in time: it is away or does not answer, or all of DATABASE_MAX_CONNECTIONS are busy"
            )),
            error if is_passing(&error) => Error::Unavailable(error.into()),
            error => Error::Internal(error.into()),
        }
    }
}

/// Whether it may: the database is away, busy, full or shutting down.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        // A line that breaks in the middle of an answer is a breach of protocol, too.
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => match error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            // Classes of SQLSTATE: connection, transaction rollback, resources, operator intervention, system.
            // 25006: read-only, as a standby is until it is promoted. 25P02, 25P03: a transaction that was cut off. 55P03: a row was
            // held for too long.
            Some(error) => ["08", "40", "53", "57", "58", "25006", "25P02", "25P03", "55P03"]
                .iter()
                .any(|class| error.code().starts_with(class)),
            // Primary result codes: busy, locked, read-only, interrupted (at its deadline), I/O error, full, can't open.
            None => error
                .code()
                .and_then(|code| code.parse::<i32>().ok())
                .is_some_and(|code| [5, 6, 8, 9, 10, 13, 14].contains(&(code & 0xff))),
        },
        _ => false,
    }
}
