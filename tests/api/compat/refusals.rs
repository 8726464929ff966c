//! Tokens that are not good, accounts that are disabled, guessing: nothing is weaker than on the native routes.

use std::time::Duration;

use serde_json::{Value, json};

use super::{expect, post_form, post_json, python, token, with_ada};
use crate::api::support::{Answer, Server};

/// A protected route: the request, its header, and the answers to a missing, an expired and any other bad token, where a
/// text of Portcullis's own is null.
type Protected = (&'static str, &'static str, [(u16, Value); 3]);

fn protected() -> [Protected; 4] {
    let bad = |message: &str| json!({ "message": message });
    let numbered = |error: &str, message: &str| json!({ "error": error, "message": message });
    [
        (
            "GET /get-user",
            "authorization",
            [(401, bad("Auth required")), (400, bad("Token is invalid")), (400, bad("Token is invalid"))],
        ),
        (
            "POST /anEndpoint",
            "TOKEN",
            [
                (401, numbered("2", "Token required")),
                (401, numbered("1", "Token has expired")),
                (401, numbered("1", "Invalid Token")),
            ],
        ),
        ("GET /need_login", "authorization", [(400, Value::Null), (401, Value::Null), (401, Value::Null)]),
        (
            "GET /root?number=2&n=2",
            "authorization",
            [
                (401, bad("Token is not valid")),
                (401, bad("Token is not valid")),
                (401, bad("Token is not valid")),
            ],
        ),
    ]
}

async fn log_in(server: &Server) -> String {
    token(&post_form(server, "/login", "email=ada%40example.com&password=password").await)
}

