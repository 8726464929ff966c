//! What a database says of its own schema, in words that both share.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Connection, PgConnection, SqliteConnection, query_as, query_scalar};

/// Types of Postgres, and what stands for them in SQLite.
const TYPES: [(&str, &str); 7] = [
    ("uuid", "blob"),
    ("timestamptz", "text"),
    ("bool", "integer"),
    ("jsonb", "text"),
    ("bytea", "blob"),
    ("int8", "integer"),
    ("text", "text"),
];

#[derive(Debug)]
pub struct Schema {
    pub tables: BTreeMap<String, Table>,
    /// What the migrations put in: name and description.
    pub roles: Vec<(String, String)>,
}

#[derive(Debug, Default)]
pub struct Table {
    /// In their order.
    pub columns: Vec<Column>,
    pub primary_key: Vec<String>,
    pub unique: BTreeSet<Vec<String>>,
    /// By name; those that stand for a constraint are not among them.
    pub indexes: BTreeMap<String, Index>,
    pub foreign_keys: BTreeSet<ForeignKey>,
    pub checks: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    name: String,
    /// In SQLite's words.
    kind: String,
    nullable: bool,
    has_default: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Index {
    columns: Vec<String>,
    unique: bool,
    /// Whether it has a condition.
    partial: bool,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForeignKey {
    columns: Vec<String>,
    table: String,
    foreign_columns: Vec<String>,
    on_delete: String,
}

impl Schema {
    pub async fn of_sqlite(url: &str) -> Schema {
        let mut db = SqliteConnection::connect(url).await.unwrap();
        let sql = "select name, sql from sqlite_schema \
                   where type = 'table' and name not like 'sqlite\\_%' escape '\\' \
                   and name <> '_sqlx_migrations'";
        let names: Vec<(String, String)> = query_as(sql).fetch_all(&mut db).await.unwrap();
        let mut tables = BTreeMap::new();
        for (name, sql) in names {
            // SQLite has no list of them.
            let checks = sql.to_lowercase().matches("check (").count();
            tables.insert(name.clone(), Table { checks, ..sqlite_table(&mut db, &name).await });
        }
        let roles = query_as("select name, description from roles order by name");
        let roles = roles.fetch_all(&mut db).await.unwrap();
        db.close().await.unwrap();
        Schema { tables, roles }
    }

    pub async fn of_postgres(url: &str) -> Schema {
        let mut db = PgConnection::connect(url).await.unwrap();
        let sql = "select relname::text, oid::int8 from pg_class \
                   where relnamespace = current_schema::regnamespace and relkind = 'r' \
                   and relname <> '_sqlx_migrations'";
        let names: Vec<(String, i64)> = query_as(sql).fetch_all(&mut db).await.unwrap();
        let mut tables = BTreeMap::new();
        for (name, oid) in names {
            tables.insert(name, postgres_table(&mut db, oid).await);
        }
        let roles = query_as("select name, description from roles order by name");
        let roles = roles.fetch_all(&mut db).await.unwrap();
        db.close().await.unwrap();
        Schema { tables, roles }
    }
}

/// The tables of an SQLite database that are not `strict`.
pub async fn lax_tables(url: &str) -> Vec<String> {
    let mut db = SqliteConnection::connect(url).await.unwrap();
    let sql = "select name from pragma_table_list where schema = 'main' and type = 'table' and not strict \
               and name not like 'sqlite\\_%' escape '\\' and name <> '_sqlx_migrations'";
    let lax = query_scalar(sql).fetch_all(&mut db).await.unwrap();
    db.close().await.unwrap();
    lax
}

async fn sqlite_table(db: &mut SqliteConnection, table: &str) -> Table {
    let sql =
        "select name, type, \"notnull\", dflt_value is not null, pk from pragma_table_xinfo($1) order by cid";
    let columns: Vec<(String, String, bool, bool, i64)> =
        query_as(sql).bind(table).fetch_all(&mut *db).await.unwrap();
    let mut key: Vec<_> =
        columns.iter().filter(|(.., place)| *place > 0).map(|c| (c.4, c.0.clone())).collect();
    key.sort();
    let columns = columns.into_iter().map(|(name, kind, not_null, has_default, _)| Column {
        name,
        kind: kind.to_lowercase(),
        nullable: !not_null,
        has_default,
    });
    let columns = columns.collect();
    let primary_key = key.into_iter().map(|(_, name)| name).collect();
    let mut found = Table { columns, primary_key, ..Table::default() };

    let sql = "select name, \"unique\", origin, partial from pragma_index_list($1)";
    let indexes: Vec<(String, bool, String, bool)> =
        query_as(sql).bind(table).fetch_all(&mut *db).await.unwrap();
    for (name, unique, origin, partial) in indexes {
        let sql =
            "select coalesce(name, '(an expression)') from pragma_index_xinfo($1) where key order by seqno";
        let columns = query_scalar(sql).bind(&name).fetch_all(&mut *db).await.unwrap();
        match origin.as_str() {
            "c" => drop(found.indexes.insert(name, Index { columns, unique, partial })),
            "u" => drop(found.unique.insert(columns)),
            _ => {}
        }
    }

    let sql =
        "select id, \"table\", \"from\", \"to\", on_delete from pragma_foreign_key_list($1) order by id, seq";
    let parts: Vec<(i64, String, String, String, String)> =
        query_as(sql).bind(table).fetch_all(&mut *db).await.unwrap();
    let mut keys: BTreeMap<i64, ForeignKey> = BTreeMap::new();
    for (id, table, from, to, on_delete) in parts {
        let (columns, foreign_columns, on_delete) = (vec![], vec![], on_delete.to_lowercase());
        let key = keys.entry(id).or_insert(ForeignKey { columns, table, foreign_columns, on_delete });
        key.columns.push(from);
        key.foreign_columns.push(to);
    }
    found.foreign_keys = keys.into_values().collect();
    found
}

async fn postgres_table(db: &mut PgConnection, oid: i64) -> Table {
    let sql = "select a.attname::text, t.typname::text, a.attnotnull, a.atthasdef from pg_attribute a \
               join pg_type t on t.oid = a.atttypid where a.attrelid::int8 = $1 and a.attnum > 0 \
               and not a.attisdropped order by a.attnum";
    let columns: Vec<(String, String, bool, bool)> =
        query_as(sql).bind(oid).fetch_all(&mut *db).await.unwrap();
    let columns = columns.into_iter().map(|(name, kind, not_null, has_default)| {
        let known = TYPES.iter().find(|(postgres, _)| *postgres == kind);
        let (_, kind) =
            known.unwrap_or_else(|| panic!("`{name}` is {kind}, for which nothing stands in SQLite"));
        Column { name, kind: (*kind).to_owned(), nullable: !not_null, has_default }
    });
    let mut found = Table { columns: columns.collect(), ..Table::default() };

    let sql = "select i.relname::text, x.indisunique, x.indpred is not null, coalesce(c.contype::text, ''), \
               array(select coalesce(a.attname::text, '(an expression)') \
                     from unnest(x.indkey) with ordinality k(attnum, place) \
                     left join pg_attribute a \
                     on a.attrelid = x.indrelid and a.attnum = k.attnum and k.attnum > 0 \
                     where k.place <= x.indnkeyatts order by k.place) \
               from pg_index x join pg_class i on i.oid = x.indexrelid \
               left join pg_constraint c on c.conindid = x.indexrelid and c.conrelid = x.indrelid \
               and c.contype in ('p', 'u') where x.indrelid::int8 = $1";
    let indexes: Vec<(String, bool, bool, String, Vec<String>)> =
        query_as(sql).bind(oid).fetch_all(&mut *db).await.unwrap();
    for (name, unique, partial, constraint, columns) in indexes {
        match constraint.as_str() {
            "p" => found.primary_key = columns,
            "u" => drop(found.unique.insert(columns)),
            _ => drop(found.indexes.insert(name, Index { columns, unique, partial })),
        }
    }

    let sql = "select c.confrelid::regclass::text, c.confdeltype::text, \
               array(select a.attname::text from unnest(c.conkey) with ordinality k(attnum, place) \
                     join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.attnum \
                     order by k.place), \
               array(select a.attname::text from unnest(c.confkey) with ordinality k(attnum, place) \
                     join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.attnum \
                     order by k.place) \
               from pg_constraint c where c.conrelid::int8 = $1 and c.contype = 'f'";
    let keys: Vec<(String, String, Vec<String>, Vec<String>)> =
        query_as(sql).bind(oid).fetch_all(&mut *db).await.unwrap();
    let keys = keys.into_iter().map(|(table, on_delete, columns, foreign_columns)| {
        let on_delete = match on_delete.as_str() {
            "c" => "cascade",
            "n" => "set null",
            "d" => "set default",
            "r" => "restrict",
            _ => "no action",
        };
        ForeignKey { columns, table, foreign_columns, on_delete: on_delete.to_owned() }
    });
    found.foreign_keys = keys.collect();
    let checks = "select count(*) from pg_constraint where conrelid::int8 = $1 and contype = 'c'";
    let checks: i64 = query_scalar(checks).bind(oid).fetch_one(&mut *db).await.unwrap();
    found.checks = usize::try_from(checks).unwrap();
    found
}
