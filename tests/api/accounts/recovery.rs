//! `/api/v1/password/forgot` and `/api/v1/password/reset`.

use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join;
use portcullis::limits::Limit;
use serde_json::{Value, json};

use super::{ME, REGISTER, me};
use crate::api::support::{Answer, PASSWORD, Server};

const FORGOT: &str = "/api/v1/password/forgot";
const RESET: &str = "/api/v1/password/reset";
const ADA: &str = "Ada@Example.com";
const NEW: &str = "copper-ferry-almanac-17";

async fn register(server: &Server) {
    let body = json!({ "username": "ada", "email": ADA, "password": PASSWORD });
    server.post(REGISTER).json(body).expect(201).await;
}

/// The token of the link that asking for one has mailed.
async fn forgot(server: &Server) -> String {
    server.post(FORGOT).json(json!({ "email": "ada@example.com" })).expect(202).await;
    let mail = server.last_mail_to(ADA).await;
    let (page, token) = mail.page_and_token();
    assert!(page.ends_with("/password/reset"), "{}", mail.text);
    token
}

async fn reset(server: &Server, token: &str, password: &str) -> Answer {
    server.post(RESET).json(json!({ "token": token, "new_password": password })).send().await
}

async fn login(server: &Server, password: &str) -> u16 {
    server.post("/api/v1/login").json(json!({ "login": "ada", "password": password })).send().await.status
}

#[actix_web::test]
async fn a_mailed_link_sets_a_new_password_once_and_ends_every_session() {
    let server = Server::start().await;
    register(&server).await;
    let tokens = server.login("ada").await;
    let token = forgot(&server).await;
    let answer = reset(&server, &token, NEW).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    server.get(ME).bearer(&tokens.access).expect_problem(401, "revoked_token").await;
    let body = json!({ "refresh_token": tokens.refresh });
    server.post("/api/v1/refresh").json(body).expect_problem(401, "invalid_refresh_token").await;
    assert_eq!((login(&server, PASSWORD).await, login(&server, NEW).await), (401, 200));
    assert_eq!(reset(&server, &token, "another-lantern-77").await.json()["code"], "invalid_link");
    // Who reads the mail has the address; and is told of what was done.
    let body = json!({ "login": "ada", "password": NEW });
    let user = server.post("/api/v1/login").json(body).expect(200).await.json()["user"].clone();
    assert_eq!(user["email_verified"], true);
    assert!(server.last_mail_to(ADA).await.subject.contains("password"));
}

/// An API key of whose access token this is.
async fn key_of(server: &Server, access: &str) -> String {
    let made = server.post("/api/v1/me/keys").bearer(access).json(json!({ "name": "k" }));
    made.expect(201).await.json()["key"].as_str().unwrap().to_owned()
}

/// Whoever registers another's address holds nothing of the account when its owner takes it over.
#[actix_web::test]
async fn keys_from_before_the_address_was_proven_are_gone() {
    let server = Server::start().await;
    register(&server).await;
    let stranger = server.login("ada").await;
    let keys = [key_of(&server, &stranger.access).await, key_of(&server, &stranger.access).await];
    for key in &keys {
        server.get(ME).bearer(key).expect(200).await;
    }
    let token = forgot(&server).await;
    assert_eq!(reset(&server, &token, NEW).await.status, 204);
    for key in &keys {
        server.get(ME).bearer(key).expect_problem(401, "revoked_token").await;
    }
    assert!(!server.last_mail_to(ADA).await.text.contains("API key"));

    let body = json!({ "login": "ada", "password": NEW });
    let ada = server.post("/api/v1/login").json(body).expect(200).await.json();
    let access = ada["access_token"].as_str().unwrap();
    assert_eq!(server.get("/api/v1/me/keys").bearer(access).expect(200).await.json()["items"], json!([]));
    let root = server.admin("root").await;
    let path = "/api/v1/admin/audit?event=api_key_deleted";
    let told = server.get(path).bearer(&root.access).expect(200).await.json()["items"].clone();
    assert_eq!(told.as_array().unwrap().len(), 2);
    for event in told.as_array().unwrap() {
        assert_eq!((&event["actor_id"], &event["user_id"]), (&ada["user"]["id"], &ada["user"]["id"]));
    }

    // From now on it is the owner who makes them.
    let key = key_of(&server, access).await;
    server
        .post("/api/v1/me/keys")
        .bearer(access)
        .json(json!({ "name": "old", "expires_at": server.clock.now() + TimeDelta::minutes(1) }))
        .expect(201)
        .await;
    server.clock.advance(Duration::from_secs(61));
    let token = forgot(&server).await;
    assert_eq!(reset(&server, &token, "another-lantern-77").await.status, 204);
    server.get(ME).bearer(&key).expect(200).await;
    let mail = server.last_mail_to(ADA).await;
    let told = "API keys of your account: 1. They go on working";
    assert!(mail.text.contains(told) && mail.html.contains(told), "{}", mail.text);
}

