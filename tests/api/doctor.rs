//! `portcullis doctor` beside a running service, on either database. What else it finds is in `tests/cli/doctor`.

use std::process::Command;

use portcullis::store::Db;
use serde_json::Value;

use crate::DATABASE;
use crate::api::support::{Database, Scratch, Server};

/// As a generator makes it.
const SECRET: &str = "--secret-key=6f1d0c5be2a94a7f8c3b9e17d2604fa85c7be0931f4d6a28";

/// What it found that is not well: check, verdict, and what that is.
fn found(server: &Server, flags: &[&str]) -> Vec<(String, String, String)> {
    found_at(&server.database_url(), flags)
}

fn found_at(database_url: &str, flags: &[&str]) -> Vec<(String, String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    program.current_dir(folder.path()).env_clear().args(["doctor", "--json", SECRET]);
    let done = program.arg(format!("--database-url={database_url}")).args(flags).output().unwrap();
    let report: Value =
        serde_json::from_slice(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    let text = |row: &Value, field: &str| row[field].as_str().unwrap().to_owned();
    let row = |row| (text(row, "check"), text(row, "verdict"), text(row, "what"));
    let rows: Vec<_> = report["checks"].as_array().unwrap().iter().map(row).collect();
    assert!(rows.len() >= 7, "{rows:?}");
    // How full this machine's disk is says nothing of the doctor.
    let is_told = |(_, verdict, what): &(String, String, String)| {
        verdict != "ok" && !(what.starts_with("the disk of ") && what.ends_with(" left"))
    };
    let wrong: Vec<_> = rows.into_iter().filter(is_told).collect();
    let problems = wrong.iter().any(|(_, verdict, _)| verdict == "problem");
    assert_eq!(done.status.code(), Some(i32::from(problems)), "{wrong:?}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "it made a file");
    wrong
}

/// Of these alone: who may read another program's file is another matter.
fn found_of_migrations(database_url: &str) -> Vec<(String, String, String)> {
    let mut found = found_at(database_url, &[]);
    found.retain(|(check, ..)| check == "migrations");
    found
}

/// Demands one that says this, and nothing else.
#[track_caller]
fn has(wrong: &[(String, String, String)], check: &str, verdict: &str, says: &str) {
    let [(c, v, what)] = wrong else { panic!("{wrong:?}") };
    assert_eq!((&**c, &**v), (check, verdict), "{what}");
    assert!(what.contains(says), "{what}");
}

#[actix_web::test]
async fn beside_a_service_that_is_well_it_finds_nothing() {
    let server = Server::with(&[SECRET]).await;
    server.admin("ada").await;
    assert_eq!(found(&server, &[]), []);
    has(&found(&server, &["--jwt-algorithm=RS256"]), "keys", "warning", "JWT_ALGORITHM is RS256");
    has(
        &found(&server, &["--secret-key-previous=0123456789abcdef0123456789abcdef"]),
        "settings",
        "warning",
        "can be guessed",
    );
    if DATABASE == Database::Postgres {
        has(
            &found(&server, &["--database-max-connections=1000"]),
            "database",
            "problem",
            "up to 1002 connections",
        );
    }
}

#[actix_web::test]
async fn a_schema_of_another_version_and_a_clock_that_is_behind_are_told() {
    let server = Server::with(&[SECRET]).await;
    server.admin("ada").await;
    server.sql("update audit_events set at = '2999-02-03T04:05:06.000000+00:00'").execute().await.unwrap();
    has(&found(&server, &[]), "clock", "warning", "2999-02-03");
    server.sql("delete from _sqlx_migrations where version = 2").execute().await.unwrap();
    has(&found(&server, &[]), "migrations", "problem", "of [2]");
    server.sql("update _sqlx_migrations set version = 4711 where version = 3").execute().await.unwrap();
    let wrong = found(&server, &[]);
    has(&wrong[..1], "migrations", "warning", "newer version");
    has(&wrong[1..], "migrations", "problem", "of [2, 3]");

    let server = Server::with(&[SECRET]).await;
    server.sql("delete from _sqlx_migrations where version = 13").execute().await.unwrap();
    has(&found(&server, &[]), "migrations", "warning", "1 are missing");
    if DATABASE == Database::Postgres {
        let url = server.database_url();
        let wrong =
            found_at(&format!("{url}{}pgbouncer=true", if url.contains('?') { '&' } else { '?' }), &[]);
        let told = wrong.iter().find(|(check, ..)| check == "migrations");
        let (_, verdict, what) = told.expect("nothing is told of migrations");
        assert_eq!(verdict, "problem");
        assert!(what.contains("can't be made through PgBouncer: run `portcullis migrate`"), "{what}");
    }
}

#[actix_web::test]
async fn a_key_that_the_secret_does_not_open_is_told() {
    let server = Server::with(&[SECRET]).await;
    server.admin("ada").await;
    server
        .sql("update signing_keys set private_key = secret_fingerprint.fingerprint from secret_fingerprint")
        .execute()
        .await
        .unwrap();
    has(&found(&server, &[]), "keys", "problem", "can't be decrypted");
}

/// What is said before the first start is what that start does.
#[actix_web::test]
async fn tables_of_another_program_are_a_problem_only_where_the_start_fails_on_them() {
    for (sql, in_the_way) in [
        ("create table of_another (id text)", ""),
        ("create view of_another as select 1 as id", ""),
        ("create table quotas (id text)", "(quotas)"),
        ("create view usage as select 1 as id", "(usage)"),
        ("create table of_another (id text); create index mails_due on of_another (id)", "(mails_due)"),
        // Made by one migration, and dropped by another.
        (
            "create table of_another (id text); create index audit_events_by_time on of_another (id)",
            "(audit_",
        ),
    ] {
        let database = Scratch::new(DATABASE).await;
        database.run(sql).await;
        let url = database.url();
        let before = found_of_migrations(&url);
        let started = Db::open(&url, 1).await;
        assert_eq!(started.is_err(), !in_the_way.is_empty(), "{sql}");
        if let Ok(db) = started {
            db.close().await;
            assert_eq!((before, found_of_migrations(&url)), (vec![], vec![]), "{sql}");
        } else {
            has(&before, "migrations", "problem", in_the_way);
        }
    }
    if DATABASE == Database::Postgres {
        let database = Scratch::new(DATABASE).await;
        database.run("create type usage as enum ('a')").await;
        has(&found_of_migrations(&database.url()), "migrations", "problem", "(usage)");
        assert!(Db::open(&database.url(), 1).await.is_err());
    }
}
