//! What every response has around it.

use std::io::{Read, Write};
use std::net::TcpStream;

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::api::support::Server;

#[actix_web::test]
async fn a_sane_request_id_is_the_clients_own() {
    let server = Server::start().await;
    let answered = async |id: &str| {
        let answer = server.get("/api/v1/me").header("x-request-id", id).expect(401).await;
        assert_eq!(answer.json()["request_id"], answer.header("x-request-id"));
        answer.header("x-request-id").to_owned()
    };
    for sane in ["a", "Trace-1.2_3", &"x".repeat(128)] {
        assert_eq!(answered(sane).await, sane);
    }
    for other in ["", "a b", "a/b", "ü", "<script>", &"x".repeat(129)] {
        assert_ne!(answered(other).await, other);
    }
    assert_ne!(answered("").await, answered("").await);
}

#[actix_web::test]
async fn browsers_are_told_to_come_by_https_alone_where_the_public_url_is() {
    let panics = |routes: &mut portcullis::http::Routes| {
        routes.route("/test/panics", web::get().to(async || -> &'static str { panic!("on purpose") }));
    };
    for (public_url, told) in [
        ("--public-url=https://auth.example.com", Some("max-age=31536000")),
        ("--public-url=HTTPS://auth.example.com/base", Some("max-age=31536000")),
        ("--public-url=http://auth.example.com", None),
    ] {
        let server = Server::with_routes(&[public_url], panics).await;
        for (path, status) in [
            ("/health/live", 200),
            ("/api/v1/me", 401),
            ("/nothing", 404),
            ("/api/v1/login", 405),
            ("/test/panics", 500),
        ] {
            let answer = server.get(path).expect(status).await;
            let found = answer.headers.get("strict-transport-security").map(|value| value.to_str().unwrap());
            assert_eq!(found, told, "{public_url}{path}");
        }
    }
}

#[actix_web::test]
async fn what_is_not_there_is_a_problem_too() {
    let server = Server::start().await;
    for path in [
        "/",
        "/nothing",
        "/api/v1",
        "/api/v1/me/",
        "/api/v1/Me",
        "/api/v2/me",
        "/%00",
        "/api//v1/me",
        "/..%2f",
    ] {
        let answer = server.get(path).expect_problem(404, "not_found").await;
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    for (method, path, allow) in [
        ("PUT", "/api/v1/me", "GET, HEAD, PATCH, DELETE"),
        ("GET", "/api/v1/login", "POST"),
        ("DELETE", "/health/live", "GET, HEAD"),
        ("OPTIONS", "/api/v1/login", "POST"),
        ("TRACE", "/api/v1/refresh", "POST"),
        ("BREW", "/api/v1/me/password", "PUT"),
    ] {
        let answer = server.request(method, path).expect_problem(405, "method_not_allowed").await;
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
}

#[actix_web::test]
async fn head_is_get_without_a_body() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    for path in ["/api/v1/me", "/health/live", "/openapi.json", "/docs", "/api/v1/me/sessions"] {
        let get = server.get(path).bearer(&tokens.access).expect(200).await;
        let head = server.request("HEAD", path).bearer(&tokens.access).expect(200).await;
        assert_eq!(
            (head.text.as_str(), head.header("content-length")),
            ("", get.header("content-length")),
            "{path}"
        );
    }
}

#[actix_web::test]
async fn a_panic_is_a_500_for_its_own_request_alone() {
    let server = Server::with_routes(&[], |routes| {
        routes
            .route("/test/panic", web::get().to(async || -> HttpResponse { panic!("with a secret in it") }));
    })
    .await;
    for _ in 0..20 {
        let answer =
            server.get("/test/panic").header("x-request-id", "boom").expect_problem(500, "internal").await;
        assert_eq!(answer.json()["request_id"], "boom");
        assert!(!answer.text.contains("secret"));
    }
    server.get("/health/ready").expect(200).await;
}

#[actix_web::test]
async fn an_own_handlers_errors_keep_their_body() {
    let server = Server::with_routes(&[], |routes| {
        routes.route(
            "/test/own",
            web::get().to(async || HttpResponse::BadRequest().json(json!({ "mine": true }))),
        );
        routes.route("/test/bare", web::get().to(async || HttpResponse::ImATeapot()));
    })
    .await;
    assert_eq!(server.get("/test/own").expect(400).await.json(), json!({ "mine": true }));
    server.get("/test/bare").expect(418).await;
}

#[actix_web::test]
async fn pages_of_other_origins_may_not_call_unless_listed() {
    let closed = Server::start().await;
    let answer = closed.get("/health/live").header("origin", "https://app.example.com").expect(200).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");

    let open = Server::with(&["--cors-origins=https://app.example.com,http://localhost:3000"]).await;
    for (origin, allowed) in [
        ("https://app.example.com", true),
        ("http://localhost:3000", true),
        ("https://evil.example.com", false),
        ("https://app.example.com.evil.example", false),
        ("null", false),
    ] {
        let answer = open.get("/api/v1/me").header("origin", origin).expect(401).await;
        assert_eq!(answer.header("access-control-allow-origin"), if allowed { origin } else { "" });
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        let preflight = open.request("OPTIONS", "/api/v1/me").header("origin", origin);
        let preflight = preflight.header("access-control-request-method", "PATCH");
        let preflight = preflight.header("access-control-request-headers", "authorization,content-type");
        let answer = preflight.send_unchecked().await;
        assert_eq!(answer.header("access-control-allow-origin"), if allowed { origin } else { "" });
        assert_eq!(answer.status == 200, allowed, "{origin}: {}", answer.text);
    }
}

#[actix_web::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let server = Server::start().await;
    let address = server.url.trim_start_matches("http://").to_owned();
    let waited = actix_web::rt::task::spawn_blocking(move || {
        let mut half_open = TcpStream::connect(address).unwrap();
        half_open.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        half_open.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\n").unwrap();
        let mut answer = String::new();
        half_open.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = waited.await.unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
}
