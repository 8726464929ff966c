//! What an operator is told of a database that goes away, or can't be used from the start.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{Connection, PgConnection};

use crate::postgres_server::Postgres;
use crate::program::read;
use crate::setting::place;

/// What is done beside the requests each second, and fails meanwhile.
const TASKS: [&str; 3] =
    ["mails could not be looked for", "mailed links", "the audit log could not be sealed"];

#[tokio::test(flavor = "multi_thread")]
async fn that_it_went_away_and_came_back_is_told_once_each() {
    let mut postgres = Postgres::start().await;
    let place = place().with("DATABASE_URL", &postgres.url());
    let place = place.with("RUST_LOG", "info,portcullis::store::outage=debug");
    for is_killed in [true, false] {
        let mut server = place.serve(&[]);
        match is_killed {
            true => postgres.kill(),
            false => postgres.freeze(),
        }
        let gone = server.running.line_with("the database does not answer");
        assert!(gone.contains("WARN"), "{gone}");
        // A second time, each.
        for task in TASKS.iter().chain(&TASKS) {
            let line = server.running.line_with(task);
            assert!(line.contains("DEBUG"), "{line}");
        }
        match is_killed {
            true => postgres.start_again().await,
            false => postgres.thaw(),
        }
        let back = server.running.line_with("the database answers again, after");
        assert!(back.contains("INFO"), "{back}");
        let done = server.stop().expect(0);
        let (_, told) = done.stderr.split_once("listening on").unwrap();
        let warnings: Vec<_> =
            told.lines().skip(1).filter(|line| !line.contains("DEBUG") && !line.contains("INFO")).collect();
        assert_eq!(warnings.len(), 1, "{told}");
    }
}

/// The same place, for somebody else.
fn url(postgres: &Postgres, user: &str, database: &str) -> String {
    format!("postgres://{user}:hunter2@{}/{database}", postgres.address())
}

#[tokio::test(flavor = "multi_thread")]
async fn why_it_cant_be_used_is_told_once_with_what_to_do() {
    let postgres = Postgres::start().await;
    let mut admin = PgConnection::connect(&postgres.url()).await.unwrap();
    for sql in [
        "create role ada login password 'hunter2'",
        "create role closed nologin password 'hunter2'",
        "create role full login password 'hunter2' connection limit 0",
        "revoke create on schema public from public",
    ] {
        sqlx::query(sql).execute(&mut admin).await.unwrap();
    }
    let nobody = format!("postgres://ada:hunter2@127.0.0.1:{}/x", crate::setting::free_port());
    for (url, what, todo) in [
        (url(&postgres, "postgres", "postgres"), "SQLSTATE 28P01", "PGPASSWORD"),
        (url(&postgres, "closed", "postgres"), "SQLSTATE 28000", "pg_hba.conf"),
        (url(&postgres, "ada", "nowhere"), "SQLSTATE 3D000", "createdb"),
        (url(&postgres, "full", "postgres"), "SQLSTATE 53300", "max_connections"),
        (url(&postgres, "ada", "postgres"), "SQLSTATE 42501", "owner"),
        (nobody, "connection refused", "start Postgres"),
        (
            "postgres://ada:hunter2@nowhere.invalid:5432/x".to_owned(),
            "its host is not found",
            "mend the host",
        ),
    ] {
        let done = place().with("DATABASE_URL", &url).run(&["migrate"]).expect(1);
        let told = done.says(&["DATABASE_URL", &url.replace(":hunter2", ""), what, todo]).stderr;
        assert_eq!((told.lines().count(), told.matches(what).count()), (1, 1), "{told}");
        assert!(!told.contains("hunter2") && !told.contains("at line"), "{told}");
    }
    postgres.freeze();
    let done = place().with("DATABASE_URL", &postgres.url()).run(&["migrate"]).expect(1);
    let done = done.says(&["no answer within", "firewall"]);
    assert!(done.took < Duration::from_secs(10), "{done:?}");
    postgres.thaw();
}

/// A password that was replaced, a database that is being restored: it is as if Postgres were away, until it is put right.
#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_that_lets_nobody_in_is_one_that_is_away() {
    let postgres = Postgres::start().await;
    let mut admin = PgConnection::connect(&postgres.url()).await.unwrap();
    let mut does = async |sql: &'static str| {
        sqlx::query(sql).execute(&mut admin).await.unwrap();
    };
    does("create role ada login password 'hunter2'").await;
    does("create database app owner ada").await;
    let place = place().with("DATABASE_URL", &url(&postgres, "ada", "app"));
    let server = place.serve(&[]);
    let login = json!({ "username": "nobody", "password": "x" });
    for (shut, open) in [
        ("alter role ada password 'another'", "alter role ada password 'hunter2'"),
        ("alter role ada nologin", "alter role ada login"),
        ("alter database app allow_connections false", "alter database app allow_connections true"),
    ] {
        does(shut).await;
        does("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = 'ada'").await;
        for _ in 0..5 {
            for request in
                [server.request("GET", "/health/ready"), server.request("POST", "/api/v1/login").json(&login)]
            {
                let (status, problem) = read(request).await;
                assert_eq!((status, &problem["code"]), (503, &json!("unavailable")), "{shut}: {problem}");
            }
        }
        does(open).await;
        let since = Instant::now();
        while read(server.request("GET", "/health/ready")).await.0 != 200 {
            assert!(since.elapsed() < Duration::from_secs(10), "it does not come back after {open}");
        }
    }
    server.stop().expect(0);
}
