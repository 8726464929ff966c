//! `/.well-known/jwks.json`.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};

use crate::app::App;

pub(super) async fn jwks(app: Data<App>) -> impl Responder {
    HttpResponse::Ok().insert_header((CACHE_CONTROL, "public, max-age=300")).json(app.keyring.jwks())
}
