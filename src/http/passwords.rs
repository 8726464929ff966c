//! `/api/v1/me/password`.

use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};

use super::SessionUser;
use super::body::{Body, Fields, any_text};
use super::limited::{Confirm, Limited};
use crate::accounts::{self, Password};
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
    let current = fields.required("current_password", any_text);
    let new = new_password(&app, &mut fields, "new_password").await?;
    let (current, new) = fields.finish(current.zip(new))?;
    accounts::change_password(&app, &user, user.session(), &current, &new, &client).await?;
    Ok(HttpResponse::NoContent())
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
