//! A request exactly as some client writes it.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::contract;
use super::request::Answer;
use super::server::Server;

impl Server {
    /// Sends these bytes over a connection of their own, reads one answer, and holds it against the document.
    pub async fn send_raw(&self, request: &str) -> Answer {
        let mut line = TcpStream::connect(self.url.strip_prefix("http://").unwrap()).await.unwrap();
        line.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        let answer = loop {
            if let Some(answer) = whole(&bytes) {
                break answer;
            }
            assert_ne!(line.read_buf(&mut bytes).await.unwrap(), 0, "the answer ended early: {bytes:?}");
        };
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        contract::check(method, path, answer.status, &answer.headers, answer.text.as_bytes());
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
