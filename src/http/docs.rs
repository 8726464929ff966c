//! `/openapi.json`, and `/docs`: a page to try the API from, all of it in the binary.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::web::{Data, Path};
use actix_web::{HttpResponse, Responder};

use crate::app::App;
use crate::error::{Error, Result};

/// The OpenAPI 3.1 document, as JSON, of all that there can be.
pub const OPENAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// The same without the tutorials' routes.
const NATIVE: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi-native.json"));

const PAGE: &str = include_str!("docs/page.html");

/// The page's own files and nothing else; the interface sets styles on elements, and draws images from `data:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// What the page asks for: name, type, bytes.
const FILES: [(&str, &str, &[u8]); 4] = [
    ("try.js", "text/javascript; charset=utf-8", include_bytes!("docs/try.js")),
    (
        "swagger-ui.css",
        "text/css; charset=utf-8",
        include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css")),
    ),
    (
        "swagger-ui-bundle.js",
        "text/javascript; charset=utf-8",
        include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js")),
    ),
    ("favicon-32x32.png", "image/png", include_bytes!(concat!(env!("OUT_DIR"), "/favicon-32x32.png"))),
];

/// Only of what is there.
pub(super) async fn openapi(app: Data<App>) -> impl Responder {
    let document = if app.config.compat_routes { OPENAPI } else { NATIVE };
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(document)
}

pub(super) async fn page() -> impl Responder {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(PAGE)
}

pub(super) async fn file(name: Path<String>) -> Result<impl Responder> {
    let (_, media_type, bytes) = FILES.into_iter().find(|file| file.0 == *name).ok_or(Error::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, media_type))
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .body(bytes))
}
