//! `/openapi.json`, and `/docs`: a page to try the API from, all of it in the binary.

use std::sync::{Arc, LazyLock};

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::web::Path;
use actix_web::{HttpResponse, Responder};
use utoipa_swagger_ui::Config;

use crate::error::{Error, Result};

/// The OpenAPI 3.1 document, as JSON.
pub const OPENAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));

const PAGE: &str = include_str!("docs/page.html");
const SCRIPT: &str = include_str!("docs/try.js");

/// The page's own files and nothing else; the interface sets styles on elements, and draws images from `data:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// What the page asks for; the rest of the interface's distribution stays unserved.
const ASSETS: [&str; 3] = ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"];

static SWAGGER_UI: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| Arc::new(Config::from("/openapi.json")));

pub(super) async fn openapi() -> impl Responder {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "public, max-age=300"))
        .body(OPENAPI)
}

pub(super) async fn page() -> impl Responder {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(PAGE)
}

pub(super) async fn file(name: Path<String>) -> Result<impl Responder> {
    let mut response = HttpResponse::Ok();
    response.insert_header((CACHE_CONTROL, "public, max-age=3600"));
    if *name == "try.js" {
        return Ok(response.insert_header((CONTENT_TYPE, "text/javascript; charset=utf-8")).body(SCRIPT));
    }
    let asset = ASSETS.into_iter().find(|asset| **asset == **name).ok_or(Error::NotFound)?;
    let served = utoipa_swagger_ui::serve(asset, SWAGGER_UI.clone());
    let file = served.map_err(|error| Error::Internal(anyhow::anyhow!("{error}")))?.ok_or(Error::NotFound)?;
    Ok(response.insert_header((CONTENT_TYPE, file.content_type)).body(file.bytes.into_owned()))
}
