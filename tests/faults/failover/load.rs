//! Clients that write, and remember what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::BACK_WITHIN;
use crate::program::PASSWORD;

/// Within which each answer must come, whatever the database does.
const BOUND: Duration = Duration::from_secs(5);

/// A service, and what its answers were.
pub struct Client {
    url: String,
    http: reqwest::Client,
    pub done: AtomicUsize,
    pub unavailable: AtomicUsize,
    /// Whether an answer may be a 503.
    pub in_trouble: AtomicBool,
}

/// What was answered with success.
#[derive(Default)]
pub struct Acknowledged {
    pub users: Vec<String>,
    /// Access tokens of sessions that were ended.
    pub logged_out: Vec<String>,
    /// The last of each chain.
    pub refresh_tokens: Vec<String>,
}

impl Client {
    pub fn of(url: &str) -> Arc<Client> {
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Arc::new(Client {
            url: url.to_owned(),
            http,
            done: AtomicUsize::new(0),
            unavailable: AtomicUsize::new(0),
            in_trouble: AtomicBool::new(false),
        })
    }

    /// The status and the body; `None` where it is a 503 that may be, after a moment.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        bearer: Option<&str>,
        body: Value,
    ) -> Option<(u16, Value)> {
        let mut request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url));
        if method != "GET" {
            request = request.json(&body);
        }
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        let (began, troubled) = (Instant::now(), self.in_trouble.load(SeqCst));
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap_or_default();
        assert!(began.elapsed() < BOUND, "{method} {path}: {status} after {:?}", began.elapsed());
        if status == 503 {
            assert!(troubled || self.in_trouble.load(SeqCst), "{method} {path}: {status} {body}");
            assert_eq!(body["code"], "unavailable", "{method} {path}");
            self.unavailable.fetch_add(1, SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            return None;
        }
        self.done.fetch_add(1, SeqCst);
        Some((status, body))
    }

    /// Its body, which must come with this status.
    pub async fn expect(
        &self,
        status: u16,
        method: &str,
        path: &str,
        bearer: Option<&str>,
        body: Value,
    ) -> Option<Value> {
        let (seen, body) = self.ask(method, path, bearer, body).await?;
        assert_eq!(seen, status, "{method} {path}: {body}");
        Some(body)
    }

    pub async fn login(&self, username: &str) -> Option<Value> {
        let body = json!({ "username": username, "password": PASSWORD });
        self.expect(200, "POST", "/api/v1/login", None, body).await
    }

    pub async fn refresh(&self, token: &str) -> Option<Value> {
        let body = json!({ "refresh_token": token });
        self.expect(200, "POST", "/api/v1/refresh", None, body).await
    }

    /// Tries until it is no 503 any more, which must be so in time.
    pub async fn is_back(&self, username: &str, since: Instant) {
        loop {
            let tokens = self.login(username).await;
            assert!(since.elapsed() < BACK_WITHIN, "{} is not back: {:?}", self.url, since.elapsed());
            if tokens.is_some() {
                return;
            }
        }
    }

    /// Registers, refreshes and logs out until `over`.
    pub fn write(self: &Arc<Self>, name: String, over: &Arc<AtomicBool>) -> JoinHandle<Acknowledged> {
        let (client, over) = (self.clone(), over.clone());
        tokio::spawn(async move {
            let mut acknowledged = Acknowledged::default();
            let mut chain: Option<String> = None;
            for n in 0.. {
                if over.load(SeqCst) {
                    break;
                }
                let username = format!("{name}-{n}");
                let body = json!({ "username": username, "password": PASSWORD });
                if client.expect(201, "POST", "/api/v1/register", None, body).await.is_some() {
                    acknowledged.users.push(username.clone());
                    if let Some(tokens) = client.login(&username).await {
                        let access = text(&tokens, "access_token");
                        let gone = client.expect(204, "POST", "/api/v1/logout", Some(&access), json!({}));
                        if gone.await.is_some() {
                            acknowledged.logged_out.push(access);
                        }
                    }
                }
                let next = match (&chain, acknowledged.users.first()) {
                    (Some(token), _) => client.refresh(token).await,
                    (None, Some(first)) => client.login(first).await,
                    (None, None) => None,
                };
                chain = next.map(|tokens| text(&tokens, "refresh_token")).or(chain);
            }
            acknowledged.refresh_tokens.extend(chain);
            acknowledged
        })
    }
}

pub fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_else(|| panic!("no {field} in {body}")).to_owned()
}
