//! What one replica does holds on the others within a second, and a replica that can't know believes nothing.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join4;
use serde_json::{Value, json};

use crate::DATABASE;
use crate::api::support::{Answer, Database, PASSWORD, Server, Tokens};

const ALLOWED: Duration = Duration::from_secs(1);

/// What takes rights away.
#[derive(Clone, Copy, Debug)]
enum Change {
    Logout,
    LogoutEverywhere,
    EndedElsewhere,
    PasswordChanged,
    Deleted,
    Disabled,
    RoleRemoved,
    RefreshTokenReused,
}

const CHANGES: [Change; 8] = [
    Change::Logout,
    Change::LogoutEverywhere,
    Change::EndedElsewhere,
    Change::PasswordChanged,
    Change::Deleted,
    Change::Disabled,
    Change::RoleRemoved,
    Change::RefreshTokenReused,
];

/// A route that needs the role where that is what goes.
fn route(change: Change) -> &'static str {
    if matches!(change, Change::RoleRemoved) { "/api/v1/admin/users" } else { "/api/v1/me" }
}

fn is_refused(change: Change, answer: &Answer) -> bool {
    let refused =
        if matches!(change, Change::RoleRemoved) { (403, "forbidden") } else { (401, "revoked_token") };
    answer.status == refused.0 && answer.json()["code"] == refused.1
}

async fn make(change: Change, server: &Server, admin: &Tokens, ada: &Tokens) {
    let me = server.get("/api/v1/me").bearer(&ada.access).expect(200).await.json();
    let id = me["id"].as_str().unwrap();
    let name = me["username"].as_str().unwrap();
    let as_ada = |method: &str, path: &str| server.request(method, path).bearer(&ada.access);
    let as_admin = |body: Value| {
        server.patch(&format!("/api/v1/admin/users/{id}")).bearer(&admin.access).json(body).expect(200)
    };
    match change {
        Change::Logout => drop(as_ada("POST", "/api/v1/logout").expect(204).await),
        Change::LogoutEverywhere => {
            drop(as_ada("POST", "/api/v1/logout").json(json!({ "scope": "all" })).expect(204).await);
        }
        Change::EndedElsewhere => {
            let sessions = as_ada("GET", "/api/v1/me/sessions").expect(200).await.json();
            let session = sessions["items"][0]["id"].as_str().unwrap();
            drop(as_ada("DELETE", &format!("/api/v1/me/sessions/{session}")).expect(204).await);
        }
        Change::PasswordChanged => {
            let other = server.login(name).await;
            let body = json!({ "current_password": PASSWORD, "new_password": "another-lantern-77" });
            drop(server.put("/api/v1/me/password").bearer(&other.access).json(body).expect(204).await);
        }
        Change::Deleted => {
            drop(as_ada("DELETE", "/api/v1/me").json(json!({ "password": PASSWORD })).expect(204).await);
        }
        Change::Disabled => drop(as_admin(json!({ "disabled": true })).await),
        Change::RoleRemoved => drop(as_admin(json!({ "roles": [] })).await),
        Change::RefreshTokenReused => {
            let refresh =
                |token: &str| server.post("/api/v1/refresh").json(json!({ "refresh_token": token }));
            let next = Tokens::of(&refresh(&ada.refresh).expect(200).await.json());
            server.get("/api/v1/me").bearer(&next.access).expect(200).await;
            server.clock.advance(Duration::from_secs(31));
            drop(refresh(&ada.refresh).expect_problem(401, "invalid_refresh_token").await);
        }
    }
}

/// Someone new, whose token both servers know.
async fn known_on(servers: [&Server; 2], n: usize, change: Change) -> Tokens {
    let name = format!("ada-{n}");
    let role = if matches!(change, Change::RoleRemoved) { "admin" } else { "introspect" };
    let ada = servers[0].user_with(&name, role).await;
    for server in servers {
        server.get(route(change)).bearer(&ada.access).expect(200).await;
        server.get(route(change)).bearer(&ada.access).expect(200).await;
    }
    ada
}

