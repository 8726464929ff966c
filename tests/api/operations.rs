//! `/health`, `/openapi.json`, `/docs`, and a database that goes away.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use portcullis::error::Error;
use portcullis::store::Executor;
use serde_json::json;

use crate::DATABASE;
use crate::api::support::{Database, PASSWORD, Proxy, Server};

#[actix_web::test]
async fn a_running_service_is_live_and_ready() {
    let server = Server::start().await;
    assert_eq!(server.get("/health/live").expect(200).await.json(), json!({ "status": "ok" }));
    assert_eq!(server.get("/health/ready").expect(200).await.json(), json!({ "status": "ok" }));
}

#[actix_web::test]
async fn a_service_that_stops_or_lacks_migrations_is_live_but_not_ready() {
    let server = Server::start().await;
    server.sql("delete from _sqlx_migrations where version = 13").execute().await.unwrap();
    server.get("/health/ready").expect_problem(503, "unavailable").await;

    // No start could run it any more.
    let server = Server::start().await;
    server.sql("delete from _sqlx_migrations where version = 2").execute().await.unwrap();
    server.get("/health/ready").expect_problem(503, "unavailable").await;

    let server = Server::start().await;
    server.app.begin_drain();
    server.get("/health/ready").expect_problem(503, "unavailable").await;
    server.get("/health/live").expect(200).await;
    server.app.begin_shutdown();
    server.get("/health/ready").expect_problem(503, "unavailable").await;
    server.get("/health/live").expect(200).await;
}

#[actix_web::test]
async fn the_document_and_its_page_are_served_whole() {
    let server = Server::start().await;
    assert_eq!(server.get("/openapi.json").expect(200).await.json()["openapi"], "3.1.0");
    let page = server.get("/docs").expect(200).await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'"), "{policy}");
    let assets = page.text.split('"').filter_map(|text| text.strip_prefix("docs/")).collect::<Vec<_>>();
    assert_eq!(assets.len(), 4);
    for asset in assets {
        assert!(server.get(&format!("/docs/{asset}")).expect(200).await.text.len() > 100, "{asset}");
    }
    for missing in ["x", "index.html", "..%2fCargo.toml", "swagger-ui.js"] {
        server.get(&format!("/docs/{missing}")).expect_problem(404, "not_found").await;
    }
}

#[actix_web::test]
async fn another_secret_is_refused_with_what_to_do() {
    let server = Server::start().await;
    let message = server.start_again(&["--secret-key=another-key-not-secret-0123456789"]).await.unwrap_err();
    assert!(message.contains("SECRET_KEY") && message.contains("data/secret.key"), "{message}");
    server.start_again(&[]).await.unwrap();
}

/// SQLite's database is a file of this machine, and is never away.
#[actix_web::test]
async fn a_database_that_is_away_is_a_503_within_5_seconds_and_comes_back_by_itself() {
    if DATABASE == Database::Sqlite {
        return;
    }
    let (server, proxy) = Server::behind_a_proxy().await;
    let tokens = server.user("ada").await;
    for fault in [Proxy::cut, Proxy::freeze] {
        fault(&proxy);
        // What it answers from memory meanwhile is true.
        server.follows_no_more().await;
        let me = server.get("/api/v1/me").bearer(&tokens.access).within(Duration::from_secs(5));
        let answer = me.expect_problem(503, "unavailable").await;
        assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
        let ready = server.get("/health/ready").within(Duration::from_secs(5));
        ready.expect_problem(503, "unavailable").await;
        server.get("/health/live").expect(200).await;

        proxy.mend();
        // Connections that broke are found out one by one, each by the request that meets it.
        let mut tries = 0;
        while server.get("/api/v1/me").bearer(&tokens.access).send().await.status != 200 {
            tries += 1;
            assert!(tries < 20, "it did not come back");
        }
    }
}

/// They wait for the same thing, and not for each other.
#[actix_web::test]
async fn many_at_once_are_told_so_within_5_seconds_too() {
    if DATABASE == Database::Sqlite {
        return;
    }
    let (server, proxy) = Server::behind_a_proxy().await;
    let tokens = server.user("ada").await;
    for fault in [Proxy::cut, Proxy::freeze] {
        fault(&proxy);
        server.follows_no_more().await;
        let asked = (0..8).map(|_| {
            let me = server.get("/api/v1/me").bearer(&tokens.access).within(Duration::from_secs(5));
            me.expect_problem(503, "unavailable")
        });
        join_all(asked).await;
        proxy.mend();
        server.follows().await;
    }
}

/// Each statement would come in time, and all that a login takes would not.
#[actix_web::test]
async fn many_statements_over_a_slow_line_are_given_up_within_8_seconds() {
    if DATABASE == Database::Sqlite {
        return;
    }
    let (server, proxy) = Server::behind_a_proxy().await;
    server.register("ada").await;
    proxy.slow_down(Duration::from_millis(600));
    let login = server.post("/api/v1/login").json(json!({ "login": "ada", "password": PASSWORD }));
    login.within(Duration::from_secs(8)).expect_problem(503, "unavailable").await;
    proxy.mend();
}

