//! `/api/v1/revocations`.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::join;
use portcullis::id::{SessionId, UserId};
use portcullis::store::changes::Reason;
use portcullis::tokens::Effect;
use serde_json::{Value, json};

use crate::api::support::{PASSWORD, Server, Tokens};

const REVOCATIONS: &str = "/api/v1/revocations";

async fn ask(server: &Server, tokens: &Tokens, query: &str) -> Value {
    server.get(&format!("{REVOCATIONS}?{query}")).bearer(&tokens.access).expect(200).await.json()
}

fn claims(tokens: &Tokens) -> Value {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
    let payload = tokens.access.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// Adds changes that concern nobody, all in one transaction.
async fn add(server: &Server, count: u8) {
    let (now, tx) = (server.clock.now(), server.app.db.begin().await.unwrap());
    let sessions: Vec<_> = (0..count).map(|_| SessionId::new(now)).collect();
    let effects: Vec<_> = sessions
        .chunks(50)
        .map(|some| Effect::on_sessions(Reason::LoggedOut, UserId::new(now), some.iter().copied()))
        .collect();
    server.app.changes.commit(tx, &effects, now).await.unwrap();
}

#[actix_web::test]
async fn what_is_revoked_is_told_in_order_and_names_do_not_matter() {
    let server = Server::start().await;
    let watcher = server.user_with("orders", "introspect").await;
    let nothing = ask(&server, &watcher, "").await;
    assert_eq!(nothing, json!({ "items": [], "next": 0 }));

    let (ada, other) = (server.user("ada").await, server.login("ada").await);
    server.patch("/api/v1/me").bearer(&ada.access).json(json!({ "display_name": "Ada" })).expect(200).await;
    server.post("/api/v1/logout").bearer(&other.access).expect(204).await;
    let leave = server.delete("/api/v1/me").bearer(&ada.access).json(json!({ "password": PASSWORD }));
    leave.expect(204).await;

    let all = ask(&server, &watcher, "since=0").await;
    let at = server.clock.now().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    let sub = &claims(&ada)["sub"];
    let logout =
        json!({ "seq": 2, "at": at, "sub": sub, "sid": claims(&other)["sid"], "reason": "logged_out" });
    let deletion = json!({ "seq": 3, "at": at, "sub": sub, "sid": null, "reason": "user_deleted" });
    assert_eq!(all, json!({ "items": [logout, deletion], "next": 3 }));
    assert_eq!(ask(&server, &watcher, "since=2").await, json!({ "items": [deletion], "next": 3 }));
    assert_eq!(ask(&server, &watcher, "since=3").await, json!({ "items": [], "next": 3 }));
    // An admin may, too.
    let admin = server.admin("root").await;
    assert_eq!(ask(&server, &admin, "since=1").await, json!({ "items": [logout, deletion], "next": 3 }));
}

#[actix_web::test]
async fn who_may_not_or_asks_badly_is_told_so() {
    let server = Server::start().await;
    let (watcher, ada) = (server.user_with("orders", "introspect").await, server.user("ada").await);
    server.get(REVOCATIONS).expect_problem(401, "missing_token").await;
    let forbidden = server.get(REVOCATIONS).bearer(&ada.access).expect_problem(403, "forbidden").await;
    assert!(forbidden.header("www-authenticate").contains("insufficient_scope"));
    for bad in [
        "since=-1",
        "since=x",
        "since=",
        "since=1&since=2",
        "since=1.5",
        "since=99999999999999999999",
        "wait=-1",
        "wait=301",
        "wait=soon",
        "wait=",
        "wait=1&wait=1",
    ] {
        let ask = server.get(&format!("{REVOCATIONS}?{bad}")).bearer(&watcher.access);
        ask.expect_problem(400, "invalid_request").await;
    }
    for accept in ["text/event-stream", "application/json"] {
        let ask = server.get(REVOCATIONS).bearer(&watcher.access).header("accept", accept);
        ask.header("last-event-id", "x").expect_problem(400, "invalid_request").await;
    }
    // The head of a stream is no stream.
    let head = server.request("HEAD", &format!("{REVOCATIONS}?wait=60")).bearer(&watcher.access);
    head.header("accept", "text/event-stream").within(Duration::from_secs(5)).expect(200).await;
}

#[actix_web::test]
async fn a_long_list_comes_in_parts_and_without_a_gap() {
    let server = Server::start().await;
    let watcher = server.user_with("orders", "introspect").await;
    for _ in 0..5 {
        add(&server, 250).await;
    }
    let (mut since, mut seen) = (0, Vec::new());
    loop {
        let part = ask(&server, &watcher, &format!("since={since}")).await;
        let items = part["items"].as_array().unwrap();
        since = part["next"].as_i64().unwrap();
        if items.is_empty() {
            break;
        }
        seen.extend(items.iter().map(|item| item["seq"].as_i64().unwrap()));
    }
    assert_eq!(seen, (1..=1250).collect::<Vec<_>>());
}

/// Names that change do not thin out an answer, nor do they hide what came after them.
#[actix_web::test]
async fn an_answer_that_is_not_full_is_the_end() {
    let server = Server::start().await;
    let watcher = server.user_with("orders", "introspect").await;
    let (now, user) = (server.clock.now(), UserId::new(server.clock.now()));
    for _ in 0..4 {
        let tx = server.app.db.begin().await.unwrap();
        let effects: Vec<_> = (0..300).map(|_| Effect::on_user(Reason::UserUpdated, user)).collect();
        server.app.changes.commit(tx, &effects, now).await.unwrap();
        add(&server, 1).await;
    }
    let answer = ask(&server, &watcher, "since=0").await;
    assert_eq!((answer["items"].as_array().unwrap().len(), &answer["next"]), (4, &json!(1204)));
    assert_eq!(ask(&server, &watcher, "since=1204").await, json!({ "items": [], "next": 1204 }));
}

#[actix_web::test]
async fn a_held_request_is_answered_when_something_happens_on_any_replica() {
    let server = Server::start().await;
    let replica = server.replica(&[]).await;
    let watcher = server.user_with("orders", "introspect").await;
    let ada = server.user("ada").await;
    let started = Instant::now();
    let held = ask(&replica, &watcher, "wait=60");
    let logout = server.post("/api/v1/logout").bearer(&ada.access).expect(204);
    let (answer, _) = join(held, logout).await;
    assert_eq!(answer["items"][0]["sid"], claims(&ada)["sid"]);
    assert!(started.elapsed() < Duration::from_secs(5), "after {:?}", started.elapsed());

    let started = Instant::now();
    assert_eq!(ask(&replica, &watcher, "since=1&wait=1").await, json!({ "items": [], "next": 1 }));
    assert!(started.elapsed() >= Duration::from_secs(1));
    // Set back to a backup: at once, so that the follower begins anew.
    assert_eq!(ask(&replica, &watcher, "since=9&wait=60").await, json!({ "items": [], "next": 1 }));
}

#[actix_web::test]
async fn a_held_request_ends_with_its_session_and_with_the_service() {
    let server = Server::start().await;
    let watcher = server.user_with("orders", "introspect").await;
    let held = |tokens: &Tokens, since: i64| {
        server.get(&format!("{REVOCATIONS}?since={since}&wait=60")).bearer(&tokens.access)
    };
    let logout = async || {
        // That the same user logs in elsewhere ends nothing.
        server.login("orders").await;
        server.post("/api/v1/logout").bearer(&watcher.access).expect(204).await;
    };
    let started = Instant::now();
    let (answer, ()) = join(held(&watcher, 0).send(), logout()).await;
    // The very last that it may be told, if it came to wait only after the logout, is that its own session has ended.
    let told = answer.status == 200 && answer.json()["items"][0]["sid"] == claims(&watcher)["sid"];
    let ended = answer.status == 401 && answer.json()["code"] == "revoked_token";
    assert!(told || ended, "{}", answer.text);
    held(&watcher, 0).expect_problem(401, "revoked_token").await;

    let watcher = server.login("orders").await;
    let stop = async || {
        server.get("/api/v1/me").bearer(&watcher.access).expect(200).await;
        server.app.begin_shutdown();
    };
    let (answer, ()) = join(held(&watcher, 1).expect(200), stop()).await;
    assert_eq!(answer.json(), json!({ "items": [], "next": 1 }));
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[actix_web::test]
async fn a_stream_ends_with_the_service() {
    let server = Server::start().await;
    let watcher = server.user_with("orders", "introspect").await;
    let request =
        reqwest::Client::new().get(format!("{}{REVOCATIONS}", server.url)).bearer_auth(&watcher.access);
    let response = request.header("accept", "text/event-stream").send().await.unwrap();
    let mut events = Box::pin(response.bytes_stream());
    read_until(&mut events, "\n\n").await;
    server.app.begin_shutdown();
    let read = read_until(&mut events, "never").await;
    assert!(read.len() < 100, "{read}");
    assert!(events.next().await.is_none(), "the stream goes on");
}

/// Reads a stream of events until what was read contains `until`, or it ends.
async fn read_until(
    stream: &mut (impl StreamExt<Item = reqwest::Result<impl AsRef<[u8]>>> + Unpin),
    until: &str,
) -> String {
    let mut read = String::new();
    while !read.contains(until) {
        let part = tokio::time::timeout(Duration::from_secs(10), stream.next()).await.expect("nothing came");
        let Some(Ok(part)) = part else { break };
        read.push_str(std::str::from_utf8(part.as_ref()).unwrap());
    }
    read
}

#[actix_web::test]
async fn events_are_streamed_and_resumed_until_the_caller_is_out() {
    let server = Server::start().await;
    let watcher = server.user_with("orders", "introspect").await;
    let open = async |last: Option<&str>| {
        let request = reqwest::Client::new().get(format!("{}{REVOCATIONS}?since=0", server.url));
        let request =
            request.bearer_auth(&watcher.access).header("accept", "text/event-stream;q=1, */*;q=0.1");
        let request = last.into_iter().fold(request, |request, last| request.header("last-event-id", last));
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        assert_eq!(response.headers()["cache-control"], "no-store");
        Box::pin(response.bytes_stream())
    };
    let mut events = open(None).await;
    // A sign of life, though there is nothing to tell.
    assert_eq!(read_until(&mut events, "\n\n").await, ":\n\n");
    let ada = server.user("ada").await;
    server.post("/api/v1/logout").bearer(&ada.access).expect(204).await;
    add(&server, 2).await;
    let read = read_until(&mut events, "id: 3\n").await;
    let read = read + &read_until(&mut events, "\n\n").await;
    let told: Vec<_> = read.split("\n\n").filter(|event| !event.is_empty() && *event != ":").collect();
    assert_eq!(told.len(), 3, "{read}");
    let (id, data) = told[0].split_once("\ndata: ").unwrap();
    let item: Value = serde_json::from_str(data).unwrap();
    assert_eq!((id, &item["seq"], &item["sid"]), ("id: 1", &json!(1), &claims(&ada)["sid"]));

    let mut resumed = open(Some("2")).await;
    let read = read_until(&mut resumed, "\n\n").await;
    assert!(read.starts_with("id: 3\n"), "{read}");

    server.post("/api/v1/logout").bearer(&watcher.access).expect(204).await;
    for mut stream in [events, resumed] {
        read_until(&mut stream, "never").await;
        assert!(stream.next().await.is_none(), "the stream goes on");
    }
}