#[actix_web::test]
async fn another_replica_knows_within_a_second() {
    let server = Server::start().await;
    let replica = server.replica(&[]).await;
    register(&server).await;
    let tokens = replica.login("ada").await;
    replica.get(ME).bearer(&tokens.access).expect(200).await;
    let token = forgot(&server).await;
    assert_eq!(reset(&server, &token, NEW).await.status, 204);
    let deadline = std::time::Instant::now() + Duration::from_secs(1);
    while replica.get(ME).bearer(&tokens.access).send().await.status == 200 {
        assert!(std::time::Instant::now() < deadline);
    }
}

#[actix_web::test]
async fn a_link_is_good_for_half_an_hour_and_until_the_next() {
    let server = Server::start().await;
    register(&server).await;
    let first = forgot(&server).await;
    let second = forgot(&server).await;
    assert_eq!(reset(&server, &first, NEW).await.json()["code"], "invalid_link");
    server.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(reset(&server, &second, NEW).await.json()["code"], "invalid_link");
    let third = forgot(&server).await;
    server.clock.advance(Duration::from_secs(30 * 60 - 1));
    assert_eq!(reset(&server, &third, NEW).await.status, 204);
}

#[actix_web::test]
async fn a_password_that_is_refused_leaves_the_link_as_it_was() {
    let server = Server::start().await;
    register(&server).await;
    let token = forgot(&server).await;
    for (password, broken) in [
        ("short", "new_password too_short"),
        ("password123", "new_password too_common"),
        ("ada@example.com", "new_password same_as_identity"),
        ("", "new_password required"),
    ] {
        assert_eq!(reset(&server, &token, password).await.broken(), [broken]);
    }
    assert_eq!(reset(&server, &token, NEW).await.status, 204);
}

#[actix_web::test]
async fn of_two_that_use_a_link_at_once_one_does() {
    let server = Server::start().await;
    register(&server).await;
    for _ in 0..4 {
        let token = forgot(&server).await;
        let (one, other) =
            join(reset(&server, &token, NEW), reset(&server, &token, "another-lantern-77")).await;
        let mut statuses = [one.status, other.status];
        statuses.sort();
        assert_eq!(statuses, [204, 400]);
    }
}

#[actix_web::test]
async fn a_changed_password_makes_every_link_void() {
    let server = Server::start().await;
    register(&server).await;
    let tokens = server.login("ada").await;
    let verification = server.last_mail_to(ADA).await.token();
    let token = forgot(&server).await;
    let body = json!({ "email": "new@example.com", "password": PASSWORD });
    server.put("/api/v1/me/email").bearer(&tokens.access).json(body).expect(202).await;
    let change = server.last_mail_to("new@example.com").await.token();
    let body = json!({ "current_password": PASSWORD, "new_password": NEW });
    server.put("/api/v1/me/password").bearer(&tokens.access).json(body).expect(204).await;
    assert_eq!(reset(&server, &token, "another-lantern-77").await.json()["code"], "invalid_link");
    for token in [verification, change] {
        server
            .post("/api/v1/email/verify")
            .json(json!({ "token": token }))
            .expect_problem(400, "invalid_link")
            .await;
    }
    assert_eq!(login(&server, NEW).await, 200);
}

#[actix_web::test]
async fn a_link_to_an_address_that_is_the_users_no_more_is_void() {
    let server = Server::start().await;
    register(&server).await;
    let token = forgot(&server).await;
    server
        .sql("update users set email = 'x@example.com', email_key = 'x@example.com'")
        .execute()
        .await
        .unwrap();
    assert_eq!(reset(&server, &token, NEW).await.json()["code"], "invalid_link");
    assert_eq!(login(&server, PASSWORD).await, 200);
}

