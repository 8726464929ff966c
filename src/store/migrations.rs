//! The schema's versions: the same numbers and names for both databases.
//!
//! A migration only adds: tables, indexes, columns that may be absent. So a program of before goes on on the newer schema, and
//! may be started on it, as it must where a replica crashes in the middle of a rolling restart. A migration that does more
//! raises the number in `compatibility` to its own: who knows no migration of that number is refused.

use std::path::Path;
use std::sync::LazyLock;

use anyhow::{Context, bail, ensure};
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection, query_as};

use super::connect::{close, connect, shown, without_deadlines};
use super::db::{Db, Executor};
use super::failure::Unusable;
use crate::error::{Error, Result};
use crate::private::make_private_file_like;

static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| lenient(sqlx::migrate!("migrations/postgres")));
static SQLITE: LazyLock<Migrator> = LazyLock::new(|| lenient(sqlx::migrate!("migrations/sqlite")));

/// One that goes on where migrations were applied that it does not know: whether it may is looked at afterwards.
fn lenient(mut migrator: Migrator) -> Migrator {
    migrator.set_ignore_missing(true);
    migrator
}

/// How the schema stands to this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Fit,
    /// Migrations of this program are missing.
    Behind,
    /// One is missing although later ones were applied: no migrator goes on from there.
    Broken,
    /// Newer than this program may run on.
    Beyond,
}

/// The numbers of this program's migrations, in order.
pub fn numbers() -> Vec<i64> {
    SQLITE.iter().map(|migration| migration.version).collect()
}

fn newest() -> i64 {
    numbers().last().copied().unwrap_or(0)
}

/// The newest migration that was applied; how many of those up to `$1` were; and the one that a program must know at least to
/// run on the schema.
const APPLIED: &str = "select (select max(version) from _sqlx_migrations where success), \
                       (select count(*) from _sqlx_migrations where success and version <= $1), \
                       (select lowest from compatibility where id = 1)";

type Applied = (Option<i64>, i64, Option<i64>);

async fn applied(db: &Db) -> Result<Applied> {
    db.query(APPLIED).bind(newest()).fetch_one().await
}

/// Whether this program can work on the schema as it is now. Each look at readiness asks: one query, of which little comes back.
pub async fn standing(db: &Db) -> Result<Standing> {
    Ok(standing_of(applied(db).await?))
}

fn standing_of((applied, known, lowest): Applied) -> Standing {
    let newest = newest();
    if lowest > Some(newest) {
        Standing::Beyond
    // They are numbered without a gap.
    } else if known < applied.unwrap_or(0).min(newest) {
        Standing::Broken
    } else if applied < Some(newest) {
        Standing::Behind
    } else {
        Standing::Fit
    }
}

/// Demands a schema that this program can work on. None can be made by way of PgBouncer: the migrator's lock belongs to a
/// session.
pub(super) async fn demand(db: &Db) -> anyhow::Result<()> {
    let begun = "select to_regclass('compatibility') is not null";
    let (begun,): (bool,) = db.query(begun).fetch_one().await.map_err(cause)?;
    let missing = "migrations are missing, and can't be made through PgBouncer: run `portcullis migrate` with a DATABASE_URL \
                   that leads to Postgres itself, without pgbouncer=true";
    ensure!(begun, missing);
    let applied = applied(db).await.map_err(cause)?;
    match standing_of(applied) {
        Standing::Behind => bail!(missing),
        Standing::Broken => {
            bail!("a migration is missing although later ones were run: `portcullis doctor` names it")
        }
        Standing::Fit | Standing::Beyond => may_run_on(applied),
    }
}

/// What a command tells, rather than what a client is told.
fn cause(error: Error) -> anyhow::Error {
    match error {
        Error::Internal(cause) | Error::Unavailable(cause) => cause,
        error => error.into(),
    }
}

/// What the migrations call the tables and indexes that they make, in their order: a thing of that name is in their way.
pub(super) fn names_made(in_postgres: bool) -> impl Iterator<Item = &'static str> {
    let all = if in_postgres { &*POSTGRES } else { &*SQLITE };
    all.iter().flat_map(|migration| migration.sql.as_str().lines()).filter_map(|line| {
        let made = line.strip_prefix("create ")?;
        let made = made.strip_prefix("unique ").unwrap_or(made);
        let named = made.strip_prefix("table ").or_else(|| made.strip_prefix("index "))?;
        named.split([' ', '(']).next()
    })
}

