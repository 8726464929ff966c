//! What every response has around it: the request's id, security headers, the form of its errors, a line in the log.

use std::cell::Cell;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ResponseHead, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{
    CACHE_CONTROL, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use anyhow::anyhow;
use futures_util::FutureExt;

use super::error::{Rendered, of_status, render};
use super::limited;
use super::trace_context::parent;
use super::watching::{Watching, record};
use crate::app::App;
use crate::error::{Error, QUOTA_EXCEEDED};
use crate::id::UserId;
use crate::limits::Standing;
use crate::patience::patiently;
use crate::traces::{self, Present};
use crate::usage;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// For a year, browsers come by HTTPS alone (RFC 6797). Neither for subdomains, which may be others', nor for the lists that
/// browsers ship, which nobody gets out of soon.
const BY_HTTPS_ALONE: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The user whom a request turned out to be from, for the log.
pub(super) struct LoggedUser(pub UserId);

impl LoggedUser {
    pub fn note(self, request: &HttpRequest) {
        if is_logged() {
            request.extensions_mut().insert(self);
        }
    }
}

/// The outermost middleware. Public for who measures what it costs.
pub async fn wrap(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody, BoxBody>>, actix_web::Error> {
    let watching = request.app_data::<Watching>().cloned();
    let (parent, state) = parent(request.headers());
    let traces = watching.as_ref().and_then(Watching::traces);
    let present = Arc::new(Present::new(request_id(&request), parent, state, traces));
    traces::within(present.clone(), answer(request, next, watching, present)).await
}

async fn answer(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    watching: Option<Watching>,
    present: Arc<Present>,
) -> Result<ServiceResponse<EitherBody<impl MessageBody, BoxBody>>, actix_web::Error> {
    let app = request.app_data::<Data<App>>();
    let _in_flight = app.map(|app| app.begin_request());
    let by_https = app.is_some_and(|app| app.config.is_public_by_https());
    let (started, method) = (Instant::now(), request.method().clone());
    let mut line = Line { started, method, present: present.clone(), watching, ended: false };
    let id = &present.request_id;

    let failure = match AssertUnwindSafe(patiently(next.call(request))).catch_unwind().await {
        Ok(Ok(response)) => {
            let (mut response, code) = as_problem(response, id);
            add_headers(response.response_mut().head_mut(), id, by_https);
            if response.request().app_data::<Data<App>>().is_some_and(|app| app.is_draining()) {
                response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
            }
            if code == Some(QUOTA_EXCEEDED)
                && let Some(app) = response.request().app_data::<Data<App>>()
            {
                app.counts.quota_refusals.add_one();
            }
            let limit = response.request().extensions().get::<Standing>().copied();
            // Who waits for having guessed is within this limit, and would be misled.
            let refused = response.status() == StatusCode::TOO_MANY_REQUESTS;
            let limit = limit.filter(|limit| limit.wait.is_some() || !refused);
            let quota = response.request().extensions().get::<usage::Standing>().copied();
            if limit.is_some() || quota.is_some() {
                limited::add_headers(limit.as_ref(), quota.as_ref(), response.headers_mut());
            }
            let request = response.request();
            let user = request.extensions().get::<LoggedUser>().map(|user| user.0);
            line.end(response.status().as_u16(), code, Some(request), user);
            return Ok(response);
        }
        // No layer within this one is known to fail; if one does, its status is all that is known.
        Ok(Err(error)) => of_status(error.as_response_error().status_code())
            .unwrap_or_else(|| Error::Internal(anyhow!("a layer failed: {error}"))),
        Err(_) => Error::Internal(anyhow!("the handler panicked")),
    };
    log_cause(&failure);
    let Rendered { status, headers, body } = render(&failure, id);
    let mut response = HttpResponse::with_body(status, BoxBody::new(body));
    headers.into_iter().for_each(|(name, value)| drop(response.headers_mut().insert(name, value)));
    add_headers(response.head_mut(), id, by_https);
    // Nobody knows what was left of the request, nor whether the service drains.
    response.head_mut().set_connection_type(ConnectionType::Close);
    line.end(status.as_u16(), Some(failure.code()), None, None);
    Err(InternalError::from_response("", response).into())
}

/// A request's line in the log, and its place among what is counted. One that is given up, because its client has hung up, leaves its line too.
struct Line {
    started: Instant,
    method: Method,
    present: Arc<Present>,
    watching: Option<Watching>,
    ended: bool,
}

fn is_logged() -> bool {
    tracing::enabled!(target: "portcullis::request", tracing::Level::INFO)
}

/// What a client that hung up would have been answered, as proxies note it.
const CLIENT_CLOSED_REQUEST: u16 = 499;

impl Line {
    /// `code`: of the problem that it was answered, if it was one.
    fn end(
        &mut self,
        status: u16,
        code: Option<&'static str>,
        request: Option<&HttpRequest>,
        user: Option<UserId>,
    ) {
        self.ended = true;
        let took = self.started.elapsed();
        if let Some(watching) = &self.watching {
            watching.count(request, &self.method, status, took);
        }
        if self.present.is_recorded() {
            record(&self.present, request, &self.method, status, took);
        }
        // What the line would say is not looked up where nobody reads it.
        if !is_logged() {
            return;
        }
        let route = request.and_then(|request| request.match_pattern());
        tracing::info!(
            target: "portcullis::request",
            method = %self.method,
            route = route.as_deref().unwrap_or("-"),
            status,
            code,
            ms = took.as_millis() as u64,
            user_id = user.map(tracing::field::display),
        );
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if !self.ended {
            self.end(CLIENT_CLOSED_REQUEST, None, None, None);
        }
    }
}

/// The client's own id where it is sane, else a fresh one.
fn request_id(request: &ServiceRequest) -> String {
    let sane = |id: &&str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        (1..=128).contains(&id.len()) && id.bytes().all(allowed)
    };
    let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).filter(sane);
    given.map_or_else(fresh_id, str::to_owned)
}

