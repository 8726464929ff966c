//! Limits by address, and quotas: what counts a request, and the headers that tell where its sender stands
//! (draft-ietf-httpapi-ratelimit-headers).

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomData;
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
use crate::usage::{self, Spent};

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

/// Spends one request of the user's quota; one too many is answered 429 `quota_exceeded`.
pub(super) async fn spend(app: &App, request: &HttpRequest, user: UserId, quota: &Quota) -> Result<()> {
    let now = app.clock.now();
    let (is_allowed, standing) = match app.usage.quotas.spend(&app.db, user, quota, now) {
        Spent::Allowed(standing) => (true, standing),
        Spent::Refused(standing) => (false, standing),
        Spent::Unknown(budget) => match budget.ask(&app.db, now).await? {
            Some(told) => told,
            None => return Ok(()),
        },
    };
    request.extensions_mut().insert(standing);
    if is_allowed {
        return Ok(());
    }
    app.counts.quota_refusals.add_one();
    let (Quota { requests, per, .. }, wait) = (standing.quota, standing.resets_in);
    Err(Error::QuotaExceeded { requests, per: per.name(), wait })
}

/// Tells where the sender stands with a quota, behind what the headers tell already.
pub(super) fn add_quota_headers(standing: &usage::Standing, headers: &mut HeaderMap) {
    let usage::Standing { quota, remaining, window, resets_in } = standing;
    for (header, value) in [
        (RATELIMIT, format!("\"quota\";r={remaining};t={}", resets_in.as_secs())),
        (RATELIMIT_POLICY, format!("\"quota\";q={};w={}", quota.requests, window.as_secs())),
    ] {
        let before = headers.get(&header).and_then(|before| before.to_str().ok());
        let value = before.map_or_else(|| value.clone(), |before| format!("{before}, {value}"));
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(header, value);
        }
    }
}

/// Tells where the sender stands, after a request that was counted.
pub(super) fn add_headers(standing: &Standing, headers: &mut HeaderMap) {
    let Standing { limit, quota, window, remaining, wait } = standing;
    let name = limit.name();
    let refill = window.as_secs_f64() / f64::from(*quota);
    // In how long the quota is whole again; while it is refused, in how long there is something.
    let reset = wait.map_or(refill * f64::from(quota - remaining), |wait| wait.as_secs_f64()).ceil();
    for (header, value) in [
        (RATELIMIT, format!("\"{name}\";r={remaining};t={reset}")),
        (RATELIMIT_POLICY, format!("\"{name}\";q={quota};w={}", window.as_secs())),
    ] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(header, value);
        }
    }
}
