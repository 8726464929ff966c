//! `/oauth/revoke`: ends the session of a token (RFC 7009). Whoever holds a token may.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::parameters::Parameters;
use super::refusal::{Refusal, answer};
use crate::app::App;
use crate::error::Result;
use crate::http::body::Body;
use crate::http::limited::{Limited, Refresh};
use crate::sessions::{self, Client};

pub async fn revoke(
    _: Limited<Refresh>,
    request: HttpRequest,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<HttpResponse> {
    answer(revoked(&request, &app, &client, body).await.map(|()| HttpResponse::Ok().finish()))
}

/// Which kind of token it is shows by itself, so that a hint to that is not needed. Nor is the client's name, which proves
/// nothing; but it must be one.
async fn revoked(request: &HttpRequest, app: &App, client: &Client, body: Body) -> Result<(), Refusal> {
    let mut parameters = Parameters::read(body).await?;
    parameters.client_id(request)?;
    Ok(sessions::revoke(app, &parameters.required("token")?, client).await?)
}
