//! The metadata of RFC 8414: what there is and where, and nothing that there isn't. OpenID Connect Discovery's path serves the same,
//! for clients that look there alone.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};
use serde_json::json;

use crate::app::App;

pub async fn metadata(app: Data<App>) -> impl Responder {
    let issuer = &app.config.public_url;
    let at = |path: &str| format!("{issuer}{path}");
    let metadata = json!({
        "issuer": issuer,
        "token_endpoint": at("/oauth/token"),
        "revocation_endpoint": at("/oauth/revoke"),
        "introspection_endpoint": at("/oauth/introspect"),
        "jwks_uri": at("/.well-known/jwks.json"),
        "grant_types_supported": ["password", "refresh_token"],
        // No authorization endpoint.
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        // By an access token of who may ask, as section 2 of the RFC allows.
        "introspection_endpoint_auth_methods_supported": ["Bearer"],
        "service_documentation": at("/docs"),
    });
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, max-age=300")).json(metadata)
}
