//! What is asked of Portcullis, and what it answers.

use std::fmt;
use std::time::Duration;

use reqwest::header::{CACHE_CONTROL, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, redirect};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::settings::{Settings, SettingsError};

/// How long a login may take: its password is checked on purpose slowly, and may have to queue.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);

/// At most so many items are in one answer; with fewer, there was nothing more.
pub(crate) const PAGE: usize = 1000;

pub(crate) struct Api {
    http: Client,
    url: String,
    /// After that long an answer would be too old to be of use.
    timeout: Duration,
}

/// One item of the feed. Its time and reason are for people.
#[derive(Debug, Deserialize)]
pub(crate) struct Revocation {
    pub seq: u64,
    pub sub: Uuid,
    /// `None`: all of the user's sessions. Absent is not the same, but an answer that is not understood.
    #[serde(deserialize_with = "Option::deserialize")]
    pub sid: Option<Uuid>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    pub items: Vec<Revocation>,
    pub next: u64,
}

/// A token response (RFC 6749 section 5.1).
#[derive(Deserialize)]
pub(crate) struct Tokens {
    pub access_token: Secret,
    pub expires_in: u64,
    pub refresh_token: Secret,
}

/// A token or a password: `Debug` does not show it.
#[derive(Clone, Deserialize)]
pub(crate) struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    #[error("Portcullis can't be reached: {}", causes(.0))]
    Line(reqwest::Error),
    #[error("Portcullis answered {status}{}", words(.code.as_deref()))]
    Refused { status: u16, code: Option<String>, retry_after: Option<Duration> },
    #[error("{0}")]
    Unusable(String),
}

impl Api {
    pub fn new(settings: &Settings) -> Result<Api, SettingsError> {
        let http = Client::builder()
            .timeout(settings.max_silence)
            .user_agent(concat!("portcullis-client/", env!("CARGO_PKG_VERSION")))
            // A password and tokens go to the address that was set, and nowhere else.
            .redirect(redirect::Policy::none());
        // Without this, a system without any root certificates could not even speak plain HTTP.
        #[cfg(feature = "tls")]
        let http = if settings.url.starts_with("https:") { http } else { http.tls_certs_only([]) };
        let http = http.build().map_err(|error| SettingsError {
            name: "url",
            what: format!("can't be spoken to: {}", causes(&error)),
        })?;
        Ok(Api { http, url: settings.url.clone(), timeout: settings.max_silence })
    }

    /// The public keys, not from a cache on the way: the reason to ask may be that they have just changed.
    pub async fn keys(&self) -> Result<Vec<Value>, CallError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let request = self.http.get(format!("{}/.well-known/jwks.json", self.url));
        Ok(answer::<Set>(request.header(CACHE_CONTROL, "no-cache")).await?.keys)
    }

    /// What was revoked after `since`; held for up to `wait` seconds while there is nothing.
    pub async fn revocations(&self, bearer: &Secret, since: u64, wait: u64) -> Result<Page, CallError> {
        let url = format!("{}/api/v1/revocations?since={since}&wait={wait}", self.url);
        let page: Page = answer(self.http.get(url).bearer_auth(&bearer.0)).await?;
        let last = page.items.last().map_or(0, |item| item.seq);
        if page.next < last || (!page.items.is_empty() && page.next == since) {
            return Err(CallError::Unusable("Portcullis' revocations don't go forward".to_owned()));
        }
        Ok(page)
    }

    pub async fn login(&self, login: &str, password: &Secret) -> Result<Tokens, CallError> {
        let body = json!({ "login": login, "password": password.0 });
        let request = self.http.post(format!("{}/api/v1/login", self.url)).json(&body);
        answer(request.timeout(LOGIN_TIMEOUT.max(self.timeout))).await
    }

    pub async fn refresh(&self, token: &Secret) -> Result<Tokens, CallError> {
        let body = json!({ "refresh_token": token.0 });
        answer(self.http.post(format!("{}/api/v1/refresh", self.url)).json(&body)).await
    }
}

/// A problem's code, and what a person can do about it.
fn words(code: Option<&str>) -> String {
    match code {
        None => String::new(),
        Some("invalid_credentials") => " invalid_credentials: `login` or `password` is wrong".to_owned(),
        Some("forbidden") => " forbidden: the user `login` needs the role `introspect`".to_owned(),
        Some("not_found") => " not_found: it is too old to tell what was revoked".to_owned(),
        Some(code) => format!(" {code}"),
    }
}

async fn answer<T: DeserializeOwned>(request: RequestBuilder) -> Result<T, CallError> {
    let answer = request.send().await.map_err(CallError::Line)?;
    let status = answer.status().as_u16();
    if status == 200 {
        let body = answer.bytes().await.map_err(CallError::Line)?;
        // The parser's own words could quote a token.
        let unusable = |_| CallError::Unusable("Portcullis' answer is not what it should be".to_owned());
        return serde_json::from_slice(&body).map_err(unusable);
    }
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.parse().ok());
    #[derive(Deserialize)]
    struct Problem {
        code: String,
    }
    let problem: Option<Problem> = answer.json().await.ok();
    Err(CallError::Refused {
        status,
        code: problem.map(|problem| problem.code),
        retry_after: seconds.map(Duration::from_secs),
    })
}

/// An error with its causes: reqwest's own text leaves out the one that matters.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
