//! `/api/v1/admin/users`.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, Responder};

use crate::accounts::{
    self, AdminChanges, DisplayName, EmailAddress, ROLE_NAME, RoleChanges, Standing, Username, role_name,
};
use crate::app::App;
use crate::error::{Broken, Error, Result};
use crate::http::Admin;
use crate::http::accounts::{UserBody, registration};
use crate::http::body::Body;
use crate::http::params::Params;
use crate::http::passwords::changed_password;
use crate::sessions::Client;
use crate::store::users::{self, Filter};

pub(in crate::http) async fn list(app: Data<App>, _admin: Admin, params: Params) -> Result<impl Responder> {
    let text = |text: &str| (!text.contains('\0')).then(|| EmailAddress::key_of(text));
    let filter = Filter {
        prefix: params.parsed("query", "a text without NUL", text)?,
        role: params.parsed("role", ROLE_NAME, role_name)?,
        disabled: params.parsed("disabled", "true or false", |text| text.parse().ok())?,
    };
    let page = params.page()?;
    let rows = users::page(&app.db, &filter, page.before, page.rows()).await?;
    Ok(Json(page.list(rows, |user| *user.id.as_bytes(), UserBody)))
}

pub(in crate::http) async fn one(app: Data<App>, _admin: Admin, id: Path<String>) -> Result<impl Responder> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    let user = users::by_id(&app.db, id).await?.ok_or(Error::NotFound)?;
    Ok(Json(UserBody(user)))
}

pub(in crate::http) async fn create(
    app: Data<App>,
    admin: Admin,
    client: Client,
    body: Body,
) -> Result<impl Responder> {
    let mut fields = body.read().await?;
    let registration = registration(&app, &mut fields).await?;
    let standing = Standing {
        email_verified: fields.flag("email_verified").unwrap_or_default(),
        roles: fields.list("roles", role).unwrap_or_default(),
    };
    let registration = fields.finish(registration)?;
    let user = accounts::create(&app, &registration, &standing, &admin.actor(&client)).await?;
    let location = format!("/api/v1/admin/users/{}", user.id);
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(UserBody(user)))
}

pub(in crate::http) async fn update(
    app: Data<App>,
    admin: Admin,
    client: Client,
    id: Path<String>,
    body: Body,
) -> Result<impl Responder> {
    let mut fields = body.read().await?;
    let changes = AdminChanges {
        username: fields.change("username", Username::parse),
        email: fields.change("email", EmailAddress::parse),
        email_verified: fields.flag("email_verified"),
        display_name: fields.change("display_name", DisplayName::parse),
        disabled: fields.flag("disabled"),
        password: changed_password(&app, &mut fields, "password").await?,
        roles: fields.list("roles", role).map(RoleChanges::Only),
    };
    let changes = fields.finish(Some(changes))?;
    let id = id.parse().map_err(|_| Error::NotFound)?;
    Ok(Json(UserBody(accounts::administer(&app, id, &changes, &admin.actor(&client)).await?)))
}

pub(in crate::http) async fn delete(
    app: Data<App>,
    admin: Admin,
    client: Client,
    id: Path<String>,
) -> Result<impl Responder> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    accounts::delete_user(&app, id, &admin.actor(&client)).await?;
    Ok(HttpResponse::NoContent())
}

fn role(name: &str) -> Result<String, Broken> {
    role_name(name).ok_or_else(|| Broken::new("invalid", format!("Use {ROLE_NAME}.")))
}
