//! One query, two databases.
//!
//! [`Db`] and [`Tx`] take the same `$1`-style SQL text on Postgres and on SQLite, and a store function is written once:
//!
//! ```text
//! let sql = "update sessions set ended_at = $2 where id = $1 and ended_at is null returning user_id";
//! db.query(sql).bind(id).bind(now).fetch_optional().await
//! ```
//!
//! Every statement, the wait for a connection included, ends within [`DEADLINE`](patience::DEADLINE), and all that a request waits for within little more
//! (`patience`), so that a database which is away, stopped or frozen costs it a few seconds and an [`Error::Unavailable`], never a hang.
//! Then the statement is over
//! on the database, too: Postgres has its `statement_timeout`, and SQLite is asked to go on, again and again (`lanes`).
//!
//! SQLite has one writer at a time. Here that is one connection of its own, for which statements and transactions
//! queue in order; statements that start with `select` go to the readers.

use std::future::Future;
use std::time::Instant;

use anyhow::anyhow;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgQueryResult, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteQueryResult, SqliteRow};
use sqlx::{Arguments, Encode, FromRow, PgConnection, Postgres, Sqlite, SqliteConnection, Type};

use super::held::Transaction;
use super::lanes::{End, Lane, Lanes};
use super::outage::Outage;
use super::pool::Pool;
use crate::error::{Error, Result};
use crate::patience;
use crate::traces::{Part, part};

/// The database. Clones share its connections.
#[derive(Clone, Debug)]
pub enum Db {
    Postgres(Pool),
    /// The feed has a reader of its own.
    Sqlite {
        readers: Lanes,
        writer: Lane,
        feed: Lane,
        outage: Outage,
    },
}

/// A transaction: dropped without [`commit`](Tx::commit), it never happened.
#[derive(Debug)]
pub enum Tx {
    /// With whether its statements may have names.
    Postgres(Transaction, bool),
    Sqlite(sqlx::Transaction<'static, Sqlite>, End),
}

/// Where a statement can run: `&Db`, or `&mut Tx` to be part of a transaction.
pub trait Executor<'e>: Send + Sized {
    fn query(self, sql: &'static str) -> Query<'e> {
        self.query_either(sql, sql)
    }

    /// For the rare statement that the two databases word differently.
    fn query_either(self, postgres: &'static str, sqlite: &'static str) -> Query<'e>;
}

/// A value that both databases can store.
pub trait Value<'v>: Encode<'v, Postgres> + Type<Postgres> + Encode<'v, Sqlite> + Type<Sqlite> {}
impl<'v, T: Encode<'v, Postgres> + Type<Postgres> + Encode<'v, Sqlite> + Type<Sqlite>> Value<'v> for T {}

/// A row that both databases can give.
pub trait Row: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}
impl<T: for<'r> FromRow<'r, PgRow> + for<'r> FromRow<'r, SqliteRow> + Send + Unpin> Row for T {}

/// A statement with its arguments, on its way to a database.
#[must_use = "a query does nothing until it is executed or fetched"]
pub struct Query<'e> {
    sql: &'static str,
    target: Target<'e>,
    unencodable: Option<BoxDynError>,
}

enum Target<'e> {
    PgPool(&'e Pool, PgArguments),
    /// With whether the statement may have a name.
    PgConnection(&'e mut PgConnection, bool, PgArguments),
    SqliteLanes(&'e Lanes, SqliteArguments),
    SqliteLane(&'e Lane, SqliteArguments),
    SqliteConnection(&'e mut SqliteConnection, &'e End, SqliteArguments),
}

impl Target<'_> {
    /// What traces call the database.
    fn system(&self) -> &'static str {
        match self {
            Target::PgPool(..) | Target::PgConnection(..) => "postgresql",
            Target::SqliteLanes(..) | Target::SqliteLane(..) | Target::SqliteConnection(..) => "sqlite",
        }
    }
}

impl Db {
    /// Begins a transaction, by a task of its own: `Pool::begin` says why. On SQLite it takes the writer's place at once
    /// (`begin immediate`): one that only found out at its first write that another was faster would fail.
    pub async fn begin(&self) -> Result<Tx> {
        in_time(async {
            Ok(match self.clone() {
                Db::Postgres(pool) => Tx::Postgres(pool.begin().await?, !pool.is_lent()),
                Db::Sqlite { writer: Lane { pool, end }, .. } => {
                    let begun = tokio::spawn(async move { pool.begin_with("begin immediate").await });
                    Tx::Sqlite(begun.await.map_err(|_| sqlx::Error::WorkerCrashed)??, end)
                }
            })
        })
        .await
    }
}

impl Tx {
    /// Makes it all happen.
    pub async fn commit(self) -> Result<()> {
        in_time(async {
            match self {
                Tx::Postgres(tx, _) => tx.commit().await,
                Tx::Sqlite(tx, _) => tx.commit().await,
            }
        })
        .await
    }
}

impl<'e> Executor<'e> for &'e Db {
    fn query_either(self, postgres: &'static str, sqlite: &'static str) -> Query<'e> {
        match self {
            Db::Postgres(pool) => Query::new(postgres, Target::PgPool(pool, PgArguments::default())),
            Db::Sqlite { readers, .. } if sqlite.starts_with("select") => {
                Query::new(sqlite, Target::SqliteLanes(readers, SqliteArguments::default()))
            }
            Db::Sqlite { writer, .. } => writer.query(sqlite),
        }
    }
}

