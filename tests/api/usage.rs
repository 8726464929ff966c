//! `/api/v1/me/usage` and `/api/v1/admin/usage`: what counts, for whom, and what may be lost.

use std::time::Duration;

use futures_util::future::{join_all, join4};
use serde_json::{Value, json};

use crate::DATABASE;
use crate::api::support::{Database, PASSWORD, Server, Tokens};

const MINE: &str = "/api/v1/me/usage";
const ALL: &str = "/api/v1/admin/usage";

async fn flush(server: &Server) {
    server.app.usage.flush(&server.app.db).await.unwrap();
}

/// What was counted so far, as the user reads it. The reading itself counts for the next time.
async fn mine(server: &Server, tokens: &Tokens, query: &str) -> Vec<(String, String, i64)> {
    flush(server).await;
    let body = server.get(&format!("{MINE}?{query}")).bearer(&tokens.access).expect(200).await.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let row = |row: &Value| (text(&row["day"]), text(&row["service"]), row["requests"].as_i64().unwrap());
    let rows: Vec<_> = body["days"].as_array().unwrap().iter().map(row).collect();
    assert_eq!(body["total"], rows.iter().map(|(.., requests)| requests).sum::<i64>());
    rows
}

async fn all(server: &Server, admin: &Tokens, query: &str) -> Vec<Value> {
    flush(server).await;
    let body = server.get(&format!("{ALL}?{query}")).bearer(&admin.access).expect(200).await.json();
    body["items"].as_array().unwrap().clone()
}

fn today(server: &Server) -> String {
    server.clock.now().date_naive().to_string()
}

async fn me(server: &Server, tokens: &Tokens) -> Value {
    server.get("/api/v1/me").bearer(&tokens.access).expect(200).await.json()
}

#[actix_web::test]
async fn what_is_let_in_counts_and_what_is_refused_does_not() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    assert!(mine(&server, &ada, "").await.is_empty());
    // The question itself was one.
    me(&server, &ada).await;
    me(&server, &ada).await;
    let today = today(&server);
    let portcullis = |requests| (today.clone(), "portcullis".to_owned(), requests);
    assert_eq!(mine(&server, &ada, "").await, [portcullis(3)]);

    let key = server.post("/api/v1/me/keys").bearer(&ada.access).json(json!({ "name": "k" }));
    let key = key.expect(201).await.json()["key"].as_str().unwrap().to_owned();
    server.get("/api/v1/me").bearer(&key).expect(200).await;
    // Let in, and wrong in itself.
    server.patch("/api/v1/me").bearer(&ada.access).json(json!({ "username": "" })).expect(422).await;
    assert_eq!(mine(&server, &ada, "").await, [portcullis(7)]);

    server.get("/api/v1/me").bearer("x").expect(401).await;
    server.get("/api/v1/me").expect(401).await;
    server.get("/api/v1/admin/users").bearer(&ada.access).expect(403).await;
    server.get("/api/v1/me/keys").bearer(&key).expect(403).await;
    server.get("/forward-auth?role=admin").bearer(&ada.access).expect(403).await;
    server.get("/forward-auth?role=").bearer(&ada.access).expect(400).await;
    server.get("/health/live").bearer(&ada.access).expect(200).await;
    server.post("/api/v1/refresh").json(json!({ "refresh_token": ada.refresh })).expect(200).await;
    assert_eq!(mine(&server, &ada, "").await, [portcullis(8)]);
    let rows: Vec<(i64,)> =
        server.sql("select requests from usage order by key_id").fetch_all().await.unwrap();
    assert_eq!(rows, [(7,), (1,)], "sessions and the key apart");
}

#[actix_web::test]
async fn a_question_of_a_proxy_counts_for_the_host_that_it_names() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let ask = async |host: &str| {
        let request = server.get("/forward-auth").bearer(&ada.access);
        let request = if host.is_empty() { request } else { request.header("x-forwarded-host", host) };
        request.expect(200).await;
    };
    for host in [
        "api.example.com",
        "API.example.com:8443",
        "api.example.com.",
        "",
        "not a host",
        "a,b",
        "<script>",
        "é.example.com",
        &"a".repeat(64),
    ] {
        ask(host).await;
    }
    let today = today(&server);
    let row = |service: &str, requests| (today.clone(), service.to_owned(), requests);
    assert_eq!(mine(&server, &ada, "").await, [row("api.example.com", 3), row("unknown", 6)]);

    // A proxy that passes on what its clients say.
    for n in 0..120 {
        ask(&format!("{n}.example.com")).await;
    }
    flush(&server).await;
    for n in 100..120 {
        ask(&format!("{n}.example.com")).await;
    }
    let counted = mine(&server, &ada, "").await;
    assert_eq!(counted.len(), 102, "a hundred, `unknown` and `portcullis`");
    assert_eq!(counted.iter().find(|(_, service, _)| service == "unknown").unwrap().2, 6 + 21 + 20);
}

