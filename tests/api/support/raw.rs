//! A request exactly as some client writes it.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::contract;
use super::request::Answer;
use super::server::Server;

impl Server {
    /// Sends these bytes over a connection of their own, reads one answer, and holds it against the document.
    pub async fn send_raw(&self, request: &str) -> Answer {
        let mut begun = self.connect(request).await;
        begun.write(request).await;
        begun.answer().await
    }

    /// Begins a request, and holds its body back once the server waits for that.
    pub async fn begin(&self, method: &str, path: &str, token: &str, body: Value) -> Begun {
        let body = body.to_string();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\nexpect: 100-continue\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut begun = Begun { body, ..self.connect(&head).await };
        begun.write(&head).await;
        let mut told = [0; 25];
        begun.line.read_exact(&mut told).await.unwrap();
        assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
        begun
    }

    async fn connect(&self, request: &str) -> Begun {
        let line = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).await.unwrap();
        let mut words = request.split(' ').map(str::to_owned);
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        Begun { line, method, path, body: String::new() }
    }
}

/// A request on its way.
pub struct Begun {
    line: TcpStream,
    method: String,
    path: String,
    body: String,
}

impl Begun {
    /// Sends what was held back.
    pub async fn end(mut self) -> Answer {
        let body = std::mem::take(&mut self.body);
        self.write(&body).await;
        self.answer().await
    }

    async fn write(&mut self, text: &str) {
        self.line.write_all(text.as_bytes()).await.unwrap();
    }

    async fn answer(mut self) -> Answer {
        let mut bytes = Vec::new();
        let answer = loop {
            if let Some(answer) = whole(&bytes) {
                break answer;
            }
            assert_ne!(self.line.read_buf(&mut bytes).await.unwrap(), 0, "the answer ended early: {bytes:?}");
        };
        contract::check(&self.method, &self.path, answer.status, &answer.headers, answer.text.as_bytes());
        answer
    }
}

/// An answer whose length is told, once all of it is there.
fn whole(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mut head = std::str::from_utf8(&bytes[..end]).unwrap().split("\r\n");
    let status = head.next()?.split(' ').nth(1)?.parse().unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in head.map(|header| header.split_once(": ").unwrap()) {
        headers.append(name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap());
    }
    let length: usize = headers["content-length"].to_str().unwrap().parse().unwrap();
    let body = bytes.get(end + 4..end + 4 + length)?;
    Some(Answer { status, headers, text: String::from_utf8(body.to_vec()).unwrap() })
}
