//! `/api/v1/me/password`.

use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};

use super::CurrentUser;
use super::body::{Body, any_text};
use crate::accounts::{self, Password};
use crate::app::App;
use crate::error::Result;

pub(super) async fn change(app: Data<App>, user: CurrentUser, body: Body) -> Result<impl Responder> {
    let mut fields = body.read().await?;
    let current = fields.required("current_password", any_text);
    let new = fields.required("new_password", |text| Password::parse(text, &app.config));
    let (current, new) = fields.finish(current.zip(new))?;
    accounts::change_password(&app, &user, user.session, &current, &new).await?;
    Ok(HttpResponse::NoContent())
}
