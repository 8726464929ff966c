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
use chrono::{DateTime, Utc};

use super::CurrentUser;
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
    now: DateTime<Utc>,
) -> Result<Result<()>, Arc<Budget>> {
    match app.usage.quotas.spend(&app.db, user, quota, now) {
        Spent::Allowed => Ok(Ok(())),
        Spent::Refused(standing) => Ok(Err(exceeded(request, standing))),
        Spent::Unknown(budget) => Err(budget),
    }
}

/// As [`spend`], by what the database has left.
pub(super) async fn ask(
    app: &App,
    request: &HttpRequest,
    budget: Arc<Budget>,
    now: DateTime<Utc>,
) -> Result<()> {
    budget.ask(&app.db, now).await?.map_err(|standing| exceeded(request, standing))
}

/// Has the answer tell where the user stands with the quota. An answer that nobody asked that of does not: to write it would cost more
/// than all else that a quota costs.
pub(super) async fn tell_quota(app: &App, request: &HttpRequest, user: &CurrentUser) -> Result<()> {
    if let Some(quota) = user.quota()
        && let Some(standing) = app.usage.quotas.standing(&app.db, user.id, quota, app.clock.now()).await?
    {
        request.extensions_mut().insert(standing);
    }
    Ok(())
}

fn exceeded(request: &HttpRequest, standing: usage::Standing) -> Error {
    request.extensions_mut().insert(standing);
    let (Quota { requests, per, .. }, wait) = (standing.quota, standing.resets_in);
    Error::QuotaExceeded { requests, per: per.name(), wait }
}

/// Tells where the sender stands with the limit of its network, with its quota, or with both.
pub(super) fn add_headers(
    limit: Option<&Standing>,
    quota: Option<&usage::Standing>,
    headers: &mut HeaderMap,
) {
    let (mut standing, mut policy) = (Vec::new(), Vec::new());
    if let Some(limit) = limit {
        let Standing { limit, quota, window, remaining, wait } = limit;
        let refill = window.as_secs_f64() / f64::from(*quota);
        // In how long the quota is whole again; while it is refused, in how long there is something.
        let reset = wait.map_or(refill * f64::from(quota - remaining), |wait| wait.as_secs_f64()).ceil();
        standing.push(format!("\"{}\";r={remaining};t={reset}", limit.name()));
        policy.push(format!("\"{}\";q={quota};w={}", limit.name(), window.as_secs()));
    }
    if let Some(usage::Standing { quota, remaining, window, resets_in }) = quota {
        standing.push(format!("\"quota\";r={remaining};t={}", resets_in.as_secs()));
        policy.push(format!("\"quota\";q={};w={}", quota.requests, window.as_secs()));
    }
    // Lists of items with parameters (RFC 9651).
    for (header, items) in [(RATELIMIT, standing), (RATELIMIT_POLICY, policy)] {
        if let Ok(value) = HeaderValue::try_from(items.join(", ")) {
            headers.append(header, value);
        }
    }
}
