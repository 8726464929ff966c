//! `/api/v1/me/password`, `/api/v1/password/forgot` and `/api/v1/password/reset`.

use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};

use super::SessionUser;
use super::body::Body;
use super::fields::{Fields, any_text};
use super::limited::{Confirm, Counted, Limited, Mail};
use crate::accounts::{self, EmailAddress, Password};
use crate::app::App;
use crate::error::{Broken, Result};
use crate::sessions::Client;

pub(super) async fn change(
    app: Data<App>,
    user: SessionUser,
    _: Limited<Confirm>,
    client: Client,
    body: Body,
) -> Result<impl Responder> {
    let mut fields = body.read().await?;
    let current = fields.required("current_password", any_text);
    let new = new_password(&app, &mut fields, "new_password").await?;
    let (current, new) = fields.finish(current.zip(new))?;
    accounts::change_password(&app, &user, user.session(), &current, &new, &client).await?;
    Ok(HttpResponse::NoContent())
}

/// One too many is answered as the others are, as the contract has it, but nothing is mailed.
pub(super) async fn forgot(
    counted: Counted<Mail>,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<impl Responder> {
    let mut fields = body.read().await?;
    let email = fields.required("email", EmailAddress::parse);
    let email = fields.finish(email)?;
    if !counted.is_too_many {
        accounts::forgot(&app, &email, &client).await?;
    }
    Ok(HttpResponse::Accepted())
}

pub(super) async fn reset(
    _: Limited<Confirm>,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<impl Responder> {
    reset_by(&app, &client, body.read().await?).await?;
    Ok(HttpResponse::NoContent())
}

/// Sets a new password by the link whose token is among the fields.
pub(super) async fn reset_by(app: &App, client: &Client, mut fields: Fields) -> Result<()> {
    let token = fields.required("token", any_text);
    let new = new_password(app, &mut fields, "new_password").await?;
    let (token, new) = fields.finish(token.zip(new))?;
    accounts::reset_password(app, &token, &new, client).await
}

/// A field that may be absent, and else is to be someone's password.
pub(super) async fn changed_password(
    app: &App,
    fields: &mut Fields,
    field: &'static str,
) -> Result<Option<Password>> {
    match fields.change(field, any_text) {
        None => Ok(None),
        Some(None) => Ok(fields.broke(field, Broken::new("required", "No account is without a password."))),
        Some(Some(text)) => Ok(fields.checked(field, Password::parse(app, &text).await?)),
    }
}

/// A field that is to be someone's password.
pub(super) async fn new_password(
    app: &App,
    fields: &mut Fields,
    field: &'static str,
) -> Result<Option<Password>> {
    match fields.required(field, any_text) {
        Some(text) => Ok(fields.checked(field, Password::parse(app, &text).await?)),
        None => Ok(None),
    }
}