#[actix_web::test]
async fn days_are_utc_and_both_ends_are_part_of_it() {
    let server = Server::with(&["--access-token-ttl=1d"]).await;
    let mut ada = server.user("ada").await;
    let mut days = vec![];
    for _ in 0..3 {
        me(&server, &ada).await;
        days.push(today(&server));
        server.clock.advance(Duration::from_secs(86_400));
        ada = server.login("ada").await;
    }
    let found = async |query: &str| -> Vec<String> {
        let rows = mine(&server, &ada, query).await.into_iter();
        // But for the questions asked here.
        rows.map(|(day, ..)| day).filter(|day| *day != today(&server)).collect()
    };
    let newest_first: Vec<_> = days.iter().rev().cloned().collect();
    assert_eq!(found("").await, newest_first);
    assert_eq!(found(&format!("from={}&to={}", days[0], days[1])).await, [&*days[1], &days[0]]);
    assert_eq!(found(&format!("from={0}&to={0}", days[1])).await, [&*days[1]]);
    assert_eq!(found(&format!("to={}", days[0])).await, [&*days[0]]);
    assert!(found("from=2020-01-01&to=2020-12-31").await.is_empty());
    // 30 days by default: today is one of them.
    server.clock.advance(Duration::from_secs(27 * 86_400));
    ada = server.login("ada").await;
    let found = mine(&server, &ada, "").await;
    assert_eq!(
        found.iter().map(|(day, ..)| day.as_str()).filter(|day| days.contains(&(*day).to_owned())).count(),
        2
    );
    for bad in [
        "from=x",
        "from=",
        "to=2026-02-30",
        "to=2026-1-1",
        "from=2026-11-02&to=2026-11-01",
        "from=1&from=2",
        "to=%2b12026-01-01",
    ] {
        let request = server.get(&format!("{MINE}?{bad}")).bearer(&ada.access);
        request.expect_problem(400, "invalid_request").await;
    }
    server.get(MINE).expect_problem(401, "missing_token").await;
}

