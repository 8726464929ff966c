//! What there is to copy: asked of a database that was migrated for the purpose, in memory, so that a table which a later
//! migration adds is among them without anyone thinking of it.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use anyhow::{Context, bail};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection, query_as};

use super::line::Line;
use super::value::Kind;
use crate::store::migrations;

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    /// The columns by which its rows are ordered: those of its primary key.
    pub key: Vec<Column>,
    /// The tables that it refers to.
    refers_to: BTreeSet<String>,
}

/// A column of one.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

impl Table {
    pub fn kinds(&self) -> Vec<Kind> {
        self.columns.iter().map(|column| column.kind).collect()
    }

    /// Its columns, quoted: one is called `per`.
    pub fn column_list(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        names.join(", ")
    }
}

/// A database that was just migrated, and has what the migrations put in; and its tables, in an order in which none refers to one
/// after it.
pub async fn fresh() -> anyhow::Result<(Line, Vec<Table>)> {
    let mut connection = SqliteConnectOptions::from_str("sqlite::memory:")?.connect().await?;
    migrations::apply_to_sqlite(&mut connection).await?;
    let sql = "select name from pragma_table_list where schema = 'main' and type = 'table' \
               and name not like 'sqlite\\_%' escape '\\' and name <> '_sqlx_migrations' order by name";
    let names: Vec<(String,)> = query_as(sql).fetch_all(&mut connection).await?;
    let mut tables = Vec::new();
    for (name,) in names {
        tables.push(table(&mut connection, name).await?);
    }
    Ok((Line::Sqlite(connection), in_order(tables)?))
}

async fn table(connection: &mut SqliteConnection, name: String) -> anyhow::Result<Table> {
    let sql = "select name, type, pk from pragma_table_xinfo($1) order by cid";
    let found: Vec<(String, String, i64)> = query_as(sql).bind(&name).fetch_all(&mut *connection).await?;
    let (mut columns, mut key) = (Vec::new(), BTreeMap::new());
    for (column, kind, place) in found {
        let kind = Kind::of_sqlite(&kind).with_context(|| unknown(&name, &column, &kind))?;
        let column = Column { name: column, kind };
        if place > 0 {
            key.insert(place, column.clone());
        }
        columns.push(column);
    }
    let sql = "select distinct \"table\" from pragma_foreign_key_list($1)";
    let refers_to: Vec<(String,)> = query_as(sql).bind(&name).fetch_all(connection).await?;
    let refers_to = refers_to.into_iter().map(|(other,)| other).filter(|other| *other != name).collect();
    Ok(Table { name, columns, key: key.into_values().collect(), refers_to })
}

fn in_order(mut tables: Vec<Table>) -> anyhow::Result<Vec<Table>> {
    let (mut ordered, mut placed) = (Vec::new(), BTreeSet::new());
    while !tables.is_empty() {
        let (ready, waiting): (Vec<_>, Vec<_>) =
            tables.into_iter().partition(|table| table.refers_to.is_subset(&placed));
        if ready.is_empty() {
            bail!("tables refer to each other in a circle: {waiting:?}");
        }
        placed.extend(ready.iter().map(|table| table.name.clone()));
        ordered.extend(ready);
        tables = waiting;
    }
    Ok(ordered)
}

/// Takes what the columns hold from Postgres, which tells more of it than SQLite.
pub fn learn(tables: &mut [Table], types: &BTreeMap<(String, String), String>) -> anyhow::Result<()> {
    for table in tables {
        for column in table.columns.iter_mut().chain(&mut table.key) {
            let of = (table.name.clone(), column.name.clone());
            let kind = types.get(&of).with_context(|| {
                format!("the Postgres database has no column {} in {}", column.name, table.name)
            })?;
            column.kind = Kind::of_postgres(kind).with_context(|| unknown(&of.0, &of.1, kind))?;
        }
    }
    Ok(())
}

fn unknown(table: &str, column: &str, kind: &str) -> String {
    format!("{column} of {table} is of the type {kind}, which the copy does not know")
}
