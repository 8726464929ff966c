//! Both databases have the same schema, and any number of processes may bring it up to date at once.

mod additive;
mod copy;
mod copy_target;
#[path = "../api/support/database.rs"]
mod database;
mod rows;
mod schema;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::time::Duration;
use std::{fs, thread};

use portcullis::store::Db;
use portcullis::store::migrations::{self, Standing};
use tokio::runtime::Builder;

use database::{Database, Scratch};
use schema::Schema;

const BOTH: [Database; 2] = [Database::Sqlite, Database::Postgres];

fn files(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn both_folders_have_the_same_files_numbered_without_a_gap() {
    assert_eq!(files("sqlite"), files("postgres"));
    for (n, name) in files("sqlite").iter().enumerate() {
        let well_named = name.starts_with(&format!("{:04}_", n + 1)) && name.ends_with(".sql");
        assert!(well_named, "{name} is not {:04}_….sql", n + 1);
    }
}

#[tokio::test]
async fn both_schemas_are_equal() {
    let mut schemas = Vec::new();
    for database in BOTH {
        let scratch = Scratch::new(database).await;
        Db::open(&scratch.url(), 1).await.unwrap().close().await;
        schemas.push(match database {
            Database::Sqlite => Schema::of_sqlite(&scratch.url()).await,
            Database::Postgres => Schema::of_postgres(&scratch.url()).await,
        });
    }
    let [sqlite, postgres] = schemas.try_into().unwrap();
    assert!(sqlite.tables.len() >= 7, "only {:?}", sqlite.tables.keys());
    let names = |schema: &Schema| schema.tables.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&sqlite), names(&postgres), "SQLite (left) and Postgres (right) differ in their tables");
    for (name, table) in &sqlite.tables {
        let other = &postgres.tables[name];
        let said = format!("SQLite (left) and Postgres (right) differ in `{name}`");
        for (column, other) in table.columns.iter().zip(&other.columns) {
            assert_eq!(column, other, "{said}");
        }
        assert_eq!(table.columns.len(), other.columns.len(), "{said}: number of columns");
        assert_eq!(table.primary_key, other.primary_key, "{said}: primary key");
        assert_eq!(table.unique, other.unique, "{said}: unique constraints");
        assert_eq!(table.indexes, other.indexes, "{said}: indexes");
        assert_eq!(table.foreign_keys, other.foreign_keys, "{said}: foreign keys");
        assert_eq!(table.checks, other.checks, "{said}: number of checks");
    }
    assert_eq!(sqlite.roles, postgres.roles, "SQLite (left) and Postgres (right) start with other roles");
}

#[tokio::test]
async fn every_sqlite_table_is_strict() {
    let scratch = Scratch::new(Database::Sqlite).await;
    Db::open(&scratch.url(), 1).await.unwrap().close().await;
    let lax = schema::lax_tables(&scratch.url()).await;
    assert!(lax.is_empty(), "these take any type in any column: {lax:?}");
}

/// As replicas, or a service and its command line: each with a runtime of its own.
#[tokio::test]
async fn eight_that_open_an_empty_database_at_once_all_succeed() {
    for database in BOTH {
        let scratch = Scratch::new(database).await;
        let (url, start) = (scratch.url(), Barrier::new(8));
        let open = || {
            start.wait();
            Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let db = Db::open(&url, 2).await?;
                let standing = migrations::standing(&db).await;
                db.close().await;
                anyhow::ensure!(standing? == Standing::Fit, "not all migrations are applied");
                Ok(())
            })
        };
        let failed: Vec<_> = thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            all.into_iter().filter_map(|one| one.join().unwrap().err()).collect()
        });
        assert!(failed.is_empty(), "{database:?}: {failed:?}");
    }
}

#[tokio::test]
async fn one_that_is_missing_below_others_is_told_from_one_to_come() {
    for database in BOTH {
        let scratch = Scratch::new(database).await;
        let db = Db::open(&scratch.url(), 1).await.unwrap();
        for (sql, standing, broken, missing) in [
            ("delete from _sqlx_migrations where version = 13", Standing::Behind, vec![], 1),
            ("delete from _sqlx_migrations where version = 2", Standing::Broken, vec![2], 1),
            ("delete from _sqlx_migrations where version = 12", Standing::Broken, vec![2], 2),
        ] {
            copy::run(database, &scratch.url(), sql).await;
            let state = migrations::state(&db).await.unwrap();
            assert_eq!(migrations::standing(&db).await.unwrap(), standing, "{database:?}: {sql}");
            assert_eq!((state.broken, state.missing), (broken, missing), "{database:?}: {sql}");
        }
        db.close().await;
    }
}

/// Within one process, where waiting for each other must not block what they wait for.
#[tokio::test]
async fn eight_that_open_an_empty_database_on_one_thread_all_succeed() {
    for database in BOTH {
        let scratch = Scratch::new(database).await;
        let (url, (done, outcome)) = (scratch.url(), channel());
        thread::spawn(move || {
            Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                let opened = futures_util::future::join_all((0..8).map(|_| Db::open(&url, 2))).await;
                let failed: Vec<_> = opened.iter().filter_map(|opened| opened.as_ref().err()).collect();
                done.send(format!("{failed:?}")).unwrap();
                for db in opened.iter().flatten() {
                    db.close().await;
                }
            });
        });
        let failed = outcome.recv_timeout(Duration::from_secs(30));
        assert_eq!(failed.as_deref(), Ok("[]"), "{database:?}: they wait for each other for ever");
    }
}