#[actix_web::test]
async fn a_link_of_one_kind_does_nothing_of_another() {
    let server = Server::start().await;
    register(&server).await;
    let verification = server.last_mail_to(ADA).await.token();
    let token = forgot(&server).await;
    assert_eq!(reset(&server, &verification, NEW).await.json()["code"], "invalid_link");
    server
        .post("/api/v1/email/verify")
        .json(json!({ "token": token }))
        .expect_problem(400, "invalid_link")
        .await;
    assert_eq!(reset(&server, &token, NEW).await.status, 204);
}

#[actix_web::test]
async fn a_disabled_account_has_no_use_of_a_link() {
    let server = Server::start().await;
    register(&server).await;
    let token = forgot(&server).await;
    server.sql("update users set disabled = $1").bind(true).execute().await.unwrap();
    assert_eq!(reset(&server, &token, NEW).await.json()["code"], "invalid_link");
}

#[actix_web::test]
async fn asking_tells_nothing_about_who_is_known() {
    let server = Server::start().await;
    register(&server).await;
    let known = server.post(FORGOT).json(json!({ "email": ADA })).expect(202).await;
    let unknown = server.post(FORGOT).json(json!({ "email": "nobody@example.com" })).expect(202).await;
    let told = |answer: &Answer| {
        (answer.text.clone(), answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(told(&known), told(&unknown));
    let disabled = json!({ "email": "eve@example.com", "password": PASSWORD });
    server.post(REGISTER).json(disabled).expect(201).await;
    server
        .sql("update users set disabled = $1 where email_key = 'eve@example.com'")
        .bind(true)
        .execute()
        .await
        .unwrap();
    server.post(FORGOT).json(json!({ "email": "eve@example.com" })).expect(202).await;
    assert!(server.mails_to("nobody@example.com").await.is_empty());
    assert_eq!(server.mails_to("eve@example.com").await.len(), 1, "of the registration");
    for (body, broken) in [
        (json!({}), "email required"),
        (json!({ "email": "" }), "email invalid"),
        (json!({ "email": "ada" }), "email invalid"),
        (json!({ "email": ["ada@example.com"] }), "email wrong_type"),
    ] {
        assert_eq!(server.post(FORGOT).json(body).expect(422).await.broken(), [broken]);
    }
}

#[actix_web::test]
async fn a_flood_is_answered_as_ever_and_mails_nothing() {
    let server = Server::start().await;
    register(&server).await;
    for _ in 0..8 {
        server.post(FORGOT).json(json!({ "email": ADA })).expect(202).await;
        server.mails().await;
    }
    let links = server.mails_to(ADA).await.len() - 1;
    assert_eq!(links, 5, "an hour's");
    // Beyond a network's own limit it is the same for everyone.
    for n in 0.. {
        let address = format!("user{n}@example.com");
        let body = json!({ "email": address, "password": PASSWORD });
        server.post(REGISTER).json(body).expect(201).await;
        let here = Some("127.0.0.1".parse().unwrap());
        while server.app.addresses.count(Limit::Mail, here).unwrap().wait.is_none() {}
        let answer = server.post(FORGOT).json(json!({ "email": address })).expect(202).await;
        // Refused, if no second has gone by meanwhile in which one more was allowed.
        if answer.header("ratelimit") == "\"mail\";r=0;t=1" {
            assert_eq!(server.mails_to(&address).await.len(), 1, "of the registration");
            break;
        }
    }
}

#[actix_web::test]
async fn who_locked_themselves_out_is_let_in_by_the_mail() {
    let server = Server::start().await;
    register(&server).await;
    for _ in 0..5 {
        assert_eq!(login(&server, "wrong").await, 401);
    }
    assert_eq!(login(&server, PASSWORD).await, 429);
    let token = forgot(&server).await;
    assert_eq!(reset(&server, &token, NEW).await.status, 204);
    assert_eq!(login(&server, NEW).await, 200);
}

#[actix_web::test]
async fn the_audit_log_tells_who_asked_and_who_did() {
    let server = Server::start().await;
    register(&server).await;
    let admin = server.admin("root").await;
    let token = forgot(&server).await;
    assert_eq!(reset(&server, &token, NEW).await.status, 204);
    for event in ["password_reset_requested", "password_reset"] {
        let page =
            server.get(&format!("/api/v1/admin/audit?event={event}")).bearer(&admin.access).expect(200).await;
        let items = page.json()["items"].clone();
        assert_eq!(items.as_array().map(Vec::len), Some(1), "{event}");
        assert_eq!(items[0]["ip"], "127.0.0.1");
        assert_ne!(items[0]["user_id"], Value::Null);
    }
    assert_eq!(me(&server, &admin).await["username"], "root");
}
