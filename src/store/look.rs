//! Looking at a database that is not to be changed: no migration, no file made.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use super::connect::{close, connect, postgres_options};
use super::db::{Db, Executor};
use super::lanes::{Lane, Lanes};
use super::migrations;
use super::outage::Outage;
use super::pool::Pool;
use super::roles;
use crate::error::{Error, Result};
use crate::patience::DEADLINE;

pub use super::failure::Unusable;

/// A Postgres server, as it is for this user and database.
#[derive(Debug, sqlx::FromRow)]
pub struct Server {
    pub version: String,
    pub now: DateTime<Utc>,
    /// `false` for a standby, and where a setting forbids it.
    pub takes_writes: bool,
    /// Whether migrations may make tables where the search path leads.
    pub takes_tables: bool,
    /// That are not kept for superusers.
    pub connections: i64,
    pub connections_in_use: i64,
}

impl Db {
    /// Connects, to look alone. An SQLite file must be there.
    pub async fn look(url: &str) -> anyhow::Result<Db> {
        match sqlite_file(url)? {
            Some(file) => look_at_file(url, &file),
            None => look_at_server(url).await,
        }
    }
}

/// The file of an SQLite URL; `None` for Postgres.
pub fn sqlite_file(url: &str) -> anyhow::Result<Option<PathBuf>> {
    if !url.starts_with("sqlite:") {
        return Ok(None);
    }
    let options = SqliteConnectOptions::from_str(url).context("DATABASE_URL is not an SQLite URL")?;
    Ok(Some(options.get_filename().to_path_buf()))
}

fn look_at_file(url: &str, file: &Path) -> anyhow::Result<Db> {
    if !file.is_file() {
        bail!("there is no file {}", file.display());
    }
    let options = sqlite_to_look_at(url)?;
    let lane =
        Lane::new(SqlitePoolOptions::new().acquire_timeout(DEADLINE).test_before_acquire(false), options);
    Ok(Db::Sqlite {
        readers: Lanes::new(vec![lane.clone()]),
        writer: lane.clone(),
        feed: lane,
        outage: Outage::default(),
    })
}

/// How a file is opened for a moment that is not to be changed, nor its folder.
pub(super) fn sqlite_to_look_at(url: &str) -> anyhow::Result<SqliteConnectOptions> {
    let options = SqliteConnectOptions::from_str(url).context("this is not an SQLite URL")?;
    let mut log = options.get_filename().as_os_str().to_owned();
    log.push("-wal");
    // Whoever opens a file in WAL mode makes two more beside it, unless told that nobody writes: as is so where there are none.
    let nobody_writes = !Path::new(&log).exists();
    Ok(options.read_only(true).create_if_missing(false).immutable(nobody_writes).busy_timeout(DEADLINE))
}

async fn look_at_server(url: &str) -> anyhow::Result<Db> {
    let (options, lent) = postgres_options(url)?;
    let options = options.application_name("portcullis doctor");
    // By itself first: a pool tries again and again, and then only says that it gave up.
    close(connect(&Pool::options(options.clone(), lent)).await?).await;
    let options = match lent {
        true => options,
        false => options.options([("default_transaction_read_only", "on")]),
    };
    Ok(Db::Postgres(Pool::new(options, 1, lent)))
}

/// The server; `None` for SQLite, which has none.
pub async fn server(db: &Db) -> Result<Option<Server>> {
    let Db::Postgres(_) = db else { return Ok(None) };
    // That of this connection was set by itself.
    let sql = "select current_setting('server_version') as version, clock_timestamp() as now, \
               not pg_is_in_recovery() and not exists (select 1 from pg_db_role_setting s, unnest(s.setconfig) c \
                   where c in ('default_transaction_read_only=on', 'default_transaction_read_only=true') \
                   and s.setdatabase in (0, (select oid from pg_database where datname = current_database())) \
                   and s.setrole in (0, (select oid from pg_roles where rolname = current_user))) as takes_writes, \
               coalesce(has_schema_privilege(current_schema(), 'create'), false) as takes_tables, \
               cast(current_setting('max_connections') as bigint) \
                   - cast(current_setting('superuser_reserved_connections') as bigint) as connections, \
               (select count(*) from pg_stat_activity where backend_type = 'client backend') as connections_in_use";
    db.query(sql).fetch_optional().await
}

