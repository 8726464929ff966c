//! The servers of four public tutorials on JSON Web Tokens: with `COMPAT_ROUTES` their clients work unchanged.
//!
//! A file a tutorial, and in it shapes alone: paths, fields, and what is answered in which words. What is done is done by
//! the same rooms as everywhere, so that passwords, sessions, limits and revocation are no weaker here. A failure for which
//! a tutorial has no words of its own is the problem that it is everywhere else.

mod aiohttp;
mod fastapi;
mod flask;
mod flask_part_5;
mod power;
mod presented;

use actix_web::http::StatusCode;
use actix_web::http::header::WWW_AUTHENTICATE;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::envelope::LoggedUser;
use super::error::challenge;
use super::{Endpoint, at};
use crate::app::App;
use crate::error::{Error, Result};
use crate::sessions::{self, Client, Identifier};

pub(super) use presented::TOKEN;

/// The surface of all four.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        at("/login").post(aiohttp::login),
        at("/get-user").get(aiohttp::user),
        at("/loginEndpoint").post(flask::login),
        at("/anEndpoint").post(flask::verified),
        at("/api/v1/signup").post(flask_part_5::sign_up),
        at("/need_login").get(flask_part_5::need_login),
        at("/users/register").post(fastapi::register),
        at("/token").post(fastapi::token),
        at("/root").get(fastapi::root),
    ]
}

/// Logs in as everywhere.
async fn log_in(
    request: &HttpRequest,
    app: &App,
    client: &Client,
    identifier: &Identifier,
    password: &str,
) -> Result<sessions::TokenResponse> {
    let tokens = sessions::login(app, identifier, password, client).await?;
    LoggedUser(tokens.user.id).note(request);
    Ok(tokens)
}

/// A refusal in a tutorial's words. A 401 carries its challenge here, too.
fn refuse(error: &Error, status: StatusCode, told: &Value) -> Result<HttpResponse> {
    let mut response = HttpResponse::build(status);
    if status == StatusCode::UNAUTHORIZED
        && let Some(challenge) = challenge(error)
    {
        response.insert_header((WWW_AUTHENTICATE, challenge));
    }
    Ok(response.json(told))
}

/// Whether the token is what is wrong: the service did all that it could.
fn is_about_the_token(error: &Error) -> bool {
    matches!(error, Error::MissingToken | Error::InvalidToken | Error::ExpiredToken | Error::RevokedToken)
}
