//! One query, two databases.
//!
//! [`Db`] and [`Tx`] take the same `$1`-style SQL text on Postgres and on SQLite, and a store function is written once:
//!
//! ```text
//! let sql = "update sessions set ended_at = $2 where id = $1 and ended_at is null returning *";
//! db.query(sql).bind(id).bind(now).fetch_optional().await
//! ```
//!
//! Every statement, the wait for a connection included, ends within [`DEADLINE`], so that a database which is away,
//! stopped or frozen costs a request a few seconds and an [`Error::Unavailable`], never a hang. Then the statement is over
//! on the database, too: Postgres has its `statement_timeout`, and SQLite is asked to go on, again and again (`lanes`).
//!
//! SQLite has one writer at a time. Here that is one connection of its own, for which statements and transactions
//! queue in order; statements that start with `select` go to the readers.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, Encode, FromRow, PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, Type};

use super::lanes::{End, Lane, Lanes};
use crate::error::{Error, Result};
use crate::traces::{Part, part};

/// What a statement may take at most, waiting for a connection included.
pub const DEADLINE: Duration = Duration::from_secs(4);

/// The database. Clones share its connections.
#[derive(Clone, Debug)]
pub enum Db {
    Postgres(PgPool),
    /// The feed has a reader of its own.
    Sqlite {
        readers: Lanes,
        writer: Lane,
        feed: Lane,
    },
}

/// A transaction: dropped without [`commit`](Tx::commit), it never happened.
#[derive(Debug)]
pub enum Tx {
    Postgres(sqlx::Transaction<'static, Postgres>),
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
    PgPool(&'e PgPool, PgArguments),
    PgConnection(&'e mut PgConnection, PgArguments),
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
    /// Begins a transaction. It is begun by a task of its own, which goes on if this request is given up (a client that
    /// hangs up, a deadline) and rolls back what nobody took: a connection whose `begin` was cut off in the middle
    /// would go back to the pool inside a transaction. On SQLite it takes the writer's place at once (`begin immediate`): one that only found
    /// out at its first write that another was faster would fail.
    pub async fn begin(&self) -> Result<Tx> {
        let db = self.clone();
        let begun = tokio::spawn(async move {
            Ok(match db {
                Db::Postgres(pool) => Tx::Postgres(pool.begin().await?),
                Db::Sqlite { writer, .. } => {
                    Tx::Sqlite(writer.pool.begin_with("begin immediate").await?, writer.end)
                }
            })
        });
        in_time(async { begun.await.map_err(|_| sqlx::Error::WorkerCrashed)? }).await
    }
}

impl Tx {
    /// Makes it all happen.
    pub async fn commit(self) -> Result<()> {
        in_time(async {
            match self {
                Tx::Postgres(tx) => tx.commit().await,
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
            Tx::Postgres(tx) => (&mut **tx).query(postgres),
            Tx::Sqlite(tx, end) => {
                Query::new(sqlite, Target::SqliteConnection(tx, end, SqliteArguments::default()))
            }
        }
    }
}

impl<'e> Executor<'e> for &'e mut PgConnection {
    fn query_either(self, postgres: &'static str, _: &'static str) -> Query<'e> {
        Query::new(postgres, Target::PgConnection(self, PgArguments::default()))
    }
}

impl<'e> Executor<'e> for &'e Lane {
    fn query_either(self, _: &'static str, sqlite: &'static str) -> Query<'e> {
        Query::new(sqlite, Target::SqliteLane(self, SqliteArguments::default()))
    }
}

/// Runs a finished sqlx query on whichever target there is.
macro_rules! run {
    ($query:expr, $make:path, $fetch:ident $(, $then:ident)?) => {{
        let Query { sql, target, unencodable } = $query;
        let end = Instant::now() + DEADLINE;
        let statement = Part::statement(target.system(), sql);
        let done = in_time(async move {
            if let Some(error) = unencodable {
                return Err(sqlx::Error::Encode(error));
            }
            match target {
                Target::PgPool(pool, arguments) => $make(sql, arguments).$fetch(pool).await$(.map(|done| done.$then()))?,
                Target::PgConnection(on, arguments) => $make(sql, arguments).$fetch(on).await$(.map(|done| done.$then()))?,
                Target::SqliteLanes(lanes, arguments) => {
                    let taken = lanes.take().await?;
                    let mut on = taken.lane.until(end).await?;
                    $make(sql, arguments).$fetch(&mut *on).await$(.map(|done| done.$then()))?
                }
                Target::SqliteLane(lane, arguments) => {
                    let mut on = lane.until(end).await?;
                    $make(sql, arguments).$fetch(&mut *on).await$(.map(|done| done.$then()))?
                }
                Target::SqliteConnection(on, running, arguments) => {
                    running.set(end);
                    $make(sql, arguments).$fetch(on).await$(.map(|done| done.$then()))?
                }
            }
        });
        part(statement, done).await
    }};
}

impl<'e> Query<'e> {
    fn new(sql: &'static str, target: Target<'e>) -> Query<'e> {
        Query { sql, target, unencodable: None }
    }

    /// Gives the next `$n` its value.
    pub fn bind<'v>(mut self, value: impl Value<'v>) -> Query<'e> {
        let added = match &mut self.target {
            Target::PgPool(_, arguments) | Target::PgConnection(_, arguments) => arguments.add(value),
            Target::SqliteLanes(_, arguments)
            | Target::SqliteLane(_, arguments)
            | Target::SqliteConnection(_, _, arguments) => arguments.add(value),
        };
        self.unencodable = self.unencodable.or(added.err());
        self
    }

    /// Runs it and tells how many rows it changed.
    pub async fn execute(self) -> Result<u64> {
        run!(self, sqlx::query_with, execute, rows_affected)
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
        run!(self, sqlx::query_as_with, fetch_all)
    }
}

async fn in_time<T>(work: impl Future<Output = sqlx::Result<T>>) -> Result<T> {
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Error::Unavailable(anyhow!("the database did not answer within {DEADLINE:?}"))),
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        if is_passing(&error) { Error::Unavailable(error.into()) } else { Error::Internal(error.into()) }
    }
}

/// Whether the same request may well succeed later: the database is away, busy, full or shutting down.
fn is_passing(error: &sqlx::Error) -> bool {
    match error {
        // A line that breaks in the middle of an answer is a breach of protocol, too.
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => match error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
            // Classes of SQLSTATE: connection, transaction rollback, resources, operator intervention, system.
            // 25006: read-only, as a standby is until it is promoted. 25P02, 25P03: a transaction that was cut off. 55P03: a row was
            // held for too long.
            Some(error) => ["08", "40", "53", "57", "58", "25006", "25P02", "25P03", "55P03"]
                .iter()
                .any(|class| error.code().starts_with(class)),
            // Primary result codes: busy, locked, read-only, interrupted (at its deadline), I/O error, full, can't open.
            None => error
                .code()
                .and_then(|code| code.parse::<i32>().ok())
                .is_some_and(|code| [5, 6, 8, 9, 10, 13, 14].contains(&(code & 0xff))),
        },
        _ => false,
    }
}
