//! Opening the database that `DATABASE_URL` names.

use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::db::Db;
use super::doubt::Doubt;
use super::lanes::{Lane, Lanes};
use super::migrations;
use super::patience::DEADLINE;
use crate::private::{make_private_file, make_private_folder};

/// How long a statement may run on Postgres before the server itself cancels it; a little under [`DEADLINE`], so
/// that its own error is the one that is seen.
const STATEMENT_TIMEOUT: &str = "3500ms";

/// How long a statement may wait for a row that another transaction holds: longer than any of ours takes, and too short
/// for one that hangs to collect all connections behind it.
const LOCK_TIMEOUT: &str = "1500ms";

/// How long a transaction may wait for its next statement: nothing but a lost client makes one wait at all.
const IDLE_IN_TRANSACTION_TIMEOUT: &str = "5s";

/// How long a request waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a connection may take to answer when it is given back.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

impl Db {
    /// Connects, and brings the schema up to date. Several processes may do so at once.
    pub async fn open(url: &str, max_connections: u32) -> anyhow::Result<Db> {
        if url.starts_with("sqlite:") {
            open_sqlite(url, max_connections).await
        } else {
            open_postgres(url, max_connections).await
        }
    }

    /// Gives the connections back.
    pub async fn close(&self) {
        match self {
            Db::Postgres { pool, .. } => pool.close().await,
            Db::Sqlite { readers, writer, feed } => {
                feed.pool.close().await;
                readers.close().await;
                writer.pool.close().await;
            }
        }
    }
}

async fn open_postgres(url: &str, max_connections: u32) -> anyhow::Result<Db> {
    // The URL holds a password, and sqlx's complaint about it could quote it.
    let options =
        PgConnectOptions::from_str(url).map_err(|_| anyhow::anyhow!("DATABASE_URL is not a Postgres URL"))?;
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let options = options.application_name("portcullis");
    migrations::run_postgres(&options).await.with_context(|| {
        format!(
            "can't open the Postgres database at {place}; check that it runs and that DATABASE_URL is right"
        )
    })?;
    let doubt = Doubt::default();
    let is_doubted = doubt.clone();
    let pool = PgPoolOptions::new()
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
        .connect_lazy_with(options.options([
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("lock_timeout", LOCK_TIMEOUT),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION_TIMEOUT),
        ]));
    Ok(Db::Postgres { pool, doubt })
}

async fn open_sqlite(url: &str, max_connections: u32) -> anyhow::Result<Db> {
    let options = SqliteConnectOptions::from_str(url)
        .context("DATABASE_URL is not an SQLite URL")?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A registration that was answered survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // Only another process (the command line beside the service) is ever waited for.
        .busy_timeout(DEADLINE);
    let file = options.get_filename().to_path_buf();
    let cant =
        || format!("can't open the SQLite database {}; check DATABASE_URL and the folder", file.display());
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_private_folder(folder).with_context(cant)?;
    }
    make_private_file(&file).with_context(cant)?;
    migrations::run_sqlite(&options, &file).await.with_context(cant)?;
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(DEADLINE)
            // A file needs no ping.
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    let reading = options.clone().read_only(true).create_if_missing(false);
    let readers = (0..max_connections.min(cores)).map(|_| Lane::new(pool(), reading.clone()));
    let readers = Lanes::new(readers.collect());
    let feed = Lane::new(pool(), reading);
    // SQLite ends a transaction by itself when the disk is full, and sqlx goes on to count it. A connection of which
    // it still counts one after its rollback has had its turn is replaced.
    let writer = pool().after_release(|connection, _| {
        Box::pin(async move {
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    });
    let writer = Lane::new(writer, options);
    writer.pool.acquire().await.with_context(cant)?;
    Ok(Db::Sqlite { readers, writer, feed })
}
