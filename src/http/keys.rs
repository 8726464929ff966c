//! `/.well-known/jwks.json`.

use actix_web::http::header::{CACHE_CONTROL, ETAG, EntityTag, Header, IfNoneMatch};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::secret::{base64url, sha256};
use crate::tokens::JWKS_MAX_AGE;

pub(super) async fn jwks(request: HttpRequest, app: Data<App>) -> HttpResponse {
    // Where it can't be made sure that they are new, those that are known are better than none.
    let _ = app.keyring.settle(&app.db, &app.changes).await;
    let body = app.keyring.jwks(app.clock.now()).to_string();
    let tag = EntityTag::new_strong(base64url(&sha256(body.as_bytes())));
    let kept = (CACHE_CONTROL, format!("public, max-age={}", JWKS_MAX_AGE.as_secs()));
    // RFC 9110 section 13.1.2; a header that is none is no condition.
    let is_known = match IfNoneMatch::parse(&request) {
        Ok(IfNoneMatch::Any) => true,
        Ok(IfNoneMatch::Items(known)) => known.iter().any(|known| known.weak_eq(&tag)),
        Err(_) => false,
    };
    if is_known {
        return HttpResponse::NotModified().insert_header((ETAG, tag)).insert_header(kept).finish();
    }
    HttpResponse::Ok()
        .insert_header((ETAG, tag))
        .insert_header(kept)
        .content_type("application/json")
        .body(body)
}
