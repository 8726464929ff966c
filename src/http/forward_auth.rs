//! `/forward-auth`: for a proxy that asks, before it passes a request on, whom it is from.
//!
//! nginx's `auth_request`, Traefik's `forwardAuth` and Caddy's `forward_auth`: docs/forward-auth.md has how to set them up. What
//! the answer's headers say comes from the token's or key's user alone; headers of the request by the same names are not looked at.

use actix_web::HttpResponse;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue, ORIGIN};
use actix_web::middleware::Next;

use super::CurrentUser;
use super::params::Params;
use crate::accounts::{ROLE_NAME, role_name};
use crate::error::{Error, Result};

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
pub(super) async fn check(user: CurrentUser, params: Params) -> Result<HttpResponse> {
    let refusal = || Error::InvalidRequest(format!("`role` must be {ROLE_NAME}."));
    let demanded = params.all("role")?.into_iter().map(|role| role_name(&role).ok_or_else(refusal));
    let demanded = demanded.collect::<Result<Vec<_>>>()?;
    if let Some(missing) = demanded.into_iter().find(|role| !user.roles.contains(role)) {
        return Err(Error::Forbidden(missing.into()));
    }
    let roles = user.roles.names().join(",");
    let mut answer = HttpResponse::Ok();
    for (name, value) in [
        (USER_ID, Some(&*user.id.to_string())),
        (USERNAME, user.username.as_deref()),
        (EMAIL, user.email.as_deref()),
        (ROLES, Some(&*roles)),
    ] {
        // An address may have letters of any script: as UTF-8, as proxies pass it on.
        if let Some(value) = value.and_then(|value| HeaderValue::from_bytes(value.as_bytes()).ok()) {
            answer.insert_header((name, value));
        }
    }
    Ok(answer.finish())
}