#[actix_web::test]
async fn an_admin_sees_everyones_by_day_user_and_service() {
    let server = Server::with(&["--access-token-ttl=1d"]).await;
    let root = server.admin("root").await;
    for (name, requests) in [("ada", 5), ("bob", 3), ("eve", 3)] {
        let tokens = server.user(name).await;
        for n in 0..requests {
            let host = if n == 0 { "b.example.com" } else { "a.example.com" };
            server
                .get("/forward-auth")
                .bearer(&tokens.access)
                .header("x-forwarded-host", host)
                .expect(200)
                .await;
        }
        flush(&server).await;
    }
    let first_day = today(&server);
    let users = all(&server, &root, "group=user").await;
    let told: Vec<_> = users.iter().map(|user| user["requests"].as_i64().unwrap()).collect();
    assert_eq!(told, [5, 3, 3]);
    assert!(users[1]["user_id"].as_str() < users[2]["user_id"].as_str());
    let services = all(&server, &root, "group=service").await;
    let told = |services: &[Value]| -> Vec<(String, i64)> {
        let row =
            |row: &Value| (row["service"].as_str().unwrap().to_owned(), row["requests"].as_i64().unwrap());
        services.iter().map(row).collect()
    };
    let expected = [("a.example.com", 8), ("b.example.com", 3), ("portcullis", 1)];
    assert_eq!(told(&services), expected.map(|(service, requests)| (service.to_owned(), requests)));
    server.clock.advance(Duration::from_secs(86_400));
    let root = server.login("root").await;
    me(&server, &root).await;
    assert_eq!(
        all(&server, &root, "").await,
        [json!({ "day": today(&server), "requests": 1 }), json!({ "day": first_day, "requests": 13 })]
    );

    // In pages, of all three.
    for (group, expected) in [("day", 2), ("user", 4), ("service", 3)] {
        let whole = all(&server, &root, &format!("group={group}&to={first_day}")).await;
        let (mut paged, mut cursor) = (vec![], String::new());
        loop {
            let path = format!("{ALL}?group={group}&to={first_day}&limit=1{cursor}");
            let page = server.get(&path).bearer(&root.access).expect(200).await.json();
            paged.extend(page["items"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{group}");
        assert!(paged.len() == expected || group == "day", "{group}: {paged:?}");
    }
    let ask = |query: &str| server.get(&format!("{ALL}?{query}")).bearer(&root.access);
    let user = ask("group=user&limit=1").expect(200).await.json()["next_cursor"].as_str().unwrap().to_owned();
    for bad in ["cursor=x", "cursor=", "group=day&cursor=AAAA", &format!("group=day&cursor={user}")] {
        ask(bad).expect_problem(400, "invalid_cursor").await;
    }
    for bad in ["group=week", "group=", "limit=0", "from=x"] {
        ask(bad).expect_problem(400, "invalid_request").await;
    }
    let ada = server.login("ada").await;
    server.get(ALL).bearer(&ada.access).expect_problem(403, "forbidden").await;
    server.get(ALL).expect_problem(401, "missing_token").await;
}

#[actix_web::test]
async fn replicas_add_up_and_what_is_counted_at_once_is_counted_exactly() {
    let here = Server::start().await;
    let there = here.replica(&[]).await;
    let (ada, bob) = (here.user("ada").await, here.user("bob").await);
    let hammer = async |server: &Server, tokens: &Tokens| {
        for _ in 0..10 {
            join_all((0..10).map(|_| server.get("/api/v1/me").bearer(&tokens.access).expect(200))).await;
            flush(server).await;
        }
    };
    join4(hammer(&here, &ada), hammer(&there, &ada), hammer(&here, &bob), hammer(&there, &bob)).await;
    flush(&there).await;
    for tokens in [&ada, &bob] {
        assert_eq!(mine(&here, tokens, "").await.last().unwrap().2, 200);
    }
}

#[actix_web::test]
async fn what_a_deleted_user_asked_is_gone_and_harms_nobody() {
    let server = Server::start().await;
    let (ada, bob) = (server.user("ada").await, server.user("bob").await);
    me(&server, &ada).await;
    flush(&server).await;
    // In memory alone.
    me(&server, &ada).await;
    me(&server, &bob).await;
    server.delete("/api/v1/me").bearer(&ada.access).json(json!({ "password": PASSWORD })).expect(204).await;
    assert_eq!(mine(&server, &bob, "").await.last().unwrap().2, 1);
    let (rows,): (i64,) = server.sql("select count(*) from usage").fetch_one().await.unwrap();
    assert_eq!(rows, 1);
}

#[actix_web::test]
async fn what_can_not_be_written_is_kept() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    me(&server, &ada).await;
    server.sql("alter table usage rename to usage_away").execute().await.unwrap();
    for _ in 0..2 {
        assert!(server.app.usage.flush(&server.app.db).await.is_err());
        me(&server, &ada).await;
    }
    server.sql("alter table usage_away rename to usage").execute().await.unwrap();
    assert_eq!(mine(&server, &ada, "").await.last().unwrap().2, 3);
}

#[actix_web::test]
async fn what_is_counted_shows_without_being_asked_for() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let shows = async || {
        let body = server.get(MINE).bearer(&ada.access).expect(200).await.json();
        body["total"].as_i64().unwrap() > 0
    };
    let mut seconds = 0;
    while !shows().await {
        seconds += 1;
        assert!(seconds <= 15, "it does not show");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// SQLite is a file: there is no line to cut.
#[actix_web::test]
async fn a_database_that_was_away_is_told_later() {
    if DATABASE == Database::Sqlite {
        return;
    }
    let (server, proxy) = Server::behind_a_proxy().await;
    let ada = server.user("ada").await;
    me(&server, &ada).await;
    proxy.cut();
    assert!(server.app.usage.flush(&server.app.db).await.is_err());
    proxy.mend();
    let mut tries = 0;
    while server.app.usage.flush(&server.app.db).await.is_err() {
        tries += 1;
        assert!(tries < 20, "it does not come back");
    }
    server.follows().await;
    assert_eq!(mine(&server, &ada, "").await.last().unwrap().2, 1);
}
