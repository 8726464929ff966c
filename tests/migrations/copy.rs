//! `db copy` between the two databases: all tables, all columns, to the microsecond.

use std::collections::BTreeMap;

use portcullis::store::Db;
use portcullis::store::copy::{Compared, Step, copy};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection, query_as, query_scalar};

use crate::BOTH;
use crate::database::{Database, Scratch};
use crate::schema::Schema;

/// Rows of a table that has room for many: more than are written at once.
const MANY: usize = 2345;

/// What stands in the `n`th row of any table, by the column's type: so that whatever refers to a row finds it.
fn literal(kind: &str, n: usize) -> String {
    let texts = ["1", "2\t\n\r\\N \\. \\\\ '' \" , 日本 𝒳 \u{202e} e\u{301}", ""];
    let times = ["2026-01-01T00:00:00.000001Z", "2026-02-03T04:05:06Z", "1999-12-31T23:59:59.5Z"];
    match kind {
        "uuid" => format!("'0000000{n}-ffff-7fff-8000-00000000000{n}'"),
        "text" => format!("'{}'", texts[n - 1]),
        "int8" => format!("{}", [1, i64::MAX, 0][n - 1]),
        "bool" => (n == 1).to_string(),
        "timestamptz" => format!("'{}'", times[n - 1]),
        "jsonb" => {
            [r#"'{"zz": 1, "a": [1.5, "\u00e9\n"], "b": {}}'"#, "'{}'", "'{\"n\": -1}'"][n - 1].to_owned()
        }
        "bytea" => [r"'\x00ff5c'", r"'\x'", r"'\x4e'"][n - 1].to_owned(),
        other => panic!("a column is {other}, of which the copy knows nothing"),
    }
}

/// Puts rows into all tables of Postgres: one with all columns, one with texts and bytes that are hard to write, one with as
/// many nulls as there may be. Where one row is all that may be, that.
async fn fill(url: &str) -> BTreeMap<String, usize> {
    let mut db = PgConnection::connect(url).await.unwrap();
    // In any order, then; what they refer to is there in the end.
    db.execute("set session_replication_role = replica").await.unwrap();
    let sql = "select c.relname::text, a.attname::text, t.typname::text, a.attnotnull from pg_attribute a \
               join pg_class c on c.oid = a.attrelid join pg_type t on t.oid = a.atttypid \
               where c.relnamespace = current_schema::regnamespace and c.relkind = 'r' and a.attnum > 0 \
               and not a.attisdropped and c.relname <> '_sqlx_migrations' order by a.attnum";
    let found: Vec<(String, String, String, bool)> = query_as(sql).fetch_all(&mut db).await.unwrap();
    let mut tables: BTreeMap<String, Vec<(String, String, bool)>> = BTreeMap::new();
    for (table, column, kind, not_null) in found {
        tables.entry(table).or_default().push((column, kind, not_null));
    }
    let mut counts = BTreeMap::new();
    for (table, columns) in &tables {
        db.execute(AssertSqlSafe(format!("delete from {table}"))).await.unwrap();
        let alone = columns.iter().any(|(column, kind, _)| column == "id" && kind == "int8");
        for n in 1..=if alone { 1 } else { 3 } {
            let values = columns.iter().map(|(column, kind, not_null)| {
                let needed = *not_null || n < 3 || column == "username";
                if needed { literal(kind, n) } else { "null".to_owned() }
            });
            let values = values.collect::<Vec<_>>().join(", ");
            db.execute(AssertSqlSafe(format!("insert into {table} values ({values})"))).await.unwrap();
        }
        counts.insert(table.clone(), if alone { 1 } else { 3 });
    }
    let many = "insert into guesses select decode(md5(n::text), 'hex'), n, n from generate_series(1, $1) n";
    sqlx::query(many).bind(MANY as i64).execute(&mut db).await.unwrap();
    *counts.get_mut("guesses").unwrap() += MANY;
    counts
}

async fn postgres_rows(url: &str, table: &str) -> Vec<String> {
    let mut db = PgConnection::connect(url).await.unwrap();
    let sql = format!("select t::text from {table} t order by 1");
    query_scalar(AssertSqlSafe(sql)).fetch_all(&mut db).await.unwrap()
}

async fn sqlite_rows(url: &str, table: &str) -> Vec<String> {
    let mut db = SqliteConnection::connect(url).await.unwrap();
    let sql = "select group_concat('quote(\"' || name || '\")', ' || '','' || ') from pragma_table_info($1)";
    let columns: String = query_scalar(sql).bind(table).fetch_one(&mut db).await.unwrap();
    let sql = format!("select {columns} from {table} order by 1");
    query_scalar(AssertSqlSafe(sql)).fetch_all(&mut db).await.unwrap()
}

pub async fn run(database: Database, url: &str, sql: &'static str) {
    match database {
        Database::Postgres => {
            PgConnection::connect(url).await.unwrap().execute(sql).await.unwrap();
        }
        Database::Sqlite => {
            let mut db = SqliteConnection::connect(url).await.unwrap();
            db.execute(sql).await.unwrap();
            // Now, with the files beside it.
            db.close().await.unwrap();
        }
    }
}

pub async fn migrated(database: Database) -> Scratch {
    let scratch = Scratch::new(database).await;
    Db::open(&scratch.url(), 1).await.unwrap().close().await;
    scratch
}

pub async fn copied(from: &Scratch, to: &Scratch) -> anyhow::Result<Vec<Compared>> {
    copy(&from.url(), &to.url(), |_| {}).await
}

/// Tables that are not as a new database has them, with their rows.
async fn left_in(database: Database, url: &str) -> Vec<String> {
    let fresh = migrated(database).await;
    let mut left = Vec::new();
    for table in Schema::of_sqlite(&migrated(Database::Sqlite).await.url()).await.tables.keys() {
        let (there, new) = match database {
            Database::Postgres => (postgres_rows(url, table).await, postgres_rows(&fresh.url(), table).await),
            Database::Sqlite => (sqlite_rows(url, table).await, sqlite_rows(&fresh.url(), table).await),
        };
        if there != new {
            left.push(table.clone());
        }
    }
    left
}

#[tokio::test]
async fn every_table_and_column_gets_there_and_back() {
    let (first, postgres) = (migrated(Database::Postgres).await, Scratch::new(Database::Postgres).await);
    let (sqlite, other) = (Scratch::new(Database::Sqlite).await, Scratch::new(Database::Sqlite).await);
    let counts = fill(&first.url()).await;

    let (mut total, mut done) = (0, 0);
    let (from, to) = (first.url(), sqlite.url());
    let compared = copy(&from, &to, |step| match step {
        Step::Total(rows) => total = rows,
        Step::Done(rows) => done += rows,
        Step::Copying(_) | Step::Checking(_) => {}
    });
    let compared = compared.await.unwrap();
    let rows = |one: &Compared| (one.table.clone(), usize::try_from(one.to.rows).unwrap());
    assert_eq!(compared.iter().map(rows).collect::<BTreeMap<_, _>>(), counts);
    assert_eq!((total as usize, done), (counts.values().sum(), 2 * total));
    let tables = Schema::of_postgres(&first.url()).await.tables;
    assert!(tables.keys().eq(counts.keys()), "{tables:?}");

    for (from, to) in [(&sqlite, &other), (&other, &postgres)] {
        let next = copied(from, to).await.unwrap();
        // The checksum is that of what stands there, on whatever.
        for (one, next) in compared.iter().zip(&next) {
            assert!(one.is_same() && next.is_same(), "{one:?} {next:?}");
            assert_eq!(one.to, next.from, "{}", one.table);
        }
    }
    for table in counts.keys() {
        assert_eq!(postgres_rows(&first.url(), table).await, postgres_rows(&postgres.url(), table).await);
        assert_eq!(sqlite_rows(&sqlite.url(), table).await, sqlite_rows(&other.url(), table).await);
    }
    // As the store writes it.
    let (users, events) =
        (sqlite_rows(&sqlite.url(), "users").await, sqlite_rows(&sqlite.url(), "audit_events").await);
    assert!(users[0].contains("X'00000001FFFF7FFF8000000000000001'"), "{}", users[0]);
    assert!(users[0].contains("'2026-01-01T00:00:00.000001+00:00'"), "{}", users[0]);
    assert!(users[1].contains("'2026-02-03T04:05:06+00:00'"), "{}", users[1]);
    assert!(users[2].contains("'1999-12-31T23:59:59.500+00:00'"), "{}", users[2]);
    assert!(events[0].contains(r#"'{"a":[1.5,"é\n"],"b":{},"zz":1}'"#), "{}", events[0]);
}

/// A number that the database counts by itself would have to go on behind those that were copied.
#[tokio::test]
async fn no_column_is_numbered_by_the_database() {
    let postgres = migrated(Database::Postgres).await;
    let mut db = PgConnection::connect(&postgres.url()).await.unwrap();
    let sql =
        "select count(*) from pg_class where relnamespace = current_schema::regnamespace and relkind = 'S'";
    assert_eq!(query_scalar::<_, i64>(sql).fetch_one(&mut db).await.unwrap(), 0);
    let sqlite = migrated(Database::Sqlite).await;
    let mut db = SqliteConnection::connect(&sqlite.url()).await.unwrap();
    let sql = "select count(*) from sqlite_schema where lower(sql) like '%autoincrement%'";
    assert_eq!(query_scalar::<_, i64>(sql).fetch_one(&mut db).await.unwrap(), 0);
}

#[tokio::test]
async fn what_a_trigger_changes_on_the_way_is_found_and_nothing_is_kept() {
    let source = migrated(Database::Postgres).await;
    fill(&source.url()).await;
    for database in BOTH {
        let target = migrated(database).await;
        let spoil = match database {
            Database::Postgres => {
                "create function spoil() returns trigger language plpgsql as \
                 $$ begin new.failures := 7; return new; end $$; \
                 create trigger spoil before insert on guesses for each row when (new.failures = 99) \
                 execute function spoil()"
            }
            Database::Sqlite => {
                "create trigger spoil after insert on guesses when new.failures = 99 begin \
                 update guesses set failures = 7 where id = new.id; end"
            }
        };
        run(database, &target.url(), spoil).await;
        let compared = copied(&source, &target).await.unwrap();
        let different: Vec<_> = compared.iter().filter(|one| !one.is_same()).collect();
        assert!(different.len() == 1 && different[0].table == "guesses", "{database:?}: {different:?}");
        assert_eq!(different[0].from.rows, different[0].to.rows);
        assert!(left_in(database, &target.url()).await.is_empty(), "{database:?}");
    }
}

#[tokio::test]
async fn what_the_target_can_not_hold_is_named_and_nothing_is_kept() {
    let (full, source) = (migrated(Database::Postgres).await, Scratch::new(Database::Sqlite).await);
    fill(&full.url()).await;
    copied(&full, &source).await.unwrap();
    for (spoil, mend, told) in [
        (
            "update users set created_at = 'yesterday' where display_name = '1'",
            "update users set created_at = updated_at",
            "users; the target is as it was: row 1 in the order of its key: in the column created_at: not a time",
        ),
        (
            "update audit_events set details = '{' where event = '1'",
            "update audit_events set details = '{}'",
            "in the column details: not JSON",
        ),
        (
            "update sessions set user_agent = 'a' || char(0) where ip = '1'",
            "update sessions set user_agent = 'a'",
            "can't copy sessions",
        ),
    ] {
        run(Database::Sqlite, &source.url(), spoil).await;
        let target = Scratch::new(Database::Postgres).await;
        let error = format!("{:#}", copied(&source, &target).await.unwrap_err());
        assert!(error.contains(told), "{error}");
        assert!(left_in(Database::Postgres, &target.url()).await.is_empty());
        run(Database::Sqlite, &source.url(), mend).await;
        copied(&source, &target).await.unwrap();
    }
}

#[tokio::test]
async fn a_target_that_is_in_use_is_left_alone() {
    let source = migrated(Database::Postgres).await;
    for database in BOTH {
        for (used, told) in [
            ("insert into roles (name, description) values ('editor', '')", "roles 3"),
            ("update newest_change set seq = 1", "newest_change 1"),
            ("insert into schedule (task, next_at) values ('x', '2026-01-01T00:00:00+00:00')", "schedule 1"),
        ] {
            let target = migrated(database).await;
            run(database, &target.url(), used).await;
            let before = left_in(database, &target.url()).await;
            let error = format!("{:#}", copied(&source, &target).await.unwrap_err());
            assert!(error.contains("not empty") && error.contains(told), "{database:?}: {error}");
            assert_eq!(left_in(database, &target.url()).await, before);
        }
        // Nor is its schema brought up to date.
        let target = migrated(database).await;
        for sql in [
            "delete from _sqlx_migrations where version = 13",
            "drop table compatibility",
            "insert into schedule (task, next_at) values ('x', '2026-01-01T00:00:00+00:00')",
        ] {
            run(database, &target.url(), sql).await;
        }
        let error = format!("{:#}", copied(&source, &target).await.unwrap_err());
        assert!(error.contains("not empty"), "{error}");
        let tables = match database {
            Database::Postgres => Schema::of_postgres(&target.url()).await.tables,
            Database::Sqlite => Schema::of_sqlite(&target.url()).await.tables,
        };
        assert!(!tables.contains_key("compatibility"), "{database:?}");
    }
}

/// As docs/scaling.md has it done.
#[tokio::test]
async fn a_table_in_partitions_is_copied_like_any_other() {
    let source = migrated(Database::Postgres).await;
    let page = include_str!("../../docs/scaling.md");
    let sql = page.split("```sql\n").find(|block| block.contains("partition by range (day)")).unwrap();
    run(Database::Postgres, &source.url(), sql.split("```").next().unwrap()).await;
    let user = "insert into users (id, username, username_key, password_hash, password_version, email_verified, disabled, \
                created_at, updated_at) values ('00000000-0000-7000-8000-000000000001', 'ada', 'ada', '', 1, false, \
                false, now(), now()); insert into usage (user_id, key_id, service, day, requests) \
                select '00000000-0000-7000-8000-000000000001', '00000000-0000-0000-0000-000000000000', 'portcullis', \
                day, 1 from unnest(array[20000, 20788, 30000]) as day";
    run(Database::Postgres, &source.url(), user).await;
    for database in BOTH {
        let target = Scratch::new(database).await;
        let compared = copied(&source, &target).await.unwrap();
        assert!(compared.iter().any(|table| table.table == "usage" && table.to.rows == 3));
    }
}
