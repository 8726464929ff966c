//! What is answered from memory: only what is still true.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::api::support::{Server, Tokens};

/// Fails every statement about users, so that only what is answered from memory is answered.
async fn without_users(server: &Server) {
    server.sql("alter table users rename to users_away").execute().await.unwrap();
}

#[actix_web::test]
async fn a_token_seen_before_needs_no_database() {
    let server = Server::start().await;
    let (seen, unseen) = (server.user("ada").await, server.login("ada").await);
    let me = server.get("/api/v1/me").bearer(&seen.access).expect(200).await.json();
    without_users(&server).await;
    assert_eq!(server.get("/api/v1/me").bearer(&seen.access).expect(200).await.json(), me);
    server.get("/api/v1/me").header("authorization", &format!("bEARER  {} ", seen.access)).expect(200).await;
    server.get("/api/v1/me").bearer(&unseen.access).expect(500).await;
    // One bit of the signature, the payload, the header: another token.
    for at in [10, seen.access.len() / 2, seen.access.len() - 5] {
        let mut forged = seen.access.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        server.get("/api/v1/me").bearer(&forged).expect_problem(401, "invalid_token").await;
    }
}

#[actix_web::test]
async fn a_cached_token_expires_when_it_says() {
    let server = Server::with(&["--access-token-ttl=10s"]).await;
    let tokens = server.user("ada").await;
    for seconds in [0, 9] {
        server.clock.advance(Duration::from_secs(seconds));
        server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
    }
    server.clock.advance(Duration::from_secs(1));
    server.get("/api/v1/me").bearer(&tokens.access).expect_problem(401, "expired_token").await;
}

#[actix_web::test]
async fn the_cache_stays_within_its_bound() {
    const BOUND: usize = 20;
    let server = Server::with(&[&format!("--session-cache-size={BOUND}")]).await;
    let mut tokens = server.user("ada").await;
    let mut all = vec![tokens.access.clone()];
    while all.len() < 10 * BOUND {
        let refresh = server.post("/api/v1/refresh").json(json!({ "refresh_token": tokens.refresh }));
        tokens = Tokens::of(&refresh.expect(200).await.json());
        all.push(tokens.access.clone());
    }
    for _ in 0..3 {
        for some in all.chunks(25) {
            let asked = some.iter().map(|token| server.get("/api/v1/me").bearer(token).expect(200));
            join_all(asked).await;
            let cached = server.app.changes.cache().len();
            assert!((1..=BOUND).contains(&cached), "{cached} tokens are cached");
        }
    }
}

#[actix_web::test]
async fn a_cache_of_size_0_keeps_nothing() {
    let server = Server::with(&["--session-cache-size=0"]).await;
    let tokens = server.user("ada").await;
    server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
    without_users(&server).await;
    server.get("/api/v1/me").bearer(&tokens.access).expect(500).await;
}

#[actix_web::test]
async fn one_reads_what_one_has_just_written() {
    let server = Server::start().await;
    let (first, second) = (server.user("ada").await, server.login("ada").await);
    let me = async |tokens: &Tokens| server.get("/api/v1/me").bearer(&tokens.access).expect(200).await.json();
    for tokens in [&first, &second] {
        me(tokens).await;
    }
    server.clock.advance(Duration::from_secs(1));
    let renamed =
        server.patch("/api/v1/me").bearer(&first.access).json(json!({ "display_name": "Countess" }));
    let renamed = renamed.expect(200).await.json();
    assert_eq!((me(&first).await, me(&second).await), (renamed.clone(), renamed.clone()));
    server.clock.advance(Duration::from_secs(1));
    server.login("ada").await;
    assert!(me(&first).await["last_login_at"].as_str() > renamed["last_login_at"].as_str());
}
