//! Passwords that a range service knows to have leaked: `BREACH_CHECK_URL`.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::api::support::{PASSWORD, Server};

/// SHA-1 of [`PASSWORD`], as `sha1sum` has it: what is told of it, and what is not.
const TOLD: &str = "7A54F";
const KEPT: &str = "507E51FEEEDDC43282AD318E4B367BEE5D0";

/// A fake of the service.
struct Ranges {
    setting: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Ranges {
    /// Answers every request with this, or hangs up where there is nothing.
    async fn answering(answer: String) -> Ranges {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let setting = format!("--breach-check-url=http://{}/range/", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = asked.clone();
        tokio::spawn(async move {
            while let Ok((mut line, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let read = line.read(&mut request).await.unwrap_or(0);
                noted.lock().unwrap().push(String::from_utf8_lossy(&request[..read]).into_owned());
                let _ = line.write_all(answer.as_bytes()).await;
            }
        });
        Ranges { setting, asked }
    }

    async fn listing(lines: &str) -> Ranges {
        let length = lines.len();
        Ranges::answering(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{lines}"
        ))
        .await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// The status of a registration, and the rule that it broke.
async fn register(server: &Server, name: &str) -> (u16, String) {
    let body = json!({ "username": name, "password": PASSWORD });
    let answer = server.post("/api/v1/register").json(body).send().await;
    (answer.status, if answer.status == 422 { answer.broken().join(", ") } else { String::new() })
}

#[actix_web::test]
async fn a_leaked_password_is_refused_and_only_five_characters_of_its_hash_are_told() {
    let ranges = Ranges::listing(&format!("{}:3\r\n{KEPT}:17\r\n", "0".repeat(35))).await;
    let server = Server::with(&[&ranges.setting]).await;
    assert_eq!(register(&server, "ada").await, (422, "password breached".to_owned()));
    let asked = ranges.asked().join("\n");
    assert!(asked.starts_with(&format!("GET /range/{TOLD} HTTP/1.1\r\n")), "{asked}");
    assert!(asked.to_lowercase().contains("add-padding: true"), "{asked}");
    assert!(!asked.to_uppercase().contains(&KEPT[..5]) && !asked.contains(PASSWORD), "{asked}");
}

#[actix_web::test]
async fn what_is_not_listed_and_what_is_padding_pass() {
    let padding = format!("{KEPT}:0\r\n{}:9", "F".repeat(35));
    for lines in ["", &padding] {
        let ranges = Ranges::listing(lines).await;
        let server = Server::with(&[&ranges.setting]).await;
        assert_eq!(register(&server, "ada").await.0, 201);
        assert_eq!(register(&server, "bob").await.0, 201);
        assert_eq!(ranges.asked().len(), 2);
    }
}

#[actix_web::test]
async fn a_service_that_fails_refuses_nobody_and_is_left_alone_for_a_while() {
    let failing = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let html = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>";
    let elsewhere =
        "HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    for answer in [failing, html, elsewhere, ""] {
        let ranges = Ranges::answering(answer.to_owned()).await;
        let server = Server::with(&[&ranges.setting]).await;
        assert_eq!(register(&server, "ada").await.0, 201, "{answer}");
        let asked = ranges.asked().len();
        assert_eq!(register(&server, "bob").await.0, 201, "{answer}");
        assert_eq!(ranges.asked().len(), asked, "{answer}");
    }
    // Nobody listens there.
    let server = Server::with(&["--breach-check-url=http://127.0.0.1:9/range"]).await;
    assert_eq!(register(&server, "ada").await.0, 201);
}

#[actix_web::test]
async fn who_is_asked_is_told_of_the_trace() {
    let ranges = Ranges::listing("").await;
    let server = Server::with(&[&ranges.setting]).await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let body = json!({ "username": "ada", "password": PASSWORD });
    let request = server.post("/api/v1/register").header("traceparent", parent).header("tracestate", "a=1");
    request.json(body).expect(201).await;
    let asked = ranges.asked().join("\n").to_lowercase();
    assert!(asked.contains(&format!("\r\ntraceparent: {parent}\r\ntracestate: a=1\r\n")), "{asked}");
}