/// Whether it has tables of Portcullis.
pub async fn is_begun(db: &Db) -> Result<bool> {
    let state = migrations::state(db).await?;
    Ok(state.applied > 0 || !state.newer.is_empty())
}

/// Why a service would not make the migrations that are missing: PgBouncer stands between.
pub async fn unmakeable(db: &Db) -> Option<anyhow::Error> {
    match db {
        Db::Postgres(pool) if pool.is_lent() => migrations::demand(db).await.err(),
        _ => None,
    }
}

/// What somebody else has in a database in which no migration was run.
#[derive(Debug)]
pub struct Others {
    /// Tables and views; those of Postgres' extensions are not among them.
    pub tables: Vec<String>,
    /// Names that the migrations give to what they make, in which order they do.
    pub in_the_way: Vec<&'static str>,
}

/// Looks where no migration was run.
pub async fn others(db: &Db) -> Result<Others> {
    let in_postgres = matches!(db, Db::Postgres(_));
    // On Postgres a table's name is one of a type, too.
    let sql = (
        "select cast(c.relname as text), c.relkind in ('r', 'p', 'v', 'm', 'f') and not exists (select 1 from pg_depend d \
             where d.classid = cast('pg_class' as regclass) and d.objid = c.oid and d.deptype = 'e') \
         from pg_class c join pg_namespace n on n.oid = c.relnamespace \
         where n.nspname = current_schema() and c.relname <> '_sqlx_migrations' \
         union all select cast(t.typname as text), false from pg_type t join pg_namespace n on n.oid = t.typnamespace \
         where n.nspname = current_schema() and t.typrelid = 0 order by 1",
        "select name, type <> 'index' from sqlite_master where type in ('table', 'view', 'index') \
         and substr(name, 1, 7) <> 'sqlite_' and name <> '_sqlx_migrations' order by 1",
    );
    let found: Vec<(String, bool)> = db.query_either(sql.0, sql.1).fetch_all().await?;
    let is_there = |made: &&str| {
        found.iter().any(|(name, _)| name == made || !in_postgres && name.eq_ignore_ascii_case(made))
    };
    let in_the_way = migrations::names_made(in_postgres).filter(is_there).collect();
    let tables = found.into_iter().filter(|(_, is_table)| *is_table).map(|(name, _)| name).collect();
    Ok(Others { tables, in_the_way })
}

/// Whether there is an admin, and an enabled one.
pub async fn admins(db: &Db) -> Result<(bool, bool)> {
    Ok((roles::is_any_admin(db).await?, roles::is_any_enabled_admin(db).await?))
}

/// Asks for nothing.
pub async fn ping(db: &Db) -> Result<()> {
    let _: (i64,) = db.query("select cast(1 as bigint)").fetch_one().await?;
    Ok(())
}

/// What is wrong with an SQLite file first.
#[derive(Debug, PartialEq, Eq)]
pub enum Damage {
    None,
    Some(String),
    /// It is too big for the time that there is.
    Unknown,
}

/// Looks through an SQLite file, for as long as a statement may take.
pub async fn damage(db: &Db) -> Result<Damage> {
    let asked = Instant::now();
    let rows = db.query_either("select 'ok'", "pragma quick_check(1)").fetch_all::<(String,)>().await;
    match rows {
        Ok(rows) => {
            let wrong = rows.into_iter().map(|(row,)| row).find(|row| row != "ok");
            Ok(wrong.map_or(Damage::None, Damage::Some))
        }
        Err(Error::Unavailable(_)) if asked.elapsed() > DEADLINE / 2 => Ok(Damage::Unknown),
        Err(error) => Err(error),
    }
}

/// When the newest change or event is from.
pub async fn newest(db: &Db) -> Result<Option<DateTime<Utc>>> {
    let sql = "select max(at) from (select (select at from changes order by seq desc limit 1) as at \
               union all select (select at from audit_events order by at desc limit 1)) newest";
    let (newest,): (Option<DateTime<Utc>>,) = db.query(sql).fetch_one().await?;
    Ok(newest)
}
