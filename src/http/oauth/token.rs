//! `/oauth/token`: tokens for a password or a refresh token (RFC 6749 sections 4.3 and 6).

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::parameters::Parameters;
use super::refusal::{Refusal, answer};
use crate::app::App;
use crate::error::Result;
use crate::http::body::Body;
use crate::http::envelope::LoggedUser;
use crate::http::limited::{Limited, LogIn};
use crate::http::sessions::{TokenBody, either_name};
use crate::sessions::{self, Client, TokenResponse};

pub async fn token(
    _: Limited<LogIn>,
    request: HttpRequest,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<HttpResponse> {
    let granted = grant(&request, &app, client, body).await.map(|tokens| {
        LoggedUser(tokens.user.id).note(&request);
        // RFC 6749 section 5.1 wants it beside `cache-control: no-store`.
        HttpResponse::Ok().insert_header(("pragma", "no-cache")).json(TokenBody::from(tokens))
    });
    answer(granted)
}

async fn grant(
    request: &HttpRequest,
    app: &App,
    client: Client,
    body: Body,
) -> Result<TokenResponse, Refusal> {
    let mut parameters = Parameters::read(body).await?;
    let client = Client { id: parameters.client_id(request)?, ..client };
    match parameters.required("grant_type")?.as_str() {
        "password" => {
            let name = either_name(parameters.required("username")?);
            let password = parameters.required("password")?;
            Ok(sessions::login(app, &name, &password, &client).await?)
        }
        "refresh_token" => {
            let token = parameters.required("refresh_token")?;
            Ok(sessions::refresh(app, &token, &client).await?)
        }
        _ => Err(Refusal::new("unsupported_grant_type", "The grant_type must be password or refresh_token.")),
    }
}
