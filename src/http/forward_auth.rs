//! `/forward-auth`: for a proxy that asks, before it passes a request on, whom it is from.
//!
//! nginx's `auth_request`, Traefik's `forwardAuth` and Caddy's `forward_auth`: docs/forward-auth.md has how to set them up. What
//! the answer's headers say comes from the token's user alone; headers of the request by the same names are not looked at.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};

use super::CurrentUser;
use super::params::Params;
use crate::error::{Error, Result};

const USER_ID: HeaderName = HeaderName::from_static("x-auth-user-id");
const USERNAME: HeaderName = HeaderName::from_static("x-auth-username");
const EMAIL: HeaderName = HeaderName::from_static("x-auth-email");
const ROLES: HeaderName = HeaderName::from_static("x-auth-roles");

/// Every method: a proxy may ask with that of the request.
pub(super) async fn check(user: CurrentUser, params: Params) -> Result<HttpResponse> {
    for role in params.all("role")? {
        if !is_role(&role) {
            let allowed = "`role` must be the name of a role: 1 to 32 of `a-z 0-9 _ -`.";
            return Err(Error::InvalidRequest(allowed.to_owned()));
        }
        if !user.roles.contains(&role) {
            return Err(Error::Forbidden(role.into()));
        }
    }
    let roles = user.roles.names().join(",");
    let mut answer = HttpResponse::Ok();
    for (name, value) in [
        (USER_ID, Some(user.id.to_string())),
        (USERNAME, user.username.clone()),
        (EMAIL, user.email.clone()),
        (ROLES, Some(roles)),
    ] {
        // An address may have letters of any script: as UTF-8, as proxies pass it on.
        if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok()) {
            answer.insert_header((name, value));
        }
    }
    Ok(answer.finish())
}

fn is_role(name: &str) -> bool {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    (1..=32).contains(&name.len()) && name.bytes().all(allowed)
}
