//! Passwords that have leaked: asked of a service that is told the first 20 bits of a password's SHA-1, and answers with all
//! that begin so (k-anonymity; the range search of Have I Been Pwned, and what speaks as it does).
//!
//! It fails open: a service that is away, slow or wrong refuses nobody. Having failed, it is left alone for a while, so that
//! nobody waits for it in vain.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::patience;
use crate::traces;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long the service is left alone after it failed.
const LEFT_ALONE: Duration = Duration::from_secs(30);

/// What an answer may have at most, in bytes; the usual is 40 KiB.
const MAX_BYTES: usize = 1024 * 1024;

/// Characters of the hash that are told.
const TOLD: usize = 5;

/// The service that is asked, if there is one.
pub struct Breaches(Option<Service>);

struct Service {
    /// To which what is told is appended.
    url: String,
    http: reqwest::Client,
    left_alone_until: Mutex<Option<Instant>>,
}

impl Breaches {
    pub fn new(url: Option<&str>) -> anyhow::Result<Breaches> {
        let Some(url) = url else { return Ok(Breaches(None)) };
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("portcullis")
            .build()
            .context("can't ask for leaked passwords")?;
        Ok(Breaches(Some(Service { url: format!("{url}/"), http, left_alone_until: Mutex::default() })))
    }

    /// Whether the service says that this password has leaked.
    pub async fn contain(&self, password: &str) -> bool {
        let Some(service) = &self.0 else { return false };
        let until = || service.left_alone_until.lock().unwrap_or_else(PoisonError::into_inner);
        if until().is_some_and(|until| Instant::now() < until) {
            return false;
        }
        let found = patience::spend(service.find(password)).await;
        *until() = found.is_err().then(|| Instant::now() + LEFT_ALONE);
        found.unwrap_or_else(|error| {
            tracing::warn!(
                "leaked passwords could not be asked for, and are let pass for a while: {error:#}"
            );
            false
        })
    }
}

impl Service {
    async fn find(&self, password: &str) -> anyhow::Result<bool> {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
        let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        let (told, kept) = hash.split_at(TOLD);
        // Padded, so that the answer's length does not tell what was asked.
        let request = self.http.get(format!("{}{told}", self.url)).header("add-padding", "true");
        let onward = traces::present(|request| {
            let (parent, state) = request.onward();
            (parent, state.map(str::to_owned))
        });
        let request = match onward {
            Some((parent, state)) => {
                let request = request.header("traceparent", parent.as_ref());
                state.into_iter().fold(request, |request, state| request.header("tracestate", state))
            }
            None => request,
        };
        // An error of reqwest names the URL, which has what is told.
        let mut answer = request.send().await.map_err(reqwest::Error::without_url)?;
        if !answer.status().is_success() {
            bail!("the answer was {}", answer.status());
        }
        let mut text = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
            text.extend_from_slice(&part);
            if text.len() > MAX_BYTES {
                bail!("the answer is larger than {MAX_BYTES} bytes");
            }
        }
        let text = String::from_utf8(text).context("the answer is not text")?;
        let mut lines = text.lines().map(|line| line.trim().split_once(':'));
        // A count of 0 is padding.
        let has = lines.any(|line| {
            line.is_some_and(|(hash, count)| hash.eq_ignore_ascii_case(kept) && count.trim() != "0")
        });
        if !has && !text.trim().is_empty() && !text.contains(':') {
            bail!("the answer is not a list of hashes and counts");
        }
        Ok(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_that_waited_in_vain_has_less_time_for_what_follows() {
        // Takes connections, and answers none.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let breaches = Breaches::new(Some(&format!("http://{}", silent.local_addr().unwrap()))).unwrap();
        let left = patience::patiently(async {
            assert!(!breaches.contain("tidal-lantern-mosaic-42").await);
            patience::left()
        });
        assert!(left.await <= patience::DEADLINE - TIMEOUT);
    }
}
