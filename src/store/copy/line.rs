//! A line to one of the two databases that a copy is between: of its own, without the deadlines of the service's.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteArguments;
use sqlx::{
    Arguments, AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Postgres, Sqlite,
    SqliteConnection, query, query_as, query_with,
};

use super::GIVE_ANOTHER;
use super::tables::Table;
use super::value::{Kind, Value, append_for_copy};
use crate::private::is_open_to_everyone;
use crate::store::connect::{connect, postgres_options, without_deadlines};
use crate::store::look::sqlite_to_look_at;
use crate::store::migrations::{self, RECORDS, Record, State};
use crate::store::open::{make_sqlite_file, refuse_leftovers, sqlite_options, sqlite_to_read};

/// Values that one statement of SQLite takes at most (SQLITE_MAX_VARIABLE_NUMBER).
const MOST_VALUES: usize = 32_766;

/// A line to a database.
pub enum Line {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Line {
    /// To read from, at one moment: what is written from now on does not show.
    pub async fn to_read(url: &str) -> anyhow::Result<Line> {
        if !url.starts_with("sqlite:") {
            let mut line = connect(&without_deadlines(&straight(url)?)).await?;
            line.execute("begin isolation level repeatable read read only").await?;
            return Ok(Line::Postgres(line));
        }
        let mut line = sqlite_to_read(url)?.connect().await?;
        line.execute("begin").await?;
        // The moment is that of the first look.
        line.execute("select 1 from sqlite_schema limit 1").await?;
        Ok(Line::Sqlite(line))
    }

    /// To fill, with the present schema, in a transaction, where nobody else writes. `check` is asked before anything is written,
    /// on a line that can't write.
    pub async fn to_fill(
        url: &str,
        check: impl AsyncFnOnce(&mut Line) -> anyhow::Result<()>,
    ) -> anyhow::Result<Line> {
        if !url.starts_with("sqlite:") {
            let options = straight(url)?;
            let mut line = Line::Postgres(connect(&without_deadlines(&options)).await?);
            line.execute("begin read only").await?;
            check(&mut line).await?;
            line.execute("rollback").await?;
            migrations::run_postgres(&options).await?;
            line.execute("begin").await?;
            return Ok(line);
        }
        let options = sqlite_options(url)?.disable_statement_logging();
        let file = options.get_filename().to_path_buf();
        if file.exists() {
            ensure!(file.is_file(), "{} is a folder, or no file. {GIVE_ANOTHER}", file.display());
            let looking = sqlite_to_look_at(url)?.disable_statement_logging();
            let mut line = Line::Sqlite(looking.connect().await?);
            check(&mut line).await?;
            line.close().await?;
            // Not made private here: who has it open already would go on reading.
            ensure!(
                !is_open_to_everyone(&file)?,
                "{0} can be opened by every user of this machine, and password hashes would be in it. Nothing was copied. Name \
                 a file that is not there yet, or `chmod 600 {0}`",
                file.display()
            );
        } else {
            // It would be made wherever the link leads.
            let link = file.display();
            ensure!(!file.is_symlink(), "{link} is a link to a file that is not there. {GIVE_ANOTHER}");
            refuse_leftovers(&file).context(GIVE_ANOTHER)?;
        }
        make_sqlite_file(&file)?;
        migrations::run_sqlite(&options, &file).await?;
        let mut line = Line::Sqlite(options.connect().await?);
        // Indexes are filled in no order: what is read again and again should stay in memory (128 MiB).
        line.execute("pragma cache_size = -131072").await?;
        line.execute("begin immediate").await?;
        Ok(line)
    }

    pub async fn execute(&mut self, sql: impl Into<String>) -> sqlx::Result<()> {
        let sql = AssertSqlSafe(sql.into());
        match self {
            Line::Postgres(line) => line.execute(sql).await.map(drop),
            Line::Sqlite(line) => line.execute(sql).await.map(drop),
        }
    }

    pub async fn close(self) -> sqlx::Result<()> {
        match self {
            Line::Postgres(line) => line.close().await,
            Line::Sqlite(line) => line.close().await,
        }
    }

    /// A number, such as a count.
    pub async fn number(&mut self, sql: impl Into<String>) -> sqlx::Result<i64> {
        let sql = AssertSqlSafe(sql.into());
        let (number,) = match self {
            Line::Postgres(line) => query_as(sql).fetch_one(line).await?,
            Line::Sqlite(line) => query_as(sql).fetch_one(line).await?,
        };
        Ok(number)
    }

    /// Which of its own tables it has.
    pub async fn has(&mut self, table: &str) -> sqlx::Result<bool> {
        let (found,) = match self {
            Line::Postgres(line) => {
                let sql = "select to_regclass(quote_ident($1)) is not null";
                query_as(sql).bind(table).fetch_one(line).await?
            }
            Line::Sqlite(line) => {
                let sql = "select exists (select 1 from sqlite_schema where type = 'table' and name = $1)";
                query_as(sql).bind(table).fetch_one(line).await?
            }
        };
        Ok(found)
    }

    /// The tables and views that are in it, or in the schema that is written to; but for what an extension brought along.
    pub async fn relations(&mut self) -> sqlx::Result<Vec<String>> {
        let found: Vec<(String,)> = match self {
            Line::Postgres(line) => {
                let sql = "select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace \
                           where n.nspname = current_schema and c.relkind in ('r', 'p', 'f', 'v', 'm') \
                           and not exists (select 1 from pg_depend d where d.classid = 'pg_class'::regclass \
                           and d.objid = c.oid and d.deptype = 'e') order by 1";
                query_as(sql).fetch_all(line).await?
            }
            Line::Sqlite(line) => {
                let sql = "select name from sqlite_schema where type in ('table', 'view') \
                           and name not like 'sqlite\\_%' escape '\\' order by 1";
                query_as(sql).fetch_all(line).await?
            }
        };
        Ok(found.into_iter().map(|(name,)| name).collect())
    }

