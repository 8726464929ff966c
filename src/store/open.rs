//! Opening the database that `DATABASE_URL` names.

use std::io;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, ensure};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection};

use super::connect::{close, connect, postgres_options};
use super::db::Db;
use super::lanes::{Lane, Lanes};
use super::migrations;
use super::outage::Outage;
use super::pool::Pool;
use crate::patience::DEADLINE;
use crate::private::{make_private_file, make_private_folder};

/// Connections that are there for the same.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    pub name: &'static str,
    pub open: u64,
    /// Of those that are open.
    pub idle: u64,
    pub most: u64,
}

impl Db {
    /// Connects, and brings the schema up to date. Several processes may do so at once.
    pub async fn open(url: &str, max_connections: u32) -> anyhow::Result<Db> {
        let opened = match url.starts_with("sqlite:") {
            true => open_sqlite(url, max_connections).await,
            false => open_postgres(url, max_connections).await,
        };
        opened.context("the database that DATABASE_URL names")
    }

    /// Its connections, by what they are for.
    pub fn pools(&self) -> Vec<Connections> {
        match self {
            Db::Postgres(pool) => vec![Connections {
                name: "main",
                open: pool.size().into(),
                idle: pool.num_idle() as u64,
                most: pool.options().get_max_connections().into(),
            }],
            Db::Sqlite { readers, writer, feed, .. } => {
                let pool = |name, lanes: &[Lane]| Connections {
                    name,
                    open: lanes.iter().map(|lane| u64::from(lane.pool.size())).sum(),
                    idle: lanes.iter().map(|lane| lane.pool.num_idle() as u64).sum(),
                    most: lanes.len() as u64,
                };
                let one = std::slice::from_ref;
                vec![pool("readers", readers.all()), pool("writer", one(writer)), pool("feed", one(feed))]
            }
        }
    }

    /// Whether it is there.
    pub fn outage(&self) -> &Outage {
        match self {
            Db::Postgres(pool) => pool.outage(),
            Db::Sqlite { outage, .. } => outage,
        }
    }

    /// Gives the connections back.
    pub async fn close(&self) {
        match self {
            Db::Postgres(pool) => pool.close().await,
            Db::Sqlite { readers, writer, feed, .. } => {
                feed.pool.close().await;
                readers.close().await;
                writer.pool.close().await;
            }
        }
    }
}

/// How an SQLite database is opened that is written to, and made where it is missing.
pub(super) fn sqlite_options(url: &str) -> anyhow::Result<SqliteConnectOptions> {
    let options = SqliteConnectOptions::from_str(url).context("this is not an SQLite URL")?;
    Ok(options
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // A registration that was answered survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // Only another process (the command line beside the service) is ever waited for.
        .busy_timeout(DEADLINE))
}

/// How one is opened that is only read, however long that takes.
pub(super) fn sqlite_to_read(url: &str) -> anyhow::Result<SqliteConnectOptions> {
    let options = SqliteConnectOptions::from_str(url).context("this is not an SQLite URL")?;
    let file = options.get_filename();
    ensure!(file.exists(), "there is no file {}", file.display());
    Ok(options.create_if_missing(false).read_only(true).busy_timeout(DEADLINE).disable_statement_logging())
}

/// Refuses a file that is not there, but of which something is left: SQLite would take it for a part of what is made there,
/// or remove it, and with it what somebody wrote last.
pub(super) fn refuse_leftovers(file: &Path) -> anyhow::Result<()> {
    for end in ["-wal", "-journal"] {
        let mut beside = file.as_os_str().to_owned();
        beside.push(end);
        let beside = Path::new(&beside);
        ensure!(
            // In this order: the file is made before what is beside it, by others that start right now.
            !beside.exists() || file.exists(),
            "there is no {}, but {}: the latest writes of a database that was moved away without it; move it to where that one is",
            file.display(),
            beside.display()
        );
    }
    Ok(())
}

/// An empty file, and the folder that it is in, where there is none.
pub(super) fn make_sqlite_file(file: &Path) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_private_folder(folder)?;
    }
    make_private_file(file)
}

async fn open_postgres(url: &str, max_connections: u32) -> anyhow::Result<Db> {
    let (options, lent) = postgres_options(url)?;
    if !lent {
        migrations::run_postgres(&options).await?;
    }
    let pool = Pool::new(options, max_connections, lent);
    if lent {
        // By itself first: a pool tries again and again, and then only says that it gave up.
        close(connect(&pool.connect_options()).await?).await;
        migrations::demand(&Db::Postgres(pool.clone())).await?;
    }
    Ok(Db::Postgres(pool))
}

async fn open_sqlite(url: &str, max_connections: u32) -> anyhow::Result<Db> {
    let options = sqlite_options(url)?;
    let file = options.get_filename().to_path_buf();
    let cant = || format!("can't open the SQLite database {}", file.display());
    refuse_leftovers(&file).with_context(cant)?;
    make_sqlite_file(&file)
        .with_context(|| format!("{}; this user must be able to write to it and to its folder", cant()))?;
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
    Ok(Db::Sqlite { readers, writer, feed, outage: Outage::default() })
}
