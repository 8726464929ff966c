//! A service on a copy of the database goes on where the first stopped: `db copy`, `db backup`.

use std::cell::Cell;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use futures_util::future::join;
use portcullis::accounts;
use portcullis::audit::Actor;
use portcullis::store::quotas::Per;
use serde_json::{Value, json};

use crate::DATABASE;
use crate::api::support::{Database, PASSWORD, Server, Tokens};

/// What a client has.
struct Held {
    root: Tokens,
    ada: Tokens,
    key: String,
    me: Value,
}

/// A service that was used: names of all scripts, addresses and their links, keys, quotas, roles, sessions that ended, wrong
/// passwords, a disabled user.
async fn used(server: &Server) -> Held {
    let root = server.admin("root").await;
    let body = json!({
        "username": "ada",
        "email": "Ada@Example.com",
        "password": PASSWORD,
        "display_name": "Ädä \\N 日本 𝒳 \"quoted\" 'single'",
    });
    server.post("/api/v1/register").json(body).expect(201).await;
    server.clock.advance(Duration::from_micros(1_234_567));
    let first = server.login("ada").await;
    server.post("/api/v1/logout").bearer(&first.access).expect(204).await;
    let ada = server.login("ada").await;
    server
        .post("/api/v1/login")
        .json(json!({ "login": "ada", "password": "wrong-lantern-1" }))
        .expect(401)
        .await;
    server.post("/api/v1/password/forgot").json(json!({ "email": "ada@example.com" })).expect(202).await;
    let made = server.post("/api/v1/me/keys").bearer(&ada.access).json(json!({ "name": "ключ" }));
    let key = made.expect(201).await.json()["key"].as_str().unwrap().to_owned();
    let eve = server.register("eve").await;
    let disable = server.patch(&format!("/api/v1/admin/users/{eve}")).bearer(&root.access);
    disable.json(json!({ "disabled": true })).expect(200).await;
    let me = server.get("/api/v1/me").bearer(&ada.access).expect(200).await.json();
    let id = me["id"].as_str().unwrap().parse().unwrap();
    accounts::set_quota(&server.app, id, 1000, Per::Day, &Actor::service()).await.unwrap();
    server.app.usage.flush(&server.app.db).await.unwrap();
    server.mails().await;
    Held { root, ada, key, me }
}

/// All that was good there is good here.
async fn goes_on(server: &Server, held: &Held) {
    let me = server.get("/api/v1/me").bearer(&held.ada.access).expect(200).await.json();
    assert_eq!(me, held.me);
    server.get("/api/v1/me").bearer(&held.key).expect(200).await;
    let refresh = server.post("/api/v1/refresh").json(json!({ "refresh_token": held.ada.refresh }));
    let next = Tokens::of(&refresh.expect(200).await.json());
    server.get("/api/v1/me").bearer(&next.access).expect(200).await;
    server.login("ada").await;
    server.post("/api/v1/login").json(json!({ "login": "eve", "password": PASSWORD })).expect(403).await;
    server.user("bob").await;
    // The feed goes on from its number.
    let before = server.changes().await;
    server.post("/api/v1/logout").bearer(&next.access).expect(204).await;
    server.get("/api/v1/me").bearer(&next.access).expect_problem(401, "revoked_token").await;
    assert_eq!(server.changes().await, before + 1);
    while !server.app.audit.seal(&server.app.db).await.unwrap() {}
    let verdict = server.app.audit.verify(&server.app.db).await.unwrap();
    assert!(verdict.broken.is_none() && verdict.verified > 8, "{:?}", verdict.broken);
    let list =
        server.get("/api/v1/admin/audit?event=login_failed").bearer(&held.root.access).expect(200).await;
    assert!(!list.json()["items"].as_array().unwrap().is_empty());
    server.get("/health/ready").expect(200).await;
}

#[actix_web::test]
async fn a_service_on_a_copy_goes_on_where_the_first_stopped() {
    let server = Server::start().await;
    let held = used(&server).await;
    let over = server.copied_to(Database::Sqlite).await;
    let back = over.copied_to(DATABASE).await;
    goes_on(&over, &held).await;
    goes_on(&back, &held).await;
}

/// There is none any more that could be asked for, but there may be one from before.
#[actix_web::test]
async fn a_time_after_the_year_9999_is_copied_as_any_other() {
    let server = Server::start().await;
    used(&server).await;
    let last = DateTime::parse_from_rfc3339("9999-12-31T23:59:59Z").unwrap().to_utc();
    let late = last + TimeDelta::hours(24);
    server.sql("update api_keys set expires_at = $1").bind(late).execute().await.unwrap();
    let over = server.copied_to(Database::Sqlite).await;
    let back = over.copied_to(DATABASE).await;
    for copied in [over, back] {
        let (at,): (DateTime<chrono::Utc>,) =
            copied.sql("select expires_at from api_keys").fetch_one().await.unwrap();
        assert_eq!(at, late);
    }
}

/// Registers one after the other, until told to stop; how many were answered.
async fn registrations(server: &Server, done: &Cell<bool>, answered: &Cell<usize>) {
    while !done.get() {
        server.register(&format!("user{}", answered.get())).await;
        answered.set(answered.get() + 1);
    }
}

/// Those who are there.
async fn users(server: &Server) -> usize {
    let sql = "select count(*) from users where username like 'user%'";
    let (count,): (i64,) = server.sql(sql).fetch_one().await.unwrap();
    usize::try_from(count).unwrap()
}

#[actix_web::test]
async fn a_copy_under_writes_is_that_of_one_moment() {
    let server = Server::start().await;
    let held = used(&server).await;
    let (done, answered) = (Cell::new(false), Cell::new(0));
    let copied = async {
        while answered.get() < 10 {
            tokio::task::yield_now().await;
        }
        let before = answered.get();
        let copied = server.copied_to(Database::Sqlite).await;
        done.set(true);
        (before, copied)
    };
    let ((before, copied), ()) = join(copied, registrations(&server, &done, &answered)).await;
    let there = users(&copied).await;
    assert!((before..=answered.get()).contains(&there), "{before} <= {there} <= {}", answered.get());
    // Each of them with what was noted of it in the same transaction.
    let sql = "select count(*) from audit_events e join users u on u.id = e.user_id \
               where e.event = 'user_registered' and u.username like 'user%'";
    let (noted,): (i64,) = copied.sql(sql).fetch_one().await.unwrap();
    assert_eq!(usize::try_from(noted).unwrap(), there);
    goes_on(&copied, &held).await;
}

#[actix_web::test]
async fn a_backup_under_writes_has_all_that_was_answered_before_it() {
    if DATABASE == Database::Postgres {
        return;
    }
    let server = Server::start().await;
    let held = used(&server).await;
    let (done, answered) = (Cell::new(false), Cell::new(0));
    let backed_up = async {
        let mut backups = Vec::new();
        for n in 1..4 {
            while answered.get() < 5 * n {
                tokio::task::yield_now().await;
            }
            backups.push((answered.get(), server.backed_up().await));
        }
        done.set(true);
        backups
    };
    let (backups, ()) = join(backed_up, registrations(&server, &done, &answered)).await;
    for (before, backup) in &backups {
        let there = users(backup).await;
        assert!((*before..=answered.get()).contains(&there), "{before} <= {there} <= {}", answered.get());
    }
    goes_on(&backups[2].1, &held).await;
}
