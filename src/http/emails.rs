//! `/api/v1/me/email`, `/api/v1/email/verify` and `/api/v1/email/verify/resend`.

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder};

use super::SessionUser;
use super::body::Body;
use super::fields::{Fields, any_text};
use super::limited::{Confirm, Counted, Limited, Mail};
use crate::accounts::{self, EmailAddress};
use crate::app::App;
use crate::error::Result;
use crate::sessions::Client;

pub(super) async fn change(
    app: Data<App>,
    user: SessionUser,
    _: Limited<Confirm>,
    client: Client,
    body: Body,
) -> Result<impl Responder> {
    let mut fields = body.read().await?;
    let email = fields.required("email", EmailAddress::parse);
    let password = fields.required("password", any_text);
    let (email, password) = fields.finish(email.zip(password))?;
    accounts::request_email_change(&app, &user, user.session(), &email, &password, &client).await?;
    Ok(HttpResponse::Accepted())
}

pub(super) async fn verify(
    _: Limited<Confirm>,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<impl Responder> {
    verify_by(&app, &client, body.read().await?).await?;
    Ok(HttpResponse::NoContent())
}

/// Verifies the address of the link whose token is among the fields.
pub(super) async fn verify_by(app: &App, client: &Client, mut fields: Fields) -> Result<()> {
    let token = fields.required("token", any_text);
    let token = fields.finish(token)?;
    accounts::verify_email(app, &token, client).await
}

/// For the user who is logged in, or for whoever has the address that is given. One too many is answered as the others are.
pub(super) async fn resend(
    request: HttpRequest,
    counted: Counted<Mail>,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<impl Responder> {
    if request.headers().contains_key(AUTHORIZATION) {
        let user = SessionUser::extract(&request).await?;
        if !counted.is_too_many {
            accounts::resend_verification(&app, &user).await?;
        }
    } else {
        let mut fields = body.read().await?;
        let email = fields.required("email", EmailAddress::parse);
        let email = fields.finish(email)?;
        if !counted.is_too_many {
            accounts::resend(&app, &email, &client).await?;
        }
    }
    Ok(HttpResponse::Accepted())
}
