//! Flask and PyJWT: `/loginEndpoint` and `/anEndpoint`. Its numbers are texts.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::presented::{InToken, Presented};
use super::{log_in, refuse};
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::body::Body;
use crate::http::fields::any_text;
use crate::http::limited::{Limited, LogIn};
use crate::http::sessions::either_name;
use crate::sessions::Client;

pub async fn login(
    _: Limited<LogIn>,
    request: HttpRequest,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<HttpResponse> {
    let mut fields = body.read().await?;
    let username = fields.required("username", any_text).map(either_name);
    let password = fields.required("password", any_text);
    let (username, password) = fields.finish(username.zip(password))?;
    match log_in(&request, &app, &client, &username, &password).await {
        Ok(tokens) => Ok(HttpResponse::Ok().json(json!({
            "error": "0",
            "message": "Successful",
            "token": tokens.access_token,
            // When it expires, in UTC, as Python writes a time that has microseconds.
            "Elapse_time": tokens.expires_at.format("%Y-%m-%d %H:%M:%S%.6f").to_string(),
        }))),
        Err(error @ Error::InvalidCredentials) => failed(&error, "1", "Invalid username or password"),
        Err(error) => Err(error),
    }
}

pub async fn verified(user: Presented<InToken>) -> Result<HttpResponse> {
    match user.0 {
        Ok(_) => Ok(HttpResponse::Ok().json(json!({ "error": "0", "message": "You Are verified" }))),
        Err(error @ Error::MissingToken) => failed(&error, "2", "Token required"),
        Err(error @ Error::ExpiredToken) => failed(&error, "1", "Token has expired"),
        Err(error) if super::is_about_the_token(&error) => failed(&error, "1", "Invalid Token"),
        Err(error) => Err(error),
    }
}

fn failed(error: &Error, code: &str, message: &str) -> Result<HttpResponse> {
    refuse(error, StatusCode::UNAUTHORIZED, &json!({ "error": code, "message": message }))
}
