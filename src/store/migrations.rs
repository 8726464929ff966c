//! The schema's versions: the same numbers and names for both databases.

use std::path::Path;

use anyhow::Context;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::db::{Db, Executor};
use crate::error::{Error, Result};
use crate::private::make_private_file;

static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

/// Whether all of this program's migrations have been applied.
pub async fn are_applied(db: &Db) -> Result<bool> {
    let newest = match db {
        Db::Postgres(_) => &POSTGRES,
        Db::Sqlite { .. } => &SQLITE,
    }
    .iter()
    .map(|migration| migration.version)
    .max();
    let sql = "select max(version) from _sqlx_migrations where success";
    let (applied,): (Option<i64>,) = db.query(sql).fetch_one().await?;
    Ok(applied >= newest)
}

/// Demands that this program's migrations have been applied, and no others. None can be applied by way of PgBouncer: the
/// migrator's lock belongs to a session.
pub(super) async fn demand(db: &Db) -> anyhow::Result<()> {
    let some = "select to_regclass('_sqlx_migrations') is not null";
    let (some,): (bool,) = db.query(some).fetch_one().await.map_err(cause)?;
    if !some || !are_applied(db).await.map_err(cause)? {
        anyhow::bail!(
            "migrations are missing, and can't be made through PgBouncer: run `portcullis migrate` with a DATABASE_URL that \
             leads to Postgres itself, without pgbouncer=true"
        );
    }
    let newest = POSTGRES.iter().map(|migration| migration.version).max().unwrap_or_default();
    let unknown = "select min(version) from _sqlx_migrations where version > $1";
    match db.query(unknown).bind(newest).fetch_one().await.map_err(cause)? {
        (Some(version),) => Err(newer_schema(sqlx::migrate::MigrateError::VersionMissing(version))),
        (None,) => Ok(()),
    }
}

/// What a command tells, rather than what a client is told.
fn cause(error: Error) -> anyhow::Error {
    match error {
        Error::Internal(cause) | Error::Unavailable(cause) => cause,
        error => error.into(),
    }
}

/// How a database's schema stands to this program's.
#[derive(Debug, Default)]
pub struct State {
    pub applied: usize,
    /// Not applied yet.
    pub missing: usize,
    /// Unknown here: a newer program's.
    pub newer: Vec<i64>,
    /// Not finished, or applied from another text.
    pub broken: Vec<i64>,
}

/// Looks, and changes nothing.
pub async fn state(db: &Db) -> Result<State> {
    let sql = (
        "select to_regclass('_sqlx_migrations') is not null",
        "select exists (select 1 from sqlite_master where name = '_sqlx_migrations')",
    );
    let (begun,): (bool,) = db.query_either(sql.0, sql.1).fetch_one().await?;
    let known = match db {
        Db::Postgres(_) => &POSTGRES,
        Db::Sqlite { .. } => &SQLITE,
    };
    let mut state = State { missing: known.iter().count(), ..State::default() };
    if !begun {
        return Ok(state);
    }
    let sql = "select version, success, checksum from _sqlx_migrations order by version";
    let applied: Vec<(i64, bool, Vec<u8>)> = db.query(sql).fetch_all().await?;
    for (version, success, checksum) in applied {
        match known.iter().find(|migration| migration.version == version) {
            None => state.newer.push(version),
            Some(migration) => {
                state.missing -= 1;
                state.applied += 1;
                if !success || *migration.checksum != *checksum {
                    state.broken.push(version);
                }
            }
        }
    }
    Ok(state)
}

/// The migrator's advisory lock makes processes that start at once take turns.
pub(super) async fn run_postgres(options: &PgConnectOptions) -> anyhow::Result<()> {
    let connect = tokio::time::timeout(std::time::Duration::from_secs(10), options.connect());
    let mut connection = connect.await.context("no answer within 10 s")??;
    POSTGRES.run(&mut connection).await.map_err(newer_schema)?;
    connection.close().await?;
    Ok(())
}

/// The migrator has no lock on SQLite, so a lock file beside the database makes processes take turns.
pub(super) async fn run_sqlite(options: &SqliteConnectOptions, file: &Path) -> anyhow::Result<()> {
    let mut lock_file = file.as_os_str().to_owned();
    lock_file.push(".lock");
    make_private_file(Path::new(&lock_file))?;
    let lock = std::fs::File::open(lock_file)?;
    // Held until it is dropped, and waited for elsewhere: who holds it may be a task of this very thread.
    let _held = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    let mut connection = options.connect().await?;
    SQLITE.run(&mut connection).await.map_err(newer_schema)?;
    connection.close().await?;
    Ok(())
}

/// A rolling restart leaves older programs on the newer schema for a while: additive changes do not stop them, but
/// an older program must not be started afresh on a schema that it does not know.
fn newer_schema(error: sqlx::migrate::MigrateError) -> anyhow::Error {
    match error {
        sqlx::migrate::MigrateError::VersionMissing(version) => anyhow::anyhow!(
            "the database was migrated by a newer version of Portcullis (its migration {version} is unknown here); run that version"
        ),
        error => error.into(),
    }
}