impl<'e> Executor<'e> for &'e mut Tx {
    fn query_either(self, postgres: &'static str, sqlite: &'static str) -> Query<'e> {
        match self {
            Tx::Postgres(tx, named) => {
                Query::new(postgres, Target::PgConnection(tx, *named, PgArguments::default()))
            }
            Tx::Sqlite(tx, end) => {
                Query::new(sqlite, Target::SqliteConnection(tx, end, SqliteArguments::default()))
            }
        }
    }
}

impl<'e> Executor<'e> for &'e mut PgConnection {
    fn query_either(self, postgres: &'static str, _: &'static str) -> Query<'e> {
        Query::new(postgres, Target::PgConnection(self, true, PgArguments::default()))
    }
}

impl<'e> Executor<'e> for &'e Lane {
    fn query_either(self, _: &'static str, sqlite: &'static str) -> Query<'e> {
        Query::new(sqlite, Target::SqliteLane(self, SqliteArguments::default()))
    }
}

/// Runs a finished statement on whichever target there is.
macro_rules! run {
    ($query:expr, $fetch:ident, $postgres:expr, $sqlite:expr) => {{
        let Query { sql, target, unencodable } = $query;
        let end = Instant::now() + patience::left();
        let statement = Part::statement(target.system(), sql);
        // On the heap: sqlx's futures are deep and wide, and one of them is in each that waits for a statement.
        let done = in_time(Box::pin(async move {
            if let Some(error) = unencodable {
                return Err(sqlx::Error::Encode(error));
            }
            match target {
                Target::PgPool(pool, arguments) if pool.is_lent() => {
                    let mut tx = pool.begin().await?;
                    let query = sqlx::query_with(sql, arguments).persistent(false);
                    let done = query.$fetch(&mut *tx).await?;
                    tx.commit().await?;
                    Ok($postgres(done))
                }
                Target::PgPool(pool, arguments) => {
                    let mut on = pool.hold().await?;
                    sqlx::query_with(sql, arguments).$fetch(&mut *on).await.map($postgres)
                }
                Target::PgConnection(on, named, arguments) => {
                    sqlx::query_with(sql, arguments).persistent(named).$fetch(on).await.map($postgres)
                }
                Target::SqliteLanes(lanes, arguments) => {
                    let taken = lanes.take().await?;
                    let mut on = taken.lane.until(end).await?;
                    sqlx::query_with(sql, arguments).$fetch(&mut *on).await.map($sqlite)
                }
                Target::SqliteLane(lane, arguments) => {
                    let mut on = lane.until(end).await?;
                    sqlx::query_with(sql, arguments).$fetch(&mut *on).await.map($sqlite)
                }
                Target::SqliteConnection(on, running, arguments) => {
                    running.set(end);
                    sqlx::query_with(sql, arguments).$fetch(on).await.map($sqlite)
                }
            }
        }));
        part(statement, done).await
    }};
}

/// As the database gave them. Read into what is wanted only afterwards, so that what talks to the databases is compiled once, and not
/// for every kind of row.
enum Rows {
    Postgres(Vec<PgRow>),
    Sqlite(Vec<SqliteRow>),
}

impl<'e> Query<'e> {
    fn new(sql: &'static str, target: Target<'e>) -> Query<'e> {
        Query { sql, target, unencodable: None }
    }

    /// Gives the next `$n` its value.
    pub fn bind<'v>(mut self, value: impl Value<'v>) -> Query<'e> {
        let added = match &mut self.target {
            Target::PgPool(_, arguments) | Target::PgConnection(_, _, arguments) => arguments.add(value),
            Target::SqliteLanes(_, arguments)
            | Target::SqliteLane(_, arguments)
            | Target::SqliteConnection(_, _, arguments) => arguments.add(value),
        };
        self.unencodable = self.unencodable.or(added.err());
        self
    }

    /// Runs it and tells how many rows it changed.
    pub async fn execute(self) -> Result<u64> {
        run!(self, execute, |done: PgQueryResult| done.rows_affected(), |done: SqliteQueryResult| done
            .rows_affected())
    }

    /// The one row that it must have.
    pub async fn fetch_one<T: Row>(self) -> Result<T> {
        self.fetch_optional().await?.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// Its row, if it has one. Read to the end all the same: on SQLite a statement that changes rows and returns them
    /// commits with its last step, and only that step tells whether it could.
    pub async fn fetch_optional<T: Row>(self) -> Result<Option<T>> {
        Ok(self.fetch_all().await?.into_iter().next())
    }

    /// All its rows.
    pub async fn fetch_all<T: Row>(self) -> Result<Vec<T>> {
        let read = match self.rows().await? {
            Rows::Postgres(rows) => rows.iter().map(T::from_row).collect::<sqlx::Result<_>>(),
            Rows::Sqlite(rows) => rows.iter().map(T::from_row).collect(),
        };
        Ok(read?)
    }

    async fn rows(self) -> Result<Rows> {
        run!(self, fetch_all, Rows::Postgres, Rows::Sqlite)
    }
}

async fn in_time<T>(work: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    match patience::within(work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Error::Unavailable(anyhow!("the database did not answer in time"))),
    }
}
