//! Flask, part 5: `/api/v1/signup` and `/need_login`. Its login is the native one, which answers with a `token`, too.

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::presented::{InAuthorization, Presented};
use super::refuse;
use crate::accounts::{self, EmailAddress, Registration, Username};
use crate::app::App;
use crate::error::{Error, FieldError, Result};
use crate::http::body::Body;
use crate::http::envelope::LoggedUser;
use crate::http::limited::{Limited, Register};
use crate::http::passwords::new_password;
use crate::sessions::Client;

pub async fn sign_up(
    _: Limited<Register>,
    request: HttpRequest,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<HttpResponse> {
    match signed_up(&request, &app, &client, body).await {
        Ok(()) => Ok(HttpResponse::Ok().json(json!({ "msg": "The account is made; log in next." }))),
        Err(error @ (Error::UsernameTaken | Error::EmailTaken)) => {
            refuse(&error, StatusCode::CONFLICT, &json!({ "err": error.to_string() }))
        }
        Err(Error::Validation(broken)) => {
            let told = json!({ "error": sentence(&broken) });
            refuse(&Error::Validation(broken), StatusCode::UNPROCESSABLE_ENTITY, &told)
        }
        Err(error) => Err(error),
    }
}

/// All three fields must be there.
async fn signed_up(request: &HttpRequest, app: &App, client: &Client, body: Body) -> Result<()> {
    accounts::ensure_open(app)?;
    let mut fields = body.read().await?;
    let username = fields.required("username", Username::parse);
    let email = fields.required("email", EmailAddress::parse);
    let password = new_password(app, &mut fields, "password").await?;
    let password = fields.finish(password)?;
    let registration = Registration { username, email, password, display_name: None };
    let user = accounts::register(app, &registration, client).await?;
    LoggedUser(user.id).note(request);
    Ok(())
}

/// What is wrong, for a person: the tutorial has one text for all of it.
fn sentence(broken: &[FieldError]) -> String {
    let each = broken.iter().map(|error| format!("{}: {}", error.field, error.message));
    each.collect::<Vec<_>>().join(" ")
}

pub async fn need_login(user: Presented<InAuthorization>) -> Result<HttpResponse> {
    match user.0 {
        Ok(_) => Ok(HttpResponse::Ok().content_type(ContentType::plaintext()).body("You are logged in.")),
        Err(error @ Error::MissingToken) => {
            let told = json!({ "err": "Send the token in the header `authorization`." });
            refuse(&error, StatusCode::BAD_REQUEST, &told)
        }
        Err(error) if super::is_about_the_token(&error) => {
            refuse(&error, StatusCode::UNAUTHORIZED, &json!({ "err": error.to_string() }))
        }
        Err(error) => Err(error),
    }
}
