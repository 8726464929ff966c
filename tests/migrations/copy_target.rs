//! What `db copy` takes for its target, and that what it refuses is not touched.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use portcullis::store::Db;
use sqlx::{Connection, PgConnection, query_scalar};

use crate::BOTH;
use crate::copy::{copied, migrated, run};
use crate::database::{Database, Scratch};

fn folder(scratch: &Scratch) -> &Path {
    let Scratch::Sqlite(folder) = scratch else { panic!("it has no folder") };
    folder.path()
}

fn chmod(file: &Path, mode: u32) {
    fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
}

/// All that could have changed: every file with its bytes, or every name in the schema.
async fn state(scratch: &Scratch) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = match scratch {
        Scratch::Sqlite(folder) => fs::read_dir(folder.path())
            .unwrap()
            .map(|file| file.unwrap().path())
            // A link may lead to nothing.
            .map(|file| (file.clone(), fs::read(file).unwrap_or_default()))
            .collect(),
        Scratch::Postgres { .. } => {
            let mut db = PgConnection::connect(&scratch.url()).await.unwrap();
            let sql = "select relname::text from pg_class where relnamespace = current_schema::regnamespace";
            let names: Vec<String> = query_scalar(sql).fetch_all(&mut db).await.unwrap();
            names.into_iter().map(|name| (name.into(), Vec::new())).collect()
        }
    };
    all.sort();
    all
}

async fn refusal(source: &Scratch, target: &Scratch) -> String {
    let before = state(target).await;
    let error = format!("{:#}", copied(source, target).await.unwrap_err());
    assert!(error.contains("the target") && error.contains("Nothing was copied"), "{error}");
    assert!(state(target).await == before, "{error}; and yet it was changed");
    error
}

/// A new one, private, with what somebody else made there.
async fn with(database: Database, sql: &'static str) -> Scratch {
    let target = Scratch::new(database).await;
    if database == Database::Sqlite {
        let file = folder(&target).join("test.db");
        fs::write(&file, "").unwrap();
        chmod(&file, 0o600);
    }
    run(database, &target.url(), sql).await;
    target
}

#[tokio::test]
async fn where_something_else_is_nothing_is_written() {
    let source = migrated(Database::Sqlite).await;
    for database in BOTH {
        for (sql, told) in [
            ("create table foo (id text)", "something else (foo)"),
            ("create view foo as select 1 as one", "something else (foo)"),
            ("create table users (id text)", "something else (users)"),
            ("create table users (id text); insert into users values ('x')", "something else (users)"),
            (
                "create table a (x text); create table b (x text); create table c (x text); create table d (x text); \
                 create table e (x text); create table f (x text); create table g (x text)",
                "(a, b, c, d, e and 2 more)",
            ),
        ] {
            let error = refusal(&source, &with(database, sql).await).await;
            assert!(error.contains("not empty") && error.contains(told), "{database:?}: {error}");
        }
        // Beside a schema of ours in which there is nothing.
        let target = migrated(database).await;
        run(database, &target.url(), "create table foo (id text)").await;
        assert!(refusal(&source, &target).await.contains("something else (foo)"));
    }
}

#[tokio::test]
async fn a_schema_that_can_not_be_brought_up_to_date_is_left_as_it_is() {
    let source = migrated(Database::Sqlite).await;
    for database in BOTH {
        for (sql, told) in [
            ("delete from _sqlx_migrations where version = 2", "migrations [2]"),
            ("update _sqlx_migrations set success = false where version = 3", "migrations [3]"),
            ("update _sqlx_migrations set version = 9999 where version = 13", "newer version"),
        ] {
            let target = migrated(database).await;
            run(database, &target.url(), sql).await;
            let error = refusal(&source, &target).await;
            assert!(error.contains(told), "{database:?}: {error}");
        }
        let empty = migrated(database).await;
        copied(&source, &empty).await.unwrap();
    }
}

#[tokio::test]
async fn a_file_that_every_user_may_open_gets_no_hashes() {
    let source = migrated(Database::Sqlite).await;
    let target = Scratch::new(Database::Sqlite).await;
    let file = folder(&target).join("test.db");
    fs::write(&file, "").unwrap();
    chmod(&file, 0o644);
    let error = refusal(&source, &target).await;
    assert!(error.contains("every user") && error.contains("chmod 600"), "{error}");
    chmod(&file, 0o600);
    copied(&source, &target).await.unwrap();
}

#[tokio::test]
async fn what_another_database_left_beside_is_not_taken_for_its_own() {
    let source = migrated(Database::Sqlite).await;
    for left in ["test.db-wal", "test.db-journal"] {
        let target = Scratch::new(Database::Sqlite).await;
        fs::write(folder(&target).join(left), "latest writes").unwrap();
        assert!(refusal(&source, &target).await.contains(left));
        let error = Db::open(&target.url(), 1).await.map(drop).unwrap_err();
        assert!(format!("{error:#}").contains(left), "{error:#}");
        fs::remove_file(folder(&target).join(left)).unwrap();
        fs::create_dir(folder(&target).join("test.db")).unwrap();
        assert!(refusal(&source, &target).await.contains("is a folder"));
    }
}

#[tokio::test]
async fn a_link_to_nothing_is_not_followed() {
    let source = migrated(Database::Sqlite).await;
    let target = Scratch::new(Database::Sqlite).await;
    let elsewhere = folder(&target).join("elsewhere.db");
    symlink(&elsewhere, folder(&target).join("test.db")).unwrap();
    assert!(refusal(&source, &target).await.contains("test.db is a link to a file that is not there"));
    // To a file that is there it leads as ever.
    fs::write(&elsewhere, "").unwrap();
    chmod(&elsewhere, 0o600);
    copied(&source, &target).await.unwrap();
}
