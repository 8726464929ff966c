//! The tutorials' routes: what their clients send, byte for byte as Python's `requests` does, and what these are answered
//! when something is wrong.

mod aiohttp;
mod fastapi;
mod flask;
mod flask_part_5;
mod refusals;
mod switch;

use serde_json::{Value, json};

use crate::api::support::{Answer, Server};

/// The examples of the tutorials have passwords that are refused by default.
const ON: [&str; 3] = ["--compat-routes=true", "--password-min-length=6", "--password-check-common=false"];

/// Ada's, as the tutorials have it.
const WEAK: &str = "password";

async fn start() -> Server {
    Server::with(&ON).await
}

/// With Ada, who has both names.
async fn with_ada() -> Server {
    let server = start().await;
    let ada = json!({ "username": "ada", "email": "ada@example.com", "password": WEAK });
    server.post("/api/v1/register").json(ada).expect(201).await;
    server
}

/// As `requests` writes a request: its own headers, then the caller's, then those of the body.
async fn python(server: &Server, what: &str, headers: &str, body: Option<(&str, &str)>) -> Answer {
    let host = server.url.strip_prefix("http://").unwrap();
    let of_body = body.map_or(String::new(), |(content_type, body)| {
        format!("Content-Length: {}\r\nContent-Type: {content_type}\r\n", body.len())
    });
    let length = if body.is_none() && what.starts_with("POST") { "Content-Length: 0\r\n" } else { "" };
    let body = body.map_or("", |(_, body)| body);
    server
        .send_raw(&format!(
            "{what} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: python-requests/2.32.3\r\nAccept-Encoding: gzip, deflate\r\n\
             Accept: */*\r\nConnection: keep-alive\r\n{headers}{of_body}{length}\r\n{body}"
        ))
        .await
}

/// `requests.post(…, data={…})`.
async fn post_form(server: &Server, path: &str, form: &str) -> Answer {
    python(server, &format!("POST {path}"), "", Some(("application/x-www-form-urlencoded", form))).await
}

/// `requests.post(…, json={…})`.
async fn post_json(server: &Server, path: &str, json: &str) -> Answer {
    python(server, &format!("POST {path}"), "", Some(("application/json", json))).await
}

/// `requests.get(…, headers={…})`.
async fn get(server: &Server, path: &str, headers: &str) -> Answer {
    python(server, &format!("GET {path}"), headers, None).await
}

#[track_caller]
fn expect(answer: &Answer, status: u16, body: Value) {
    assert_eq!((answer.status, answer.json()), (status, body));
}

fn token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()["token"].as_str().unwrap_or_else(|| panic!("no token in {}", answer.text)).to_owned()
}

/// The user's id by the native API, with a token that a tutorial's login answered.
async fn id_of(server: &Server, token: &str) -> String {
    let me = server.get("/api/v1/me").bearer(token).expect(200).await.json();
    me["id"].as_str().unwrap().to_owned()
}
