//! FastAPI and Postgres.

use serde_json::{Value, json};

use super::{expect, get, id_of, post_json, start, token, with_ada};
use crate::api::support::Server;

const ADA: &str = r#"{"username": "ada", "email": "ada@example.com", "password": "password"}"#;

#[actix_web::test]
async fn its_client_registers_gets_a_token_and_reckons() {
    let server = start().await;
    let made = post_json(&server, "/users/register", ADA).await;
    let id = made.json()["user_id"].clone();
    expect(&made, 201, json!({ "message": "User created successfully", "user_id": id }));

    let answer = post_json(&server, "/token", r#"{"username": "ada", "password": "password"}"#).await;
    let token = token(&answer);
    assert_eq!(answer.json(), json!({ "message": "Token created successfully", "token": token }));
    assert_eq!(id_of(&server, &token).await, id);

    let answer = get(&server, "/root?number=2&n=10", &format!("Authorization: {token}\r\n")).await;
    expect(&answer, 200, json!({ "root": 1024 }));

    // The tutorial's client sends what it registered with, too.
    for body in [ADA, r#"{"email": "ada@example.com", "password": "password"}"#] {
        assert_eq!(post_json(&server, "/token", body).await.status, 200, "{body}");
    }
}

#[actix_web::test]
async fn who_is_there_already_is_told_so_to_the_right_password_alone() {
    let server = start().await;
    let id = post_json(&server, "/users/register", ADA).await.json()["user_id"].clone();
    for again in [
        ADA,
        r#"{"username": "ADA", "email": "other@example.com", "password": "password"}"#,
        r#"{"username": "other", "email": "Ada@example.com", "password": "password"}"#,
        r#"{"username": "ada", "password": "password"}"#,
    ] {
        let answer = post_json(&server, "/users/register", again).await;
        expect(&answer, 200, json!({ "message": "User already exists", "user_id": id }));
    }
    let sessions: (i64,) = server.sql("select count(*) from sessions").fetch_one().await.unwrap();
    assert_eq!(sessions, (0,), "it is no login");

    for (body, code) in [
        (r#"{"username": "ada", "email": "ada@example.com", "password": "guessed"}"#, "username_taken"),
        (r#"{"username": "eve", "email": "ada@example.com", "password": "guessed"}"#, "email_taken"),
    ] {
        let answer = post_json(&server, "/users/register", body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (409, &json!(code)));
    }
    // It is a guess as any other.
    let guess = r#"{"username": "ada", "password": "guessed"}"#;
    for _ in 0..4 {
        assert_eq!(post_json(&server, "/users/register", guess).await.status, 409);
    }
    for path in ["/users/register", "/token", "/api/v1/login"] {
        let body = r#"{"username": "ada", "password": "password"}"#;
        let answer = post_json(&server, path, body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (429, &json!("rate_limited")), "{path}");
    }
}

/// Who was brought along from elsewhere may have one.
#[actix_web::test]
async fn who_is_there_with_a_password_that_breaks_todays_rules_is_told_so() {
    let server = Server::with(&["--compat-routes=true", "--password-min-length=12"]).await;
    let body =
        json!({ "username": "ada", "email": "ada@example.com", "password": "tidal-lantern-mosaic-42" });
    let id = server.post("/users/register").json(body).expect(201).await.json()["user_id"].clone();
    let hash = server.app.hasher.hash("short").await.unwrap();
    server.sql("update users set password_hash = $1").bind(hash).execute().await.unwrap();
    for body in [
        r#"{"username": "ada", "password": "short"}"#,
        r#"{"username": "Ada", "email": "other@example.com", "password": "short"}"#,
        r#"{"email": "ada@example.com", "password": "short"}"#,
    ] {
        let answer = post_json(&server, "/users/register", body).await;
        expect(&answer, 200, json!({ "message": "User already exists", "user_id": id }));
    }
    for (body, code) in [
        (r#"{"username": "ada", "password": "wrong"}"#, "username_taken"),
        (r#"{"username": "eve", "email": "ada@example.com", "password": "wrong"}"#, "email_taken"),
    ] {
        let answer = post_json(&server, "/users/register", body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (409, &json!(code)), "{body}");
    }
    // The rules are for who is new, and all that is wrong is told.
    for (body, broken) in [
        (r#"{"username": "eve", "password": "short"}"#, &["password too_short"][..]),
        (r#"{"username": "a b", "password": "short"}"#, &["username invalid", "password too_short"]),
        (r#"{"username": "ada"}"#, &["password required"]),
    ] {
        let answer = post_json(&server, "/users/register", body).await;
        assert_eq!((answer.status, answer.broken()), (422, broken.iter().map(ToString::to_string).collect()));
    }
}

#[actix_web::test]
async fn wrong_credentials_are_a_401() {
    let server = with_ada().await;
    for body in [
        r#"{"username": "ada", "password": "wrong"}"#,
        r#"{"username": "nobody", "password": "password"}"#,
        r#"{"email": "nobody@example.com", "password": "password"}"#,
    ] {
        let answer = post_json(&server, "/token", body).await;
        expect(&answer, 401, json!({ "message": "The username or the password is wrong" }));
        assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="portcullis""#);
    }
    let nobody = server.post("/token").json(json!({ "password": "password" }));
    assert_eq!(nobody.expect_problem(422, "validation_failed").await.broken(), ["email required"]);
    server.post("/users/register").json(json!({ "password": "password" })).expect(422).await;
}

#[actix_web::test]
async fn powers_are_exact_where_they_are_whole() {
    let server = with_ada().await;
    let token = token(&post_json(&server, "/token", ADA).await);
    let headers = format!("Authorization: {token}\r\n");
    let root = async |query: &str| get(&server, &format!("/root?{query}"), &headers).await;
    for (query, power) in [
        ("number=3&n=4", json!(81)),
        ("n=3&number=-2", json!(-8)),
        ("number=2&n=-1", json!(0.5)),
        ("number=2.5&n=2", json!(6.25)),
    ] {
        expect(&root(query).await, 200, json!({ "root": power }));
    }
    assert_eq!(
        root("number=3&n=100").await.text,
        r#"{"root":515377520732011331036461129765621272702107522001}"#
    );
    for query in [
        "number=0&n=-1",
        "number=-8&n=0.5",
        "number=10.0&n=400",
        "number=10&n=4300",
        "number=2&n=99999999999",
    ] {
        let answer = root(query).await;
        assert_eq!((answer.status, answer.broken()), (422, vec!["n invalid".to_owned()]), "{query}");
    }
    for query in
        ["", "number=2", "n=2", "number=x&n=2", "number=2&n=", "number=nan&n=2", "number=1&number=2&n=2"]
    {
        let answer = root(query).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("invalid_request")), "{query}");
    }

    // As many digits as Python takes; too many for serde_json.
    let longest = server.get("/root?number=10&n=4299").header("authorization", &token).send_unchecked().await;
    assert_eq!(longest.text, format!(r#"{{"root":1{}}}"#, "0".repeat(4299)));
    assert!(serde_json::from_str::<Value>(&longest.text).is_err());
}