/// Of Postgres it is the default, and the operator's to choose.
#[actix_web::test]
async fn what_sqlite_has_answered_is_on_the_disk() {
    if DATABASE == Database::Sqlite {
        let server = Server::start().await;
        let full: (i64,) = server.sql("pragma synchronous").fetch_one().await.unwrap();
        let journal: (String,) = server.sql("pragma journal_mode").fetch_one().await.unwrap();
        assert_eq!((full.0, journal.0.as_str()), (2, "wal"));
    }
}

/// More that never end by themselves than there are connections, a write in a transaction among them.
#[actix_web::test]
async fn a_statement_that_is_given_up_leaves_its_connection() {
    let server = Server::start().await;
    server.register("bob").await;
    let endless = "select count(*) from (with recursive n (i) as (select 1 union all select i + 1 from n) select i from n) as n";
    let readers = std::thread::available_parallelism().unwrap().get();
    let reads = join_all((0..=readers).map(|_| server.sql(endless).fetch_one::<(i64,)>()));
    let mut transaction = server.app.db.begin().await.unwrap();
    let write = "update users set updated_at = updated_at where 0 < \
                 (with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n)";
    let write = Executor::query(&mut transaction, write).execute();
    let (reads, write) = futures_util::future::join(reads, write).await;
    for outcome in reads.into_iter().map(|read| read.map(drop)).chain([write.map(drop)]) {
        assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
    }
    drop(transaction);
    // These would wait for a connection until their own time is over.
    let reads = (0..readers).map(|_| server.sql("select count(*) from users").fetch_one::<(i64,)>());
    for read in join_all(reads).await {
        assert_eq!(read.unwrap(), (1,));
    }
    server.register("ada").await;
}

/// SQLite does so when the disk is full.
#[actix_web::test]
async fn a_transaction_that_the_database_ends_by_itself_does_no_harm_to_the_next() {
    let server = Server::start().await;
    for _ in 0..3 {
        let mut transaction = server.app.db.begin().await.unwrap();
        Executor::query(&mut transaction, "rollback").execute().await.unwrap();
        drop(transaction);
        server.user("ada").await;
        let delete = server.delete("/api/v1/me").bearer(&server.login("ada").await.access);
        delete.json(json!({ "password": PASSWORD })).expect(204).await;
    }
}

/// A request that is cut off while its transaction begins must not leave a connection inside one: what later requests
/// write there would never be committed.
#[actix_web::test]
async fn what_is_written_after_a_frozen_line_is_there_for_all() {
    if DATABASE == Database::Sqlite {
        return;
    }
    let (server, proxy) = Server::behind_a_proxy().await;
    let elsewhere = server.replica(&[]).await;
    let tokens = server.user("ada").await;
    proxy.freeze();
    let login = || server.post("/api/v1/login").json(json!({ "login": "ada", "password": PASSWORD }));
    let logout = || server.post("/api/v1/logout").bearer(&tokens.access).json(json!({ "scope": "others" }));
    let cut_off =
        (0..4).flat_map(|_| [login(), logout()]).map(|request| request.within(Duration::from_secs(6)));
    join_all(cut_off.map(|request| request.expect_problem(503, "unavailable"))).await;
    proxy.mend();
    for n in 0..20 {
        let name = format!("name {n}");
        let change = server.patch("/api/v1/me").bearer(&tokens.access).json(json!({ "display_name": name }));
        if change.send().await.status == 200 {
            let changed = Instant::now();
            loop {
                let asked = changed.elapsed();
                let me = elsewhere.get("/api/v1/me").bearer(&tokens.access).expect(200).await.json();
                if me["display_name"] == name {
                    break;
                }
                assert!(asked < Duration::from_secs(1), "{name} is not there for all");
            }
        }
    }
}

/// Of those whose transaction begins just when the line is lost, nothing ever comes back.
#[actix_web::test]
async fn a_line_that_is_lost_costs_no_connection_for_good() {
    if DATABASE == Database::Sqlite {
        return;
    }
    let (server, proxy) = Server::behind_a_proxy().await;
    for _ in 0..3 {
        let begin_again_and_again = (0..10).map(|_| async { while server.app.db.begin().await.is_ok() {} });
        let lose = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            proxy.lose();
        };
        futures_util::future::join(join_all(begin_again_and_again), lose).await;
        proxy.mend();
    }
    let (mended, mut all_at_once) = (Instant::now(), Vec::new());
    while all_at_once.len() < 10 {
        all_at_once.extend(server.app.db.begin().await.ok());
        assert!(mended.elapsed() < Duration::from_secs(20), "only {} of 10 are left", all_at_once.len());
    }
}
