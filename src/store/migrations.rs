//! The schema's versions: the same numbers and names for both databases.

use std::path::Path;

use anyhow::Context;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::db::{Db, Executor};
use crate::error::Result;
use crate::private::make_private_file;

static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");

/// Whether all of this program's migrations have been applied.
pub async fn are_applied(db: &Db) -> Result<bool> {
    let newest = match db {
        Db::Postgres { .. } => &POSTGRES,
        Db::Sqlite { .. } => &SQLITE,
    }
    .iter()
    .map(|migration| migration.version)
    .max();
    let sql = "select max(version) from _sqlx_migrations where success";
    let (applied,): (Option<i64>,) = db.query(sql).fetch_one().await?;
    Ok(applied >= newest)
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
