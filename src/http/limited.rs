//! Limits by address, and quotas: what counts a request, and the headers that tell where its sender stands
//! (draft-ietf-httpapi-ratelimit-headers).

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::client::address_of;
use crate::app::App;
use crate::error::{Error, Result};
use crate::id::UserId;
use crate::limits::{Limit, Standing};
use crate::store::quotas::Quota;
use crate::usage::{self, Budget, Spent};

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// A request that is within the limit `L` of its network. As an argument of a handler it counts the request before the
/// handler runs; one too many is answered 429 `rate_limited`.
pub(super) struct Limited<L>(PhantomData<L>);

/// Which limit a handler names.
pub(super) trait Named: 'static {
    const LIMIT: Limit;
}

macro_rules! named {
    ($($Name:ident),+) => {
        $(
            pub(super) struct $Name;

            impl Named for $Name {
                const LIMIT: Limit = Limit::$Name;
            }
        )+
    };
}
named!(Register, LogIn, Refresh, Confirm, Mail);

impl<L: Named> FromRequest for Limited<L> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match count(L::LIMIT, request) {
            None => Ok(Limited(PhantomData)),
            Some(wait) => Err(Error::RateLimited(wait)),
        })
    }
}

/// A request that was counted, and whose handler decides what becomes of one too many.
pub(super) struct Counted<L> {
    pub is_too_many: bool,
    limit: PhantomData<L>,
}

impl<L: Named> FromRequest for Counted<L> {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Counted { is_too_many: count(L::LIMIT, request).is_some(), limit: PhantomData }))
    }
}

/// Counts a request. How long to wait, if it is one too many.
fn count(limit: Limit, request: &HttpRequest) -> Option<Duration> {
    let app = request.app_data::<Data<App>>().expect("the server was made with it");
    let standing = app.addresses.count(limit, address_of(request, app))?;
    request.extensions_mut().insert(standing);
    standing.wait
}

/// Spends one request of the user's quota, if memory can tell whether there is one: else the budget that has to be
/// [asked](ask). One too many is answered 429 `quota_exceeded`.
pub(super) fn spend(
    app: &App,
    request: &HttpRequest,
    user: UserId,
    quota: &Quota,
) -> Result<Result<()>, Arc<Budget>> {
    match app.usage.quotas.spend(&app.db, user, quota, app.clock.now()) {
        Spent::Allowed(standing) => Ok(told(app, request, true, standing)),
        Spent::Refused(standing) => Ok(told(app, request, false, standing)),
        Spent::Unknown(budget) => Err(budget),
    }
}

/// As [`spend`], by what the database has left.
pub(super) async fn ask(app: &App, request: &HttpRequest, budget: Arc<Budget>) -> Result<()> {
    match budget.ask(&app.db, app.clock.now()).await? {
        Some((is_allowed, standing)) => told(app, request, is_allowed, standing),
        None => Ok(()),
    }
}

fn told(app: &App, request: &HttpRequest, is_allowed: bool, standing: usage::Standing) -> Result<()> {
    request.extensions_mut().insert(standing);
    if is_allowed {
        return Ok(());
    }
    app.counts.quota_refusals.add_one();
    let (Quota { requests, per, .. }, wait) = (standing.quota, standing.resets_in);
    Err(Error::QuotaExceeded { requests, per: per.name(), wait })
}

/// Tells where the sender stands with the limit of its network, with its quota, or with both.
pub(super) fn add_headers(
    limit: Option<&Standing>,
    quota: Option<&usage::Standing>,
    headers: &mut HeaderMap,
) {
    let (mut standing, mut policy) = (Text::new(), Text::new());
    if let Some(limit) = limit {
        let Standing { limit, quota, window, remaining, wait } = limit;
        let refill = window.as_secs_f64() / f64::from(*quota);
        // In how long the quota is whole again; while it is refused, in how long there is something.
        let reset = wait.map_or(refill * f64::from(quota - remaining), |wait| wait.as_secs_f64()).ceil();
        standing.add(limit.name(), [("r", u64::from(*remaining)), ("t", reset as u64)]);
        policy.add(limit.name(), [("q", u64::from(*quota)), ("w", window.as_secs())]);
    }
    if let Some(usage::Standing { quota, remaining, window, resets_in }) = quota {
        standing.add("quota", [("r", remaining.unsigned_abs()), ("t", resets_in.as_secs())]);
        policy.add("quota", [("q", quota.requests.unsigned_abs()), ("w", window.as_secs())]);
    }
    standing.tell(RATELIMIT, headers);
    policy.tell(RATELIMIT_POLICY, headers);
}

/// A header's value, written in place: where there is a quota this is in the way of every request, and `format!` would be most of
/// what the quota costs.
struct Text {
    bytes: [u8; LONGEST],
    length: usize,
}

/// Two items, each of a name of ours and two numbers of at most 20 digits.
const LONGEST: usize = 2 * 64;

impl Text {
    fn new() -> Text {
        Text { bytes: [0; LONGEST], length: 0 }
    }

    /// Adds an item of a list (RFC 9651).
    fn add(&mut self, name: &str, parameters: [(&str, u64); 2]) {
        self.push(if self.length > 0 { ", \"" } else { "\"" });
        self.push(name);
        self.push("\"");
        for (key, number) in parameters {
            self.push(";");
            self.push(key);
            self.push("=");
            self.push(itoa::Buffer::new().format(number));
        }
    }

    fn push(&mut self, text: &str) {
        let end = self.length + text.len();
        if let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(text.as_bytes());
            self.length = end;
        }
    }

    fn tell(&self, header: HeaderName, headers: &mut HeaderMap) {
        let text = &self.bytes[..self.length];
        if !text.is_empty()
            && let Ok(value) = HeaderValue::from_bytes(text)
        {
            headers.append(header, value);
        }
    }
}
