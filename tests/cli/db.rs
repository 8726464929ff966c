//! `portcullis db`.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteLockingMode};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::program::{Done, PASSWORD, Place, has_file, mode};

const DATA: &str = "data/portcullis.db";

/// With a user in it.
fn place() -> Place {
    let place = Place::quick();
    place.run_with_input(&["user", "create", "--username=ada"], &format!("{PASSWORD}\n")).expect(0);
    place
}

fn copy(place: &Place, to: &str) -> Done {
    place.run(&["db", "copy", &format!("--from=sqlite://{DATA}"), "--to", to])
}

async fn run_in(place: &Place, file: &str, sql: &'static str) {
    let file = place.path(file);
    let mut connection = sqlx::SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
    connection.execute(sql).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_copy_is_compared_told_and_served() {
    let place = place();
    let done = copy(&place, "sqlite://new/copy.db").expect(0);
    let rows: Vec<_> = done.stdout.lines().filter(|line| line.starts_with("users ")).collect();
    assert!(rows.len() == 1 && rows[0].ends_with("same"), "{}", done.stdout);
    assert!(done.stdout.contains("SECRET_KEY") && !done.stdout.contains("DIFFERENT"), "{}", done.stdout);
    assert_eq!((mode(place.path("new")), mode(place.path("new/copy.db"))), (0o700, 0o600));

    let told = place.run(&["db", "copy", "--json", "--from=sqlite://new/copy.db", "--to=sqlite://again.db"]);
    let told: Value = serde_json::from_str(&told.expect(0).stdout).unwrap();
    let tables = told["tables"].as_array().unwrap();
    let users = tables.iter().find(|table| table["table"] == "users").unwrap();
    assert_eq!((&told["same"], &users["from"]["rows"]), (&true.into(), &1.into()));
    assert_eq!(users["from"]["checksum"].as_str().unwrap().len(), 64);
    assert_eq!(users["from"], users["to"]);

    let server = place.serve(&["--database-url=sqlite://again.db"]);
    assert_eq!(server.login("ada", PASSWORD).await.0, 200);
    server.stop().expect(0);

    let again = copy(&place, "sqlite://again.db").expect(1).says(&["not empty", "users 1", "new file"]);
    assert!(again.stdout.is_empty());
}

#[tokio::test]
async fn what_arrives_otherwise_is_told_and_not_kept() {
    let place = place();
    place.run(&["migrate", "--database-url=sqlite://spoilt.db"]).expect(0);
    let spoil = "create trigger spoil after insert on users begin \
                 update users set display_name = 'Mallory' where id = new.id; end";
    run_in(&place, "spoilt.db", spoil).await;
    let done = copy(&place, "sqlite://spoilt.db").expect(1).says(&["users", "trigger", "empty as before"]);
    let different: Vec<_> = done.stdout.lines().filter(|line| line.ends_with("DIFFERENT")).collect();
    assert!(different.len() == 1 && different[0].starts_with("users "), "{}", done.stdout);
    run_in(&place, "spoilt.db", "drop trigger spoil").await;
    copy(&place, "sqlite://spoilt.db").expect(0);
}

#[test]
fn wrong_urls_are_told_without_their_passwords() {
    let place = Place::quick();
    let done = place.run(&["db", "copy", "--from=mysql://ada:hunter2@db/x", "--to=postgres://ada:hunter2@"]);
    let done = done.expect(2).says(&["--from", "--to", "sqlite://", "postgres://"]);
    assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    let same = place.run(&["db", "copy", "--from=sqlite://a.db", "--to=sqlite://a.db"]);
    same.expect(2).says(&["--to", "another"]);
    let nowhere = place.run(&["db", "copy", "--from=sqlite://a.db", "--to=sqlite://b.db"]);
    nowhere.expect(1).says(&["the source", "no file a.db"]);
    assert!(place.files().is_empty(), "{:?}", place.files());
}

#[tokio::test]
async fn only_a_source_at_this_version_is_copied_and_none_is_changed() {
    let place = place();
    run_in(&place, DATA, "update _sqlx_migrations set version = 9999 where version = 13").await;
    copy(&place, "sqlite://copy.db").expect(1).says(&["the source", "newer version", "9999"]);
    run_in(&place, DATA, "delete from _sqlx_migrations where version = 9999").await;
    copy(&place, "sqlite://copy.db").expect(1).says(&["the source", "portcullis migrate"]);
    assert!(!has_file(place.path("."), "copy.db"));
    std::fs::write(place.path("empty.db"), "").unwrap();
    let done = place.run(&["db", "copy", "--from=sqlite://empty.db", "--to=sqlite://copy.db"]);
    done.expect(1).says(&["the source", "no schema"]);
}

#[tokio::test]
async fn a_backup_is_private_whole_and_served() {
    let place = place();
    let server = place.serve(&[]);
    let told = place.run(&["db", "backup", "backup.db"]).expect(0).stdout;
    assert!(told.contains("bytes") && told.contains("SECRET_KEY"), "{told}");
    assert_eq!(mode(place.path("backup.db")), 0o600);
    assert_eq!(place.files(), ["backup.db", "data"]);
    place.run(&["db", "backup", "backup.db"]).expect(1).says(&["backup.db is there already"]);
    place.run(&["db", "backup", "nowhere/backup.db"]).expect(1).says(&["nowhere/backup.db"]);
    std::fs::write(place.path("moved.db-wal"), "").unwrap();
    place.run(&["db", "backup", "moved.db"]).expect(1).says(&["there is no moved.db, but moved.db-wal"]);
    place.run(&["user", "list", "--database-url=sqlite://moved.db"]).expect(1);
    std::fs::remove_file(place.path("moved.db-wal")).unwrap();
    assert_eq!(place.files(), ["backup.db", "data"]);
    assert_eq!(server.login("ada", PASSWORD).await.0, 200);
    server.stop().expect(0);
    let server = place.serve(&["--database-url=sqlite://backup.db"]);
    assert_eq!(server.login("ada", PASSWORD).await.0, 200);
}

/// While the database is held by who lets nobody read, a backup waits, with its draft begun.
#[tokio::test]
async fn a_backup_that_is_interrupted_leaves_nothing_and_one_that_is_killed_is_in_nobodys_way() {
    let place = place();
    let options = SqliteConnectOptions::new().filename(place.path(DATA));
    let begun = |place: &Place| {
        let backup = place.start(&["db", "backup", "backup.db"]);
        let since = Instant::now();
        while !has_file(place.path("."), "backup.db.") {
            assert!(since.elapsed() < Duration::from_secs(60), "it does not begin");
            std::thread::sleep(Duration::from_millis(5));
        }
        backup
    };
    let hold = async || {
        let mut held = options.clone().locking_mode(SqliteLockingMode::Exclusive).connect().await.unwrap();
        held.execute("begin exclusive").await.unwrap();
        held
    };
    for signal in [Signal::INT, Signal::TERM] {
        let held = hold().await;
        let mut backup = begun(&place);
        backup.signal(signal);
        backup.done().expect(1).says(&["no backup of", "interrupted"]);
        assert_eq!(place.files(), ["data"], "{signal:?}");
        held.close().await.unwrap();
    }

    let held = hold().await;
    let mut killed = begun(&place);
    killed.signal(Signal::KILL);
    assert_eq!(killed.done().code, None);
    assert!(has_file(place.path("."), "backup.db."), "it was not killed in the middle");
    held.close().await.unwrap();
    place.run(&["db", "backup", "backup.db"]).expect(0);
    let server = place.serve(&["--database-url=sqlite://backup.db"]);
    assert_eq!(server.login("ada", PASSWORD).await.0, 200);
}

#[test]
fn of_what_is_no_sqlite_database_there_is_no_backup() {
    let place = Place::quick();
    let done = place.run(&["db", "backup", "x.db", "--database-url=postgres://ada:hunter2@db/x"]);
    let done = done.expect(1).says(&["umask 077", "pg_dump", "x.db", "without ?pgbouncer=true"]);
    assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    place.run(&["db", "backup", "x.db"]).expect(1).says(&["no file data/portcullis.db"]);
    std::fs::write(place.path("junk.db"), "this is no database at all, and never was one".repeat(100))
        .unwrap();
    place
        .run(&["db", "backup", "x.db", "--database-url=sqlite://junk.db"])
        .expect(1)
        .says(&["not a database"]);
    assert_eq!(place.files(), ["junk.db"]);
}
