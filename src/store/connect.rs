//! Connecting to Postgres: what the URL says, for how long it is tried, and what is said where it fails.

use std::io;
use std::str::FromStr;
use std::time::Duration;

use anyhow::ensure;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection, PgConnection};
use url::Url;

use super::failure::Unusable;

/// How long connecting may take.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long saying goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How Postgres is connected to, and whether PgBouncer lends the connections.
pub(super) fn postgres_options(url: &str) -> anyhow::Result<(PgConnectOptions, bool)> {
    // The URL holds a password, and sqlx's complaint about it could quote it.
    let malformed = || anyhow::anyhow!("this is not a Postgres URL");
    let (url, lent) = without_pgbouncer(url).ok_or_else(malformed)?;
    let options = PgConnectOptions::from_str(&url).map_err(|_| malformed())?;
    #[expect(
        clippy::disallowed_methods,
        reason = "sqlx reads it, and takes a mistyped one for none: then nothing is verified"
    )]
    if let Ok(mode) = std::env::var("PGSSLMODE") {
        ensure!(
            PgSslMode::from_str(&mode).is_ok(),
            "PGSSLMODE is none of disable, allow, prefer, require, verify-ca and verify-full"
        );
    }
    let is_named = options.get_application_name().is_some();
    Ok((if is_named { options } else { options.application_name("portcullis") }, lent))
}

/// The URL without `pgbouncer`, which is ours, and whether that is `true`.
fn without_pgbouncer(text: &str) -> Option<(String, bool)> {
    let mut url = Url::parse(text).ok()?;
    let (ours, rest): (Vec<_>, Vec<_>) =
        url.query_pairs().into_owned().partition(|(name, _)| name == "pgbouncer");
    if ours.is_empty() {
        return Some((text.to_owned(), false));
    }
    url.query_pairs_mut().clear().extend_pairs(rest);
    Some((url.into(), ours.iter().any(|(_, value)| value == "true")))
}

/// For what may take its time: no statement is ended, nor a wait for a row, whatever the server's settings are.
pub(super) fn without_deadlines(options: &PgConnectOptions) -> PgConnectOptions {
    let none =
        ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"].map(|name| (name, "0"));
    options.clone().disable_statement_logging().options(none)
}

/// The one way to a connection that is not a pool's.
pub(super) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, Unusable> {
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await;
    let silent = || io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {CONNECT_TIMEOUT:?}"));
    connected.unwrap_or_else(|_| Err(silent().into())).map_err(|error| Unusable::new(shown(options), error))
}

/// Says goodbye, which a server that hangs may not hear.
pub(super) async fn close(connection: PgConnection) {
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, connection.close()).await;
}

/// The URL of a place, without the password and what else may stand in it.
pub(super) fn shown(options: &PgConnectOptions) -> String {
    let (user, database) = (options.get_username(), options.get_database().unwrap_or(options.get_username()));
    match options.get_socket() {
        Some(folder) => format!("postgres://{user}@/{database}?host={}", folder.display()),
        None => format!("postgres://{user}@{}:{}/{database}", options.get_host(), options.get_port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_shown_without_its_password() {
        for (url, place, is_lent) in [
            ("postgres://ada:hunter2@db:5433/x?sslmode=disable", "postgres://ada@db:5433/x", false),
            (
                "postgres://ada:hunter2@db/x?pgbouncer=true&application_name=hunter2",
                "postgres://ada@db:5432/x",
                true,
            ),
            ("postgresql://ada@db:5432?password=hunter2", "postgres://ada@db:5432/ada", false),
            ("postgresql:///x?host=/run/pg&user=ada", "postgres://ada@/x?host=/run/pg", false),
        ] {
            let (options, lent) = postgres_options(url).unwrap();
            assert_eq!((shown(&options).as_str(), lent), (place, is_lent));
        }
    }
}
