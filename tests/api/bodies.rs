//! What a request's body may be.

use futures_util::stream;
use serde_json::json;

use crate::api::support::{PASSWORD, Server};

const FORM: &str = "application/x-www-form-urlencoded";

#[actix_web::test]
async fn json_and_forms_are_taken_and_nothing_else() {
    let server = Server::start().await;
    server.register("ada").await;
    let json = json!({ "username": "ada", "password": PASSWORD }).to_string();
    let form = format!("username=ada&password={PASSWORD}");
    for (media_type, body, status) in [
        ("application/json", &json, 200),
        ("Application/JSON; charset=utf-8", &json, 200),
        (FORM, &form, 200),
        ("application/x-www-form-urlencoded;charset=UTF-8", &form, 200),
        ("text/plain", &json, 415),
        ("multipart/form-data; boundary=x", &form, 415),
        ("application/xml", &json, 415),
        ("application/jsonx", &json, 415),
        ("", &json, 415),
        (FORM, &json, 422),
        ("application/json", &form, 400),
    ] {
        let answer = server.post("/api/v1/login").body(media_type, body.clone()).expect(status).await;
        let code = ["malformed_body", "unsupported_media_type", "validation_failed"];
        assert!(status == 200 || code.contains(&answer.json()["code"].as_str().unwrap()), "{media_type}");
    }
    let gzip = server.post("/api/v1/login").header("content-encoding", "gzip").body("application/json", json);
    gzip.expect_problem(415, "unsupported_media_type").await;
}

#[actix_web::test]
async fn what_can_not_be_read_as_an_object_is_malformed() {
    let server = Server::start().await;
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        "1",
        "{\"a\":1}x",
        "{\"password\":\"\\ud800\"}",
        "\u{feff}{}",
        "{'a':1}",
    ] {
        let answer = server.post("/api/v1/login").body("application/json", body).send().await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!("malformed_body")), "{body}");
    }
    let deep = format!("{}1{}", "{\"a\":".repeat(200), "}".repeat(200));
    server.post("/api/v1/login").body("application/json", deep).expect_problem(400, "malformed_body").await;
    server
        .post("/api/v1/login")
        .body("application/json", vec![0xff, 0xfe])
        .expect_problem(400, "malformed_body")
        .await;
    server.post("/api/v1/login").body(FORM, "password=%ff%fe").expect_problem(400, "malformed_body").await;
    server.post("/api/v1/login").expect_problem(400, "malformed_body").await;
    let answer = server.post("/api/v1/login").form("&&=&%").expect_problem(422, "validation_failed").await;
    assert_eq!(answer.broken(), ["login required", "password required"]);
}

#[actix_web::test]
async fn sixteen_kibibytes_are_the_most() {
    let server = Server::start().await;
    let body = |bytes: usize| format!("{{\"password\":\"{}\"}}", "x".repeat(bytes - 15));
    server
        .post("/api/v1/login")
        .body("application/json", body(16384))
        .expect_problem(422, "validation_failed")
        .await;
    server
        .post("/api/v1/login")
        .body("application/json", body(16385))
        .expect_problem(413, "body_too_large")
        .await;
    server
        .post("/api/v1/login")
        .body("application/json", body(1 << 20))
        .expect_problem(413, "body_too_large")
        .await;

    // Without a content-length, in chunks.
    let chunks = stream::iter((0..64).map(|_| Ok::<_, std::io::Error>("x".repeat(1024))));
    let chunked = server.post("/api/v1/login").body("application/json", reqwest::Body::wrap_stream(chunks));
    chunked.expect_problem(413, "body_too_large").await;
}

#[actix_web::test]
async fn a_stranger_is_told_401_and_nothing_else() {
    let server = Server::start().await;
    for request in [
        server.patch("/api/v1/me").body("text/plain", "x"),
        server.put("/api/v1/me/password").body("application/json", "{"),
        server.delete("/api/v1/me").body("application/json", "x".repeat(20_000)),
        server.delete("/api/v1/me/sessions/nonsense"),
        server.get("/api/v1/me/sessions?limit=nonsense"),
        server.get("/api/v1/admin/users?cursor=nonsense"),
        server.get("/api/v1/admin/users/nonsense"),
        server.post("/api/v1/logout").body("text/plain", "x"),
    ] {
        request.expect_problem(401, "missing_token").await;
    }
}
