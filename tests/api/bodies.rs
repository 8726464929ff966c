//! What a request's body may be.

use futures_util::stream;
use serde_json::{Value, json};

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
        (FORM, &json, 400),
        ("application/json", &form, 400),
    ] {
        let answer = server.post("/api/v1/login").body(media_type, body.clone()).expect(status).await;
        let code = ["malformed_body", "unsupported_media_type", "validation_failed"];
        assert!(status == 200 || code.contains(&answer.json()["code"].as_str().unwrap()), "{media_type}");
    }
    let gzip = server.post("/api/v1/login").header("content-encoding", "gzip").body("application/json", json);
    gzip.expect_problem(415, "unsupported_media_type").await;
}

/// The two mistakes that are made with curl: `-d` of JSON without its type, and the type without JSON.
#[actix_web::test]
async fn a_body_of_the_other_type_is_told_by_what_it_looks_like() {
    let server = Server::start().await;
    for (media_type, body, told) in [
        (FORM, " {\"username\":\"ada\"}", "application/json"),
        ("application/json", "username=ada&password=x", FORM),
    ] {
        let answer =
            server.post("/api/v1/login").body(media_type, body).expect_problem(400, "malformed_body");
        let answer = answer.await.json();
        assert!(answer["detail"].as_str().unwrap().contains(told), "{answer}");
    }
}

/// In a form all are texts; JSON has types.
#[actix_web::test]
async fn a_text_in_json_is_no_truth_value_number_or_list_and_null_is_absent() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let create = |fields: Value| {
        let mut body = json!({ "username": "ada", "password": PASSWORD });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        server.post("/api/v1/admin/users").bearer(&admin.access).json(body)
    };
    for (fields, broken) in [
        (json!({ "email_verified": "true" }), ["email_verified wrong_type"]),
        (json!({ "roles": "introspect" }), ["roles wrong_type"]),
    ] {
        let answer = create(fields).expect_problem(422, "validation_failed").await;
        assert_eq!(answer.broken(), broken);
    }
    let ada = create(json!({ "email_verified": null, "display_name": null })).expect(201).await.json();
    let path = format!("/api/v1/admin/users/{}", ada["id"].as_str().unwrap());
    let quota = server.put(&format!("{path}/quota")).bearer(&admin.access);
    let quota = quota.json(json!({ "requests": "10", "per": "day" }));
    assert_eq!(quota.expect_problem(422, "validation_failed").await.broken(), ["requests wrong_type"]);
    let unchanged = server.patch(&path).bearer(&admin.access).json(json!({ "disabled": null }));
    assert_eq!(unchanged.expect(200).await.json(), ada);
    let by_form =
        server.patch(&path).bearer(&admin.access).form("disabled=true&roles=introspect&email_verified=");
    let by_form = by_form.expect(200).await.json();
    assert_eq!((&by_form["disabled"], &by_form["roles"]), (&json!(true), &json!(["introspect"])));
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