/// How a database's schema stands to this program's.
#[derive(Debug, Default)]
pub struct State {
    pub applied: usize,
    /// Not applied yet: those after the last that was.
    pub missing: usize,
    /// Unknown here: a newer program's.
    pub newer: Vec<i64>,
    /// Whether those keep this program from running.
    pub is_beyond: bool,
    /// Not finished, applied from another text, or missing although later ones were applied.
    pub broken: Vec<i64>,
}

/// What the migrator has written down: a version, whether it was finished, and the checksum of its text.
pub(super) type Record = (i64, bool, Vec<u8>);

pub(super) const RECORDS: &str = "select version, success, checksum from _sqlx_migrations order by version";

impl State {
    /// By all records. Whether newer ones keep this program from running, they don't tell.
    pub(super) fn of(records: &[Record], in_postgres: bool) -> State {
        let known = if in_postgres { &POSTGRES } else { &SQLITE };
        let mut state = State::default();
        let newer = |version| known.iter().all(|migration| migration.version != version);
        state.newer.extend(records.iter().map(|(version, ..)| *version).filter(|version| newer(*version)));
        let newest = records.last().map_or(0, |(version, ..)| *version);
        for migration in known.iter() {
            let version = migration.version;
            match records.iter().find(|(applied, ..)| *applied == version) {
                Some((_, success, checksum)) => {
                    state.applied += 1;
                    if !success || *migration.checksum != **checksum {
                        state.broken.push(version);
                    }
                }
                None if version < newest => state.broken.push(version),
                None => state.missing += 1,
            }
        }
        state
    }
}

/// Looks, and changes nothing.
pub async fn state(db: &Db) -> Result<State> {
    let sql = (
        "select to_regclass('_sqlx_migrations') is not null",
        "select exists (select 1 from sqlite_master where name = '_sqlx_migrations')",
    );
    let (begun,): (bool,) = db.query_either(sql.0, sql.1).fetch_one().await?;
    let records: Vec<Record> = if begun { db.query(RECORDS).fetch_all().await? } else { Vec::new() };
    let mut state = State::of(&records, matches!(db, Db::Postgres(_)));
    state.is_beyond = !state.newer.is_empty() && standing(db).await? == Standing::Beyond;
    Ok(state)
}

/// The migrator's advisory lock makes processes that start at once take turns.
pub(super) async fn run_postgres(options: &PgConnectOptions) -> anyhow::Result<()> {
    let mut connection = connect(&without_deadlines(options)).await?;
    POSTGRES.run(&mut connection).await.map_err(|error| Unusable::migrating(shown(options), error))?;
    let applied = query_as(APPLIED).bind(newest()).fetch_one(&mut connection).await;
    close(connection).await;
    may_run_on(applied.map_err(|error| Unusable::new(shown(options), error))?)
}

/// The migrator has no lock on SQLite, so a lock file beside the database makes processes take turns.
pub(super) async fn run_sqlite(options: &SqliteConnectOptions, file: &Path) -> anyhow::Result<()> {
    let mut lock_file = file.as_os_str().to_owned();
    lock_file.push(".lock");
    let lock_file = Path::new(&lock_file);
    let lock = make_private_file_like(lock_file, file).and_then(|()| std::fs::File::open(lock_file));
    let lock = lock.with_context(|| {
        format!("can't open {}, which must belong to whom the database does", lock_file.display())
    })?;
    // Held until it is dropped, and waited for elsewhere: who holds it may be a task of this very thread.
    let _held = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    let mut connection = options.connect().await?;
    apply_to_sqlite(&mut connection).await?;
    let applied: Applied = query_as(APPLIED).bind(newest()).fetch_one(&mut connection).await?;
    connection.close().await?;
    may_run_on(applied)
}

/// Applies the migrations, where nobody else does.
pub(super) async fn apply_to_sqlite(connection: &mut SqliteConnection) -> anyhow::Result<()> {
    Ok(SQLITE.run(connection).await?)
}

fn may_run_on((applied, _, lowest): Applied) -> anyhow::Result<()> {
    let (applied, lowest, newest) = (applied.unwrap_or(0), lowest.unwrap_or(0), newest());
    if lowest > newest {
        bail!(
            "the database was migrated by a newer version of Portcullis, to {applied}, and only versions that know migration \
             {lowest} can run on it (this one knows {newest}): run the newer version, or go back to a backup"
        );
    }
    if applied > newest {
        tracing::warn!(
            "the database was migrated by a newer version of Portcullis, to {applied}; this one knows {newest}, and can run on \
             it for the length of a rolling restart"
        );
    }
    Ok(())
}
