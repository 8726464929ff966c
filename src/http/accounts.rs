//! `/api/v1/register` and `/api/v1/me`.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, HttpResponse, Responder};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::CurrentUser;
use super::body::{Body, any_text};
use super::envelope::LoggedUser;
use super::passwords::new_password;
use crate::accounts::{self, Changes, DisplayName, EmailAddress, Registration, Username};
use crate::app::App;
use crate::error::{Broken, Result};
use crate::id::UserId;
use crate::store::users::User;

/// A user, as the contract has it.
#[derive(Serialize)]
pub(super) struct UserBody {
    id: UserId,
    username: Option<String>,
    email: Option<String>,
    email_verified: bool,
    display_name: Option<String>,
    roles: Vec<String>,
    disabled: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    last_login_at: Option<DateTime<Utc>>,
}

impl From<User> for UserBody {
    fn from(user: User) -> UserBody {
        UserBody {
            id: user.id,
            username: user.username,
            email: user.email,
            email_verified: user.email_verified,
            display_name: user.display_name,
            roles: user.roles.into_names(),
            disabled: user.disabled,
            created_at: user.created_at,
            updated_at: user.updated_at,
            last_login_at: user.last_login_at,
        }
    }
}

pub(super) async fn register(request: HttpRequest, app: Data<App>, body: Body) -> Result<impl Responder> {
    accounts::ensure_open(&app)?;
    let mut fields = body.read().await?;
    let username = fields.optional("username", Username::parse);
    let email = fields.optional("email", EmailAddress::parse);
    if username.is_none() && email.is_none() && !fields.has_broken() {
        fields.broke::<()>("username", Broken::new("required", "Give a `username`, an `email`, or both."));
    }
    let display_name = fields.optional("display_name", DisplayName::parse);
    let password = new_password(&app, &mut fields, "password").await?;
    let password = fields.finish(password)?;
    let registration = Registration { username, email, password, display_name };
    let user = accounts::create(&app, &registration, &[]).await?;
    LoggedUser(user.id).note(&request);
    Ok(HttpResponse::Created().insert_header((LOCATION, "/api/v1/me")).json(UserBody::from(user)))
}

pub(super) async fn me(user: CurrentUser) -> Json<UserBody> {
    Json(UserBody::from(user.into_user()))
}

pub(super) async fn update(app: Data<App>, user: CurrentUser, body: Body) -> Result<Json<UserBody>> {
    let mut fields = body.read().await?;
    let changes = Changes {
        username: fields.change("username", Username::parse),
        display_name: fields.change("display_name", DisplayName::parse),
    };
    let changes = fields.finish(Some(changes))?;
    let user = accounts::update(&app, &user, &changes).await?;
    Ok(Json(UserBody::from(user)))
}

pub(super) async fn delete(app: Data<App>, user: CurrentUser, body: Body) -> Result<impl Responder> {
    let mut fields = body.read().await?;
    let password = fields.required("password", any_text);
    let password = fields.finish(password)?;
    accounts::delete(&app, &user, &password).await?;
    Ok(HttpResponse::NoContent())
}
