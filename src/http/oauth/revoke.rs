//! `/oauth/revoke`: ends the session of a token (RFC 7009). Whoever holds a token may.

use actix_web::HttpResponse;
use actix_web::web::Data;

use super::parameters::Parameters;
use super::refusal::{Refusal, answer};
use crate::app::App;
use crate::error::Result;
use crate::http::body::Body;
use crate::sessions;

pub async fn revoke(app: Data<App>, body: Body) -> Result<HttpResponse> {
    answer(revoked(&app, body).await.map(|()| HttpResponse::Ok().finish()))
}

/// Which kind of token it is shows by itself, so that a hint to that is not needed.
async fn revoked(app: &App, body: Body) -> Result<(), Refusal> {
    let mut parameters = Parameters::read(body).await?;
    Ok(sessions::revoke(app, &parameters.required("token")?).await?)
}
