//! `/forward-auth`: for a proxy that asks, before it passes a request on, whom it is from.
//!
//! nginx's `auth_request`, Traefik's `forwardAuth` and Caddy's `forward_auth`: docs/forward-auth.md has how to set them up. What
//! the answer's headers say comes from the token's or key's user alone; headers of the request by the same names are not looked at.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, HttpResponse};

use super::current_user::Identified;
use super::params::Params;
use super::trace_context::{TRACEPARENT, TRACESTATE};
use crate::accounts::{ROLE_NAME, role_name};
use crate::error::{Error, Result};
use crate::traces;
use crate::usage::{Service, UNKNOWN};

/// Which service the request is for.
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Characters of a host name (RFC 1035 section 2.3.4).
const LONGEST_HOST: usize = 253;

const USER_ID: HeaderName = HeaderName::from_static("x-auth-user-id");
const USERNAME: HeaderName = HeaderName::from_static("x-auth-username");
const EMAIL: HeaderName = HeaderName::from_static("x-auth-email");
const ROLES: HeaderName = HeaderName::from_static("x-auth-roles");

/// What the surface registers it under.
pub(super) const PATH: &str = "/forward-auth";

/// Hides from the CORS layer that a question is about another origin's request: it would answer a preflight by itself, and the
/// proxy would take that for a yes. Whether another origin may call an API is the API's to say.
pub(super) async fn without_origin<B: MessageBody>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, actix_web::Error> {
    if request.path() == PATH {
        request.headers_mut().remove(ORIGIN);
        request.headers_mut().remove(ACCESS_CONTROL_REQUEST_METHOD);
    }
    next.call(request).await
}

/// Every method: a proxy may ask with that of the request.
pub(super) async fn check(request: HttpRequest, user: Identified, params: Params) -> Result<HttpResponse> {
    // Mistyped in a proxy's file, it would demand nothing, and nobody would know.
    if let Some(near) = params.names()?.iter().find(|name| is_near_role(name)) {
        return Err(Error::InvalidRequest(format!("`{near}` demands no role: write `role`.")));
    }
    let refusal = || Error::InvalidRequest(format!("`role` must be {ROLE_NAME}."));
    let demanded = params.all("role")?.into_iter().map(|role| role_name(&role).ok_or_else(refusal));
    let demanded = demanded.collect::<Result<Vec<_>>>()?;
    if let Some(missing) = demanded.into_iter().find(|role| !user.roles.contains(role)) {
        return Err(Error::Forbidden(missing.into()));
    }
    let mut host = [0; LONGEST_HOST];
    let user = user.admitted(&request, service(request.headers(), &mut host)).await?;
    let roles = user.roles.names().join(",");
    let mut answer = HttpResponse::Ok().finish();
    let mut tell = |name, value: &[u8]| {
        // An address may have letters of any script: as UTF-8, as proxies pass it on.
        if let Ok(value) = HeaderValue::from_bytes(value) {
            answer.headers_mut().insert(name, value);
        }
    };
    tell(USER_ID, user.id.to_string().as_bytes());
    for (name, value) in [(USERNAME, &user.username), (EMAIL, &user.email)] {
        value.iter().for_each(|value| tell(name.clone(), value.as_bytes()));
    }
    tell(ROLES, roles.as_bytes());
    // For the API: what it does is a part of the same trace.
    traces::present(|request| {
        let (parent, state) = request.onward();
        tell(TRACEPARENT, parent.as_ref());
        state.iter().for_each(|state| tell(TRACESTATE, state.as_bytes()));
    });
    Ok(answer)
}

fn is_near_role(name: &str) -> bool {
    name != "role" && (name.eq_ignore_ascii_case("role") || name.eq_ignore_ascii_case("roles"))
}

/// The service that the proxy asks for: its host name in lower case, without a port. One that is missing, or no name of a host, is
/// unknown. `text` is where it is written.
fn service<'a>(headers: &HeaderMap, text: &'a mut [u8; LONGEST_HOST]) -> Service<'a> {
    let mut named = headers.get_all(FORWARDED_HOST);
    let host = match (named.next(), named.next()) {
        (Some(host), None) => host_name(host.as_bytes(), text),
        _ => None,
    };
    Service::Host(host.unwrap_or(UNKNOWN))
}

fn host_name<'a>(given: &[u8], text: &'a mut [u8; LONGEST_HOST]) -> Option<&'a str> {
    let mut parts = given.splitn(2, |byte| *byte == b':');
    let (host, port) = (parts.next()?, parts.next());
    let host = host.strip_suffix(b".").unwrap_or(host);
    let is_label = |label: &[u8]| {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let hyphen = label.starts_with(b"-") || label.ends_with(b"-");
        (1..=63).contains(&label.len()) && label.iter().all(allowed) && !hyphen
    };
    if port.is_some_and(|port| port.len() > 5 || !port.iter().all(u8::is_ascii_digit))
        || !host.split(|byte| *byte == b'.').all(is_label)
    {
        return None;
    }
    let text = text.get_mut(..host.len())?;
    text.copy_from_slice(host);
    text.make_ascii_lowercase();
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_the_name_of_a_host() {
        let longest = format!("{}.{}", vec!["a".repeat(63); 3].join("."), "b".repeat(61));
        let longer = format!("{longest}b");
        for (given, expected) in [
            ("api.example.com", Some("api.example.com")),
            ("API.Example.COM.:8443", Some("api.example.com")),
            ("localhost:", Some("localhost")),
            ("192.0.2.1:80", Some("192.0.2.1")),
            ("my_service", Some("my_service")),
            (&longest, Some(longest.as_str())),
            (&longer, None),
            ("", None),
            (":80", None),
            ("a..b", None),
            (".", None),
            ("-a.example.com", None),
            ("a-.example.com", None),
            ("a b", None),
            ("a,b", None),
            ("a/b", None),
            ("a\0", None),
            ("é.example.com", None),
            ("a:80:80", None),
            ("a:eighty", None),
            ("a:123456", None),
            ("[::1]:80", None),
            (&"a".repeat(64), None),
            (&"a.".repeat(5000), None),
        ] {
            assert_eq!(host_name(given.as_bytes(), &mut [0; LONGEST_HOST]), expected, "{given}");
        }
    }
}