    /// How its schema stands to this program's.
    pub async fn state(&mut self) -> sqlx::Result<State> {
        let begun = self.has("_sqlx_migrations").await?;
        let records: Vec<Record> = match self {
            _ if !begun => Vec::new(),
            Line::Postgres(line) => query_as(RECORDS).fetch_all(line).await?,
            Line::Sqlite(line) => query_as(RECORDS).fetch_all(line).await?,
        };
        Ok(State::of(&records, matches!(self, Line::Postgres(_))))
    }

    /// The migrations that were applied.
    pub async fn migrations(&mut self) -> anyhow::Result<Vec<i64>> {
        if !self.has("_sqlx_migrations").await? {
            return Ok(Vec::new());
        }
        let sql = "select version from _sqlx_migrations where success order by version";
        let found: Vec<(i64,)> = match self {
            Line::Postgres(line) => query_as(sql).fetch_all(line).await?,
            Line::Sqlite(line) => query_as(sql).fetch_all(line).await?,
        };
        Ok(found.into_iter().map(|(version,)| version).collect())
    }

    /// The types of all columns, where they tell more than SQLite's.
    pub async fn types(&mut self) -> sqlx::Result<Option<BTreeMap<(String, String), String>>> {
        let Line::Postgres(line) = self else { return Ok(None) };
        let sql = "select c.relname::text, a.attname::text, t.typname::text from pg_attribute a \
                   join pg_class c on c.oid = a.attrelid join pg_type t on t.oid = a.atttypid \
                   where c.relnamespace = current_schema::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 \
                   and not a.attisdropped";
        let found: Vec<(String, String, String)> = query_as(sql).fetch_all(line).await?;
        Ok(Some(found.into_iter().map(|(table, column, kind)| ((table, column), kind)).collect()))
    }

    /// All rows of a table in the order of its key, as they come: as many as there are, a few in memory.
    pub fn rows<'a>(&'a mut self, table: &'a Table) -> BoxStream<'a, anyhow::Result<Vec<Value>>> {
        let in_postgres = matches!(self, Line::Postgres(_));
        let order = table.key.iter().map(|column| {
            // As SQLite orders them; other collations are the system's.
            let collation = if in_postgres && column.kind == Kind::Text { " collate \"C\"" } else { "" };
            format!("\"{}\"{collation}", column.name)
        });
        let order = order.collect::<Vec<_>>().join(", ");
        let sql = format!("select {} from \"{}\" order by {order}", table.column_list(), table.name);
        let sql = AssertSqlSafe(sql);
        match self {
            Line::Postgres(line) => query::<Postgres>(sql)
                .fetch(line)
                .map(|row| {
                    let row = row?;
                    read(table, |kind, column| kind.of_row(&row, column))
                })
                .boxed(),
            Line::Sqlite(line) => query::<Sqlite>(sql)
                .fetch(line)
                .map(|row| {
                    let row = row?;
                    read(table, |kind, column| kind.of_sqlite_row(&row, column))
                })
                .boxed(),
        }
    }

    /// Writes rows.
    pub async fn insert(&mut self, table: &Table, rows: Vec<Vec<Value>>) -> anyhow::Result<()> {
        match self {
            Line::Postgres(line) => {
                let (mut lines, kinds) = (String::new(), table.kinds());
                rows.iter().for_each(|row| append_for_copy(&mut lines, row, &kinds));
                let sql = format!("copy \"{}\" ({}) from stdin", table.name, table.column_list());
                let mut copy = line.copy_in_raw(&sql).await?;
                copy.send(lines.as_bytes()).await?;
                copy.finish().await?;
            }
            Line::Sqlite(line) => {
                let at_once = (MOST_VALUES / table.columns.len()).min(256);
                let mut rows = rows.into_iter();
                loop {
                    let some: Vec<_> = rows.by_ref().take(at_once).collect();
                    if some.is_empty() {
                        break;
                    }
                    insert_into_sqlite(line, table, some).await?;
                }
            }
        }
        Ok(())
    }
}

/// How Postgres itself is connected to.
fn straight(url: &str) -> anyhow::Result<PgConnectOptions> {
    let (options, lent) = postgres_options(url)?;
    ensure!(
        !lent,
        "a copy can't go through PgBouncer: take a URL that leads to Postgres itself, without pgbouncer=true"
    );
    Ok(options)
}

fn read(table: &Table, value: impl Fn(Kind, usize) -> anyhow::Result<Value>) -> anyhow::Result<Vec<Value>> {
    let values =
        table.columns.iter().enumerate().map(|(at, column)| {
            value(column.kind, at).with_context(|| format!("in the column {}", column.name))
        });
    values.collect()
}

async fn insert_into_sqlite(
    line: &mut SqliteConnection,
    table: &Table,
    rows: Vec<Vec<Value>>,
) -> anyhow::Result<()> {
    let one = format!("({})", vec!["?"; table.columns.len()].join(", "));
    let all = vec![one; rows.len()].join(", ");
    let sql = format!("insert into \"{}\" ({}) values {all}", table.name, table.column_list());
    let mut arguments = SqliteArguments::default();
    for value in rows.into_iter().flatten() {
        let added = match value {
            Value::Null => arguments.add(None::<i64>),
            Value::Integer(number) => arguments.add(number),
            Value::Text(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    query_with(AssertSqlSafe(sql), arguments).execute(line).await?;
    Ok(())
}
