//! What failed, in one sentence, and what comes of it: whether the same request may well succeed later, and what an operator does where
//! Postgres can't be used at all.

use std::fmt;
use std::io::{self, ErrorKind};

use anyhow::anyhow;
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgDatabaseError;

use crate::error::Error;

/// A statement or a connection that failed. sqlx tells the cause twice, and ends what Postgres says with a line of Postgres' own source.
#[derive(Debug)]
pub(super) struct Failure(pub(super) sqlx::Error);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            // sqlx says that a pool timed out, which reads as if it were too small.
            sqlx::Error::PoolTimedOut => f.write_str(
                "no connection to the database in time: it is away or does not answer, or all of DATABASE_MAX_CONNECTIONS are busy",
            ),
            sqlx::Error::Io(error) => write!(f, "the line to the database broke: {error}"),
            error => match of_postgres(error) {
                Some(said) => write!(f, "Postgres says: {} (SQLSTATE {})", said.message(), said.code()),
                None => error.fmt(f),
            },
        }
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// Whether this is a database's answer, if not the one that was wished for: it is there, and lets one in.
    pub(super) fn is_answer(&self) -> bool {
        match &self.0 {
            sqlx::Error::Database(_) => of_postgres(&self.0).is_none_or(|said| {
                !["08", "28", "3D", "53300", "57"].iter().any(|no| said.code().starts_with(no))
            }),
            _ => false,
        }
    }
}

fn of_postgres(error: &sqlx::Error) -> Option<&PgDatabaseError> {
    error.as_database_error()?.try_downcast_ref()
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        let is_passing = is_passing(&error);
        let cause = anyhow::Error::new(Failure(error));
        if is_passing { Error::Unavailable(cause) } else { Error::Internal(cause) }
    }
}

/// Whether it may: the database is away, busy, full or shutting down.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        // A line that breaks in the middle of an answer is a breach of protocol, too.
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(said) => match of_postgres(error) {
            // Classes of SQLSTATE: connection, login, transaction rollback, resources, operator intervention, system.
            // 25006: read-only, as a standby is until it is promoted. 25P02, 25P03: a transaction that was cut off. 3D000, 55000: the
            // database is not there or takes nobody, as while it is restored. 55P03: a row was held for too long.
            Some(said) => {
                ["08", "28", "40", "53", "57", "58", "25006", "25P02", "25P03", "3D000", "55000", "55P03"]
                    .iter()
                    .any(|class| said.code().starts_with(class))
            }
            // Primary result codes: busy, locked, read-only, interrupted (at its deadline), I/O error, full, can't open.
            None => said
                .code()
                .and_then(|code| code.parse::<i32>().ok())
                .is_some_and(|code| [5, 6, 8, 9, 10, 13, 14].contains(&(code & 0xff))),
        },
        _ => false,
    }
}

/// Why Postgres can't be used somewhere, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("can't use {place}: {what}; {todo}")]
pub struct Unusable {
    /// Its URL, without the password.
    pub place: String,
    pub what: String,
    pub todo: &'static str,
}

impl Unusable {
    pub(super) fn new(place: String, error: sqlx::Error) -> Unusable {
        let (what, todo) = match &error {
            sqlx::Error::Io(error) => of_line(error),
            sqlx::Error::Tls(error) => {
                (format!("no TLS with it: {error}"), "see `sslmode` and `sslrootcert` in the URL")
            }
            sqlx::Error::Protocol(_) => (
                "what answers does not speak as Postgres does".to_owned(),
                "mend host and port in the URL, or see the log of what listens there",
            ),
            _ => match of_postgres(&error) {
                Some(said) if said.message().contains("unsupported startup parameter") => (
                    "this is PgBouncer's port, which takes no such settings".to_owned(),
                    "add ?pgbouncer=true to DATABASE_URL, or name Postgres itself",
                ),
                Some(said) => {
                    let todo = advice(said.code());
                    (Failure(error).to_string(), todo)
                }
                None => (Failure(error).to_string(), "see whether the URL is right"),
            },
        };
        Unusable { place, what, todo }
    }

