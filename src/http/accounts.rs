//! `/api/v1/register` and `/api/v1/me`.

use std::borrow::Borrow;

use actix_web::http::header::{ContentType, LOCATION};
use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::body::Body;
use super::envelope::LoggedUser;
use super::fields::{Fields, any_text};
use super::limited::{Confirm, Limited, Register};
use super::passwords::new_password;
use super::{CurrentUser, SessionUser};
use crate::accounts::{self, Changes, DisplayName, EmailAddress, Registration, Username};
use crate::app::App;
use crate::error::{Broken, Result};
use crate::sessions::Client;
use crate::store::users::User;

/// A user, as the contract has it.
pub(crate) struct UserBody<U>(pub U);

impl<U: Borrow<User>> Serialize for UserBody<U> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let user = self.0.borrow();
        let mut body = serializer.serialize_struct("User", 10)?;
        body.serialize_field("id", &user.id)?;
        body.serialize_field("username", &user.username)?;
        body.serialize_field("email", &user.email)?;
        body.serialize_field("email_verified", &user.email_verified)?;
        body.serialize_field("display_name", &user.display_name)?;
        body.serialize_field("roles", user.roles.names())?;
        body.serialize_field("disabled", &user.disabled)?;
        body.serialize_field("created_at", &user.created_at)?;
        body.serialize_field("updated_at", &user.updated_at)?;
        body.serialize_field("last_login_at", &user.last_login_at)?;
        body.end()
    }
}

pub(super) async fn register(
    _: Limited<Register>,
    request: HttpRequest,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<impl Responder> {
    accounts::ensure_open(&app)?;
    let mut fields = body.read().await?;
    let registration = registration(&app, &mut fields).await?;
    let registration = fields.finish(registration)?;
    let user = accounts::register(&app, &registration, &client).await?;
    LoggedUser(user.id).note(&request);
    Ok(HttpResponse::Created().insert_header((LOCATION, "/api/v1/me")).json(UserBody(user)))
}

/// The fields of a new account.
pub(super) async fn registration(app: &App, fields: &mut Fields) -> Result<Option<Registration>> {
    let username = fields.optional("username", Username::parse);
    let email = fields.optional("email", EmailAddress::parse);
    if username.is_none() && email.is_none() && !fields.has_broken() {
        fields.broke::<()>("username", Broken::new("required", "Give a `username`, an `email`, or both."));
    }
    let display_name = fields.optional("display_name", DisplayName::parse);
    let password = new_password(app, fields, "password").await?;
    Ok(password.map(|password| Registration { username, email, password, display_name }))
}

pub(super) async fn me(user: CurrentUser) -> Result<HttpResponse> {
    let body = user.rendered(|user| serde_json::to_vec(&UserBody(user))).map_err(anyhow::Error::from)?;
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(body.to_vec()))
}

pub(super) async fn update(
    app: Data<App>,
    user: SessionUser,
    client: Client,
    body: Body,
) -> Result<impl Responder> {
    let mut fields = body.read().await?;
    let changes = Changes {
        username: fields.change("username", Username::parse),
        display_name: fields.change("display_name", DisplayName::parse),
    };
    let changes = fields.finish(Some(changes))?;
    let user = accounts::update(&app, &user, &changes, &user.actor(&client)).await?;
    Ok(Json(UserBody(user)))
}

pub(super) async fn delete(
    app: Data<App>,
    user: SessionUser,
    _: Limited<Confirm>,
    client: Client,
    body: Body,
) -> Result<impl Responder> {
    let mut fields = body.read().await?;
    let password = fields.required("password", any_text);
    let password = fields.finish(password)?;
    accounts::delete(&app, &user, user.session(), &password, &client).await?;
    Ok(HttpResponse::NoContent())
}
