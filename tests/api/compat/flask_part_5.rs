//! Flask, part 5.

use serde_json::json;

use super::{ON, expect, get, post_json, start, token};
use crate::api::support::Server;

const SIGN_UP: &str = r#"{"username": "ada", "email": "ada@example.com", "password": "password"}"#;

#[actix_web::test]
async fn its_client_signs_up_logs_in_and_gets_in() {
    let server = start().await;
    let answer = post_json(&server, "/api/v1/signup", SIGN_UP).await;
    assert!(answer.status == 200 && answer.json()["msg"].is_string(), "{}", answer.text);

    for login in [
        r#"{"username": "ada", "password": "password"}"#,
        r#"{"email": "ada@example.com", "password": "password"}"#,
    ] {
        let answer = post_json(&server, "/api/v1/login", login).await;
        let token = token(&answer);
        assert_eq!(answer.json()["access_token"], token, "beside the native answer");
        let answer = get(&server, "/need_login", &format!("Authorization: {token}\r\n")).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; charset=utf-8"));
    }
}

#[actix_web::test]
async fn a_name_that_is_taken_is_a_409_and_a_bad_field_a_422() {
    let server = start().await;
    assert_eq!(post_json(&server, "/api/v1/signup", SIGN_UP).await.status, 200);
    for taken in [
        SIGN_UP,
        r#"{"username": "ADA", "email": "other@example.com", "password": "password"}"#,
        r#"{"username": "other", "email": "Ada@example.com", "password": "password"}"#,
    ] {
        let answer = post_json(&server, "/api/v1/signup", taken).await;
        assert!(answer.status == 409 && answer.json()["err"].is_string(), "{}", answer.text);
    }
    for (bad, field) in [
        (r#"{"username": "", "email": "b@example.com", "password": "password"}"#, "username"),
        (r#"{"username": "bob", "email": "", "password": "password"}"#, "email"),
        (r#"{"username": "bob", "email": "b@example.com", "password": ""}"#, "password"),
        (r#"{"email": "b@example.com", "password": "password"}"#, "username"),
        (r#"{"username": "bob", "password": "password"}"#, "email"),
        (r#"{"username": "bob", "email": "no address", "password": "password"}"#, "email"),
        (r#"{"username": "bob", "email": "b@example.com", "password": "short"}"#, "6 to 128"),
        (r#"{"username": "bob", "email": "bob@b.example", "password": "bob@b.example"}"#, "password"),
    ] {
        let answer = post_json(&server, "/api/v1/signup", bad).await;
        let told = answer.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(answer.status == 422 && told.contains(field), "{bad}: {}", answer.text);
    }
    let answer = post_json(&server, "/api/v1/signup", "[").await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("malformed_body")));
}

#[actix_web::test]
async fn where_registration_is_closed_nobody_signs_up() {
    let closed = [&ON[..], &["--registration=closed"]].concat();
    let server = Server::with(&closed).await;
    for path in ["/api/v1/signup", "/users/register"] {
        let answer = post_json(&server, path, SIGN_UP).await;
        expect(&answer, 403, answer.json());
        assert_eq!(answer.json()["code"], "registration_closed");
    }
}
