//! Sending a request, and reading its answer.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::Value;

use super::contract;

/// A request on its way.
#[must_use = "a request does nothing until it is sent"]
pub struct Request {
    method: String,
    path: String,
    builder: reqwest::RequestBuilder,
}

/// An answer that has been held against the OpenAPI document.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Request {
    pub fn new(http: &reqwest::Client, url: &str, method: &str, path: &str) -> Request {
        let builder = http.request(method.parse().unwrap(), format!("{url}{path}"));
        Request { method: method.to_owned(), path: path.to_owned(), builder }
    }

    /// With an access token.
    pub fn bearer(self, token: &str) -> Request {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.builder = self.builder.header(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    /// With a JSON body.
    pub fn json(mut self, body: Value) -> Request {
        self.builder = self.builder.json(&body);
        self
    }

    /// With a form as it is on the wire.
    pub fn form(self, encoded: &str) -> Request {
        self.body("application/x-www-form-urlencoded", encoded.to_owned())
    }

    /// With any body.
    pub fn body(mut self, content_type: &str, body: impl Into<reqwest::Body>) -> Request {
        self.builder = self.builder.header("content-type", content_type).body(body);
        self
    }

    /// With an answer demanded in this time.
    pub fn within(mut self, time: Duration) -> Request {
        self.builder = self.builder.timeout(time);
        self
    }

    /// Sends it, and holds the answer against the document.
    pub async fn send(self) -> Answer {
        let (method, path) = (self.method.clone(), self.path.clone());
        let answer = self.send_unchecked().await;
        contract::check(&method, &path, answer.status, &answer.headers, answer.text.as_bytes());
        answer
    }

    /// Sends it, for what is no part of the document: a preflight.
    pub async fn send_unchecked(self) -> Answer {
        let response = self
            .builder
            .send()
            .await
            .unwrap_or_else(|error| panic!("{} {}: {error:?}", self.method, self.path));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        Answer { status, headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    /// Sends it, and demands this status.
    pub async fn expect(self, status: u16) -> Answer {
        let what = format!("{} {}", self.method, self.path);
        let answer = self.send().await;
        assert_eq!(answer.status, status, "{what}: {}", answer.text);
        answer
    }

    /// Sends it, and demands a problem of this status and code.
    pub async fn expect_problem(self, status: u16, code: &str) -> Answer {
        let answer = self.expect(status).await;
        assert_eq!(answer.json()["code"], code, "{}", answer.text);
        answer
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// A header's value; empty where it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The fields that broke a rule, each with its code: `username too_short`.
    pub fn broken(&self) -> Vec<String> {
        let body = self.json();
        let errors = body["errors"].as_array().unwrap_or_else(|| panic!("no errors in {body}"));
        errors
            .iter()
            .map(|e| format!("{} {}", e["field"].as_str().unwrap(), e["code"].as_str().unwrap()))
            .collect()
    }
}
