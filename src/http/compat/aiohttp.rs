//! aiohttp and PyJWT: `/login` and `/get-user`.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::presented::{InAuthorization, Presented};
use super::{log_in, refuse};
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::fields::any_text;
use crate::http::limited::{Limited, LogIn};
use crate::http::require_role::{AdminRole, Role};
use crate::http::sessions::by_email;
use crate::sessions::Client;

pub async fn login(
    _: Limited<LogIn>,
    request: HttpRequest,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<HttpResponse> {
    let mut fields = body.read().await?;
    let email = fields.required("email", any_text).map(by_email);
    let password = fields.required("password", any_text);
    let (email, password) = fields.finish(email.zip(password))?;
    match log_in(&request, &app, &client, &email, &password).await {
        Ok(tokens) => Ok(HttpResponse::Ok().json(json!({ "token": tokens.access_token }))),
        Err(error @ Error::InvalidCredentials) => {
            refuse(&error, StatusCode::BAD_REQUEST, &json!({ "message": "Wrong credentials" }))
        }
        Err(error) => Err(error),
    }
}

/// The user as one text, in Python's spelling of truth.
pub async fn user(user: Presented<InAuthorization>) -> Result<HttpResponse> {
    match user.0 {
        Ok(user) => {
            let name = user.email.as_deref().or(user.username.as_deref()).unwrap_or_default();
            let is_admin = if AdminRole::is_held_by(&user) { "True" } else { "False" };
            let text = format!("User id={}: <{name}, is_admin={is_admin}>", user.id);
            Ok(HttpResponse::Ok().json(json!({ "user": text })))
        }
        Err(error @ Error::MissingToken) => {
            refuse(&error, StatusCode::UNAUTHORIZED, &json!({ "message": "Auth required" }))
        }
        Err(error) if super::is_about_the_token(&error) => {
            refuse(&error, StatusCode::BAD_REQUEST, &json!({ "message": "Token is invalid" }))
        }
        Err(error) => Err(error),
    }
}