/// Unlike any other, and no secret: random bytes of this thread, and a count. To ask the system's generator for each
/// request would cost a twentieth of the whole.
fn fresh_id() -> String {
    thread_local! {
        static LAST: Cell<u128> = Cell::new(u128::from_be_bytes(crate::secret::random()));
    }
    let id = LAST.get().wrapping_add(1);
    LAST.set(id);
    // The bytes that count, and enough of those above them.
    crate::secret::base64url(&id.to_be_bytes()[4..])
}

/// A failed response in the form of the contract, and its code. A handler's own body under a 4xx or 5xx stays as it is.
fn as_problem<B: MessageBody>(
    response: ServiceResponse<B>,
    id: &str,
) -> (ServiceResponse<EitherBody<B, BoxBody>>, Option<&'static str>) {
    let (status, failure) = (response.status(), response.response().error());
    let empty = matches!(response.response().body().size(), BodySize::None | BodySize::Sized(0));
    let failed = status.is_client_error() || status.is_server_error();
    if !failed {
        return (response.map_into_left_body(), None);
    }
    let by_status;
    let error = match failure.and_then(|failure| failure.as_error::<Error>()) {
        Some(error) => error,
        None => match of_status(status).filter(|_| failure.is_some() || empty) {
            Some(error) => {
                by_status = error;
                &by_status
            }
            None => return (response.map_into_left_body(), None),
        },
    };
    log_cause(error);
    let (rendered, code) = (render(error, id), error.code());
    let response = response.map_body(|head, _| {
        head.status = rendered.status;
        rendered.headers.into_iter().for_each(|(name, value)| drop(head.headers_mut().insert(name, value)));
        BoxBody::new(rendered.body)
    });
    (response.map_into_right_body(), Some(code))
}

/// Failures of ours are logged here, once; a client's own are its own to know.
fn log_cause(error: &Error) {
    match error {
        Error::Internal(cause) => tracing::error!("{cause:#}"),
        Error::Unavailable(cause) => tracing::warn!("{cause:#}"),
        Error::Overloaded => tracing::warn!("the hashing queue is full"),
        _ => {}
    }
}

fn add_headers(head: &mut ResponseHead, id: &str, by_https: bool) {
    let headers = head.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if by_https {
        headers.insert(STRICT_TRANSPORT_SECURITY, BY_HTTPS_ALONE);
    }
    // What may be kept says so; everything else here is someone's own.
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
