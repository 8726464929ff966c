//! Where a request comes from, by its headers (W3C Trace Context).

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::traces::{Parent, state};

pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub(super) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The request's parent, where it names one, and what other systems say of the trace.
pub(super) fn parent(headers: &HeaderMap) -> (Option<Parent>, Option<String>) {
    let mut named = headers.get_all(TRACEPARENT);
    let parent = match (named.next(), named.next()) {
        (Some(one), None) => Parent::parse(one.as_bytes()),
        _ => None,
    };
    let state = parent.and_then(|_| state(headers.get_all(TRACESTATE).map(HeaderValue::as_bytes)));
    (parent, state)
}
