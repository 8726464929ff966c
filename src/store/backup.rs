//! A copy of the SQLite database, made while the service goes on.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, query, query_as};

use super::open::{refuse_leftovers, sqlite_to_read};
use crate::private::appear;

/// What was written.
#[derive(Clone, Copy, Debug)]
pub struct Backup {
    pub bytes: u64,
}

/// Writes the database, as it is at this moment, to a file that is not there yet; it appears once it is whole and was looked
/// through. Dropped before that, it leaves nothing. The connection is one of its own, without a deadline; nobody who writes waits
/// for it.
pub async fn backup(url: &str, file: &Path) -> anyhow::Result<Backup> {
    if !url.starts_with("sqlite:") {
        bail!(
            "this is for SQLite; Postgres has a tool of its own, which works while the service runs:\n\n    \
             umask 077\n    pg_dump --format=custom --file={} postgres://portcullis@db.example.com/portcullis\n\n\
             with the URL of DATABASE_URL, without ?pgbouncer=true; pg_restore --no-owner --dbname=URL brings it back",
            file.display()
        );
    }
    let options = sqlite_to_read(url)?;
    refuse_leftovers(file)?;
    let bytes = appear(file, async |draft: &Path| {
        let into = draft.to_str().context("SQLite takes only UTF-8 for a file's name")?;
        let mut connection = options.clone().connect().await?;
        // Into the empty file, so that it is private from its first byte.
        query("vacuum into $1").bind(into).execute(&mut connection).await?;
        connection.close().await?;
        look_through(draft).await
    });
    Ok(Backup { bytes: bytes.await? })
}

/// SQLite's own look at a database: its pages, its indexes, and what rows refer to.
async fn look_through(file: &Path) -> anyhow::Result<()> {
    let options = SqliteConnectOptions::new().filename(file).read_only(true).disable_statement_logging();
    let mut connection = options.connect().await?;
    let (found,): (String,) = query_as("pragma integrity_check(1)").fetch_one(&mut connection).await?;
    ensure!(found == "ok", "the copy is not sound: {found}");
    let lost = query("pragma foreign_key_check").fetch_optional(&mut connection).await?;
    ensure!(lost.is_none(), "the copy is not sound: rows refer to others that are not there");
    connection.close().await?;
    Ok(())
}