    /// A migration that could not be made.
    pub(super) fn migrating(place: String, error: MigrateError) -> anyhow::Error {
        match error {
            MigrateError::Execute(error) => Unusable::new(place, error).into(),
            MigrateError::ExecuteMigration(error, number) => {
                let Unusable { place, what, todo } = Unusable::new(place, error);
                Unusable { place, what: format!("migration {number} can't be made: {what}"), todo }.into()
            }
            error => anyhow!("can't migrate {place}: {error}; `portcullis doctor` tells more"),
        }
    }
}

/// By what the system said of the line.
fn of_line(error: &io::Error) -> (String, &'static str) {
    let told = error.to_string();
    match error.kind() {
        ErrorKind::ConnectionRefused => (
            "nobody listens there (connection refused)".to_owned(),
            "start Postgres, or mend host and port in the URL",
        ),
        // The kind has no name yet.
        _ if told.contains("lookup address") => (
            format!("its host is not found ({told})"),
            "mend the host in the URL, or see to the name service",
        ),
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => (
            told,
            "see that host and port in the URL are right, that it runs, and that no firewall is in between",
        ),
        ErrorKind::NotFound | ErrorKind::PermissionDenied => (
            told,
            "see whether it runs, and whether this user may open the socket or the files that the URL names",
        ),
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe => (
            format!("it hung up ({told})"),
            "see that host and port in the URL are Postgres', and what its log says",
        ),
        _ => (told, "see that host and port in the URL are right, and that it runs"),
    }
}

/// What to do, by SQLSTATE.
fn advice(code: &str) -> &'static str {
    match code {
        "28P01" => "set the right user and password: in the URL, PGPASSWORD or ~/.pgpass",
        _ if code.starts_with("28") => {
            "name a user who may log in, or let this one in: its rights, and the server's pg_hba.conf"
        }
        // Of all that PgBouncer refuses.
        "08P01" => {
            "see whether PgBouncer knows this user, the password and the database, and what its log says"
        }
        "3D000" => "make that database (`createdb`), or name another in the URL",
        "42501" => {
            "make this user the owner of the database, or grant it what is missing: connect to the database, and create and usage \
             on its schema"
        }
        "53300" => {
            "raise the server's max_connections or the user's limit, lower DATABASE_MAX_CONNECTIONS of what else is connected, or \
             put PgBouncer in between"
        }
        "57P01" | "57P02" | "57P03" => "it starts or stops: try again when it takes connections",
        "25006" => "name the primary: this is a standby, or default_transaction_read_only is on",
        "42P07" => "give Portcullis a database or a schema of its own: this one holds other tables",
        _ => "see the log of Postgres",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unusable(error: sqlx::Error) -> String {
        Unusable::new("postgres://ada@db:5432/x".to_owned(), error).to_string()
    }

    #[test]
    fn what_to_do_goes_by_what_went_wrong() {
        let by = |kind: ErrorKind| unusable(io::Error::from(kind).into());
        assert!(by(ErrorKind::ConnectionRefused).contains("start Postgres"));
        assert!(by(ErrorKind::TimedOut).contains("firewall"));
        assert!(by(ErrorKind::UnexpectedEof).contains("hung up"));
        assert!(
            unusable(
                io::Error::other("failed to lookup address information: Name or service not known").into()
            )
            .contains("mend the host")
        );
        assert!(unusable(sqlx::Error::Protocol("HTTP/1.1 400".to_owned())).contains("does not speak"));
        let all =
            ["28P01", "28000", "3D000", "42501", "53300", "57P03", "25006", "42P07", "XX000"].map(advice);
        assert!(all.iter().enumerate().all(|(at, one)| !all[at + 1..].contains(one)), "{all:?}");
    }
}