/// Sends `token` to each protected route, and demands the answer for its kind: 0 missing, 1 expired, 2 bad otherwise.
async fn refused(server: &Server, token: Option<&str>, kind: usize) {
    for (what, header, answers) in protected() {
        let headers = token.map_or(String::new(), |token| format!("{header}: {token}\r\n"));
        let answer = python(server, what, &headers, None).await;
        let (status, body) = &answers[kind];
        if body.is_null() {
            assert!(answer.status == *status && answer.json()["err"].is_string(), "{what}: {}", answer.text);
        } else {
            expect(&answer, *status, body.clone());
        }
        let challenge = answer.header("www-authenticate");
        assert_eq!(
            challenge.starts_with(r#"Bearer realm="portcullis""#),
            *status == 401,
            "{what}: {challenge}"
        );
        let told = kind != 0 && *status == 401;
        assert_eq!(challenge.contains(r#"error="invalid_token""#), told, "{what}: {challenge}");
    }
}

async fn let_in(server: &Server, token: &str) {
    for (what, header, _) in protected() {
        let answer = python(server, what, &format!("{header}: {token}\r\n"), None).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text);
    }
}

#[actix_web::test]
async fn one_token_is_good_everywhere() {
    let server = with_ada().await;
    let native = server.post("/api/v1/login").json(json!({ "login": "ada", "password": "password" }));
    let native = native.expect(200).await.json()["access_token"].as_str().unwrap().to_owned();
    let logins = [
        log_in(&server).await,
        token(&post_form(&server, "/loginEndpoint", "username=ada&password=password").await),
        token(&post_json(&server, "/token", r#"{"username": "ada", "password": "password"}"#).await),
        native,
    ];
    for token in logins {
        let_in(&server, &token).await;
        server.get("/api/v1/me").bearer(&token).expect(200).await;
    }
}

#[actix_web::test]
async fn a_token_that_is_missing_or_none_is_told_in_each_tutorials_words() {
    let server = with_ada().await;
    let good = log_in(&server).await;
    refused(&server, None, 0).await;
    refused(&server, Some(""), 0).await;
    let (head, signature) = good.rsplit_once('.').unwrap();
    let forged = format!("{head}.{}", signature.chars().rev().collect::<String>());
    // With a scheme it is the native routes' business.
    for bad in ["garbage", "a.b.c", "e30.e30.", &forged, &format!("Bearer {good}")] {
        refused(&server, Some(bad), 2).await;
    }
    let_in(&server, &good).await;
}

#[actix_web::test]
async fn an_expired_token_is_refused() {
    let server = with_ada().await;
    let token = log_in(&server).await;
    server.clock.advance(Duration::from_secs(15 * 60 + 5));
    refused(&server, Some(&token), 1).await;
}

#[actix_web::test]
async fn a_logout_and_a_disabled_account_hold_at_once() {
    let server = with_ada().await;
    let (first, second) = (log_in(&server).await, log_in(&server).await);
    server.post("/api/v1/logout").bearer(&first).expect(204).await;
    refused(&server, Some(&first), 2).await;
    let_in(&server, &second).await;

    let root = server.admin("root").await;
    let id = super::id_of(&server, &second).await;
    let path = format!("/api/v1/admin/users/{id}");
    server.patch(&path).bearer(&root.access).json(json!({ "disabled": true })).expect(200).await;
    refused(&server, Some(&second), 2).await;
    // To who knows the password alone.
    for (path, right, wrong) in [
        ("/login", "email=ada%40example.com&password=password", "email=ada%40example.com&password=wrong"),
        ("/loginEndpoint", "username=ada&password=password", "username=ada&password=wrong"),
        ("/token", "username=ada&password=password", "username=ada&password=wrong"),
        ("/users/register", "username=ada&password=password", "username=ada&password=wrong-again"),
    ] {
        let problem = server.post(path).form(right).expect(403).await.json();
        assert_eq!(problem["code"], "account_disabled", "{path}");
        let refused = server.post(path).form(wrong).send().await.status;
        assert!([400, 401, 409].contains(&refused), "{path}: {refused}");
    }
}

#[actix_web::test]
async fn an_api_key_is_good_too_and_a_quota_holds() {
    let server = with_ada().await;
    let access = log_in(&server).await;
    let made = server.post("/api/v1/me/keys").bearer(&access).json(json!({ "name": "k" }));
    let made = made.expect(201).await.json();
    let key = made["key"].as_str().unwrap();
    let_in(&server, key).await;

    let root = server.admin("root").await;
    let quota = format!("/api/v1/admin/users/{}/quota", super::id_of(&server, &access).await);
    let nothing = json!({ "requests": 0, "per": "day" });
    server.put(&quota).bearer(&root.access).json(nothing).expect(200).await;
    for (what, header, _) in protected() {
        for token in [key, &access] {
            let answer = python(&server, what, &format!("{header}: {token}\r\n"), None).await;
            assert_eq!((answer.status, &answer.json()["code"]), (429, &json!("quota_exceeded")), "{what}");
        }
    }
    server.delete(&quota).bearer(&root.access).expect(204).await;
    let path = format!("/api/v1/me/keys/{}", made["id"].as_str().unwrap());
    server.delete(&path).bearer(&access).expect(204).await;
    refused(&server, Some(key), 2).await;
}

#[actix_web::test]
async fn who_guesses_waits_and_whom_it_was_about_is_the_same_everywhere() {
    let server = with_ada().await;
    let guess = async |path: &str, password: &str| -> Answer {
        let form = format!("username=ada&password={password}");
        server.post(path).form(&form).send().await
    };
    for path in ["/loginEndpoint", "/token", "/loginEndpoint", "/token", "/api/v1/login"] {
        assert_eq!(guess(path, "wrong-one").await.status, 401, "{path}");
    }
    for path in ["/loginEndpoint", "/token", "/users/register", "/api/v1/login"] {
        let answer = guess(path, "password").await;
        assert_eq!((answer.status, &answer.json()["code"]), (429, &json!("rate_limited")), "{path}");
        assert_eq!(answer.header("retry-after"), "1", "{path}");
    }
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(guess("/loginEndpoint", "password").await.status, 200);
}

/// With the native ones, too. A form without a field is cheap, and counts all the same.
#[actix_web::test]
async fn who_floods_is_told_to_wait_whatever_the_route() {
    let server = with_ada().await;
    for (paths, quota) in [
        (&["/login", "/loginEndpoint", "/token", "/api/v1/login"][..], 300),
        (&["/api/v1/signup", "/users/register", "/api/v1/register"], 100),
    ] {
        let mut sent = 0;
        'flood: loop {
            for path in paths {
                let answer = server.post(path).form("x=1").send().await;
                sent += 1;
                if answer.status == 429 {
                    assert_eq!(answer.json()["code"], "rate_limited");
                    break 'flood;
                }
                // Were each counted by itself, it would be several times as many.
                assert!(answer.status == 422 && sent < 2 * quota, "{path} after {sent}: {}", answer.text);
            }
        }
    }
}