#[actix_web::test]
async fn each_change_holds_at_once_here_and_within_a_second_there_a_hundred_times_under_load() {
    let here = Server::start().await;
    let there = here.replica(&[]).await;
    let admin = here.admin("root").await;
    let busy = here.user("busy").await;

    let (done, slowest) = (Cell::new(false), Cell::new(Duration::ZERO));
    let load = async |server: &Server| {
        let mut requests = 0;
        while !done.get() {
            server.get("/api/v1/me").bearer(&busy.access).expect(200).await;
            requests += 1;
        }
        requests
    };
    let changes = async {
        for (n, change) in CHANGES.into_iter().cycle().take(104).enumerate() {
            let ada = known_on([&here, &there], n, change).await;
            make(change, &here, &admin, &ada).await;
            let made = Instant::now();
            let at_once = here.get(route(change)).bearer(&ada.access).send().await;
            assert!(is_refused(change, &at_once), "{change:?} here: {} {}", at_once.status, at_once.text);
            loop {
                // By when it was asked: what came in time is right, however long its answer takes.
                let asked = made.elapsed();
                let answer = there.get(route(change)).bearer(&ada.access).send().await;
                if is_refused(change, &answer) {
                    slowest.set(slowest.get().max(asked));
                    break;
                }
                assert_eq!(answer.status, 200, "{change:?} there: {}", answer.text);
                assert!(asked < ALLOWED, "{change:?} does not hold there after {asked:?}");
            }
        }
        done.set(true);
    };
    let (_, on_here, on_there, on_there_too) = join4(changes, load(&here), load(&there), load(&there)).await;
    println!("slowest: {:?}, beside {} requests", slowest.get(), on_here + on_there + on_there_too);
}

#[actix_web::test]
async fn names_show_on_the_other_replica_within_a_second() {
    let here = Server::start().await;
    let there = here.replica(&[]).await;
    let ada = known_on([&here, &there], 0, Change::Logout).await;
    here.patch("/api/v1/me")
        .bearer(&ada.access)
        .json(json!({ "display_name": "Countess" }))
        .expect(200)
        .await;
    let made = Instant::now();
    loop {
        let asked = made.elapsed();
        let me = there.get("/api/v1/me").bearer(&ada.access).expect(200).await.json();
        if me["display_name"] == "Countess" {
            break;
        }
        assert!(asked < ALLOWED);
    }
}

/// SQLite is a file: there is no line to cut.
#[actix_web::test]
async fn a_replica_whose_line_is_cut_or_frozen_stops_believing_and_recovers() {
    if DATABASE == Database::Sqlite {
        return;
    }
    let here = Server::start().await;
    let (there, proxy) = here.replica_behind_a_proxy().await;
    for (n, frozen) in [false, true].into_iter().enumerate() {
        let ada = known_on([&here, &there], 2 * n, Change::Logout).await;
        let bob = known_on([&here, &there], 2 * n + 1, Change::Logout).await;
        if frozen {
            proxy.freeze()
        } else {
            proxy.cut()
        }
        here.post("/api/v1/logout").bearer(&ada.access).expect(204).await;
        let made = Instant::now();
        loop {
            let sent = made.elapsed();
            let answer = there.get("/api/v1/me").bearer(&ada.access).send().await;
            if answer.status == 503 {
                assert_eq!(answer.json()["code"], "unavailable");
                assert!(!answer.header("retry-after").is_empty());
                break;
            }
            assert!(answer.status == 200 && sent < ALLOWED, "{} to a request after {sent:?}", answer.status);
        }
        assert!(!there.app.changes.are_followed());
        there.get("/api/v1/me").bearer(&bob.access).expect_problem(503, "unavailable").await;

        proxy.mend();
        there.follows().await;
        there.get("/api/v1/me").bearer(&ada.access).expect_problem(401, "revoked_token").await;
        there.get("/api/v1/me").bearer(&bob.access).expect(200).await;
    }
}

/// Without the feed, but with a database: every request asks it.
#[actix_web::test]
async fn a_replica_that_can_not_follow_asks_the_database() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
    server.sql("alter table newest_change rename to newest_change_away").execute().await.unwrap();
    server.follows_no_more().await;
    server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
    server.sql("update sessions set ended_at = created_at").execute().await.unwrap();
    server.get("/api/v1/me").bearer(&tokens.access).expect_problem(401, "revoked_token").await;
    server.sql("alter table newest_change_away rename to newest_change").execute().await.unwrap();
    server.follows().await;
    server.get("/api/v1/me").bearer(&tokens.access).expect_problem(401, "revoked_token").await;
}
