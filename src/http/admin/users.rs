//! `/api/v1/admin/users`.

use actix_web::Responder;
use actix_web::web::{Data, Json, Path};

use crate::accounts::{self, AdminChanges, EmailAddress, ROLE_NAME, role_name};
use crate::app::App;
use crate::error::{Broken, Error, Result};
use crate::http::Admin;
use crate::http::accounts::UserBody;
use crate::http::body::Body;
use crate::http::params::Params;
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

pub(in crate::http) async fn update(
    app: Data<App>,
    admin: Admin,
    client: Client,
    id: Path<String>,
    body: Body,
) -> Result<impl Responder> {
    let mut fields = body.read().await?;
    let role =
        |name: &str| role_name(name).ok_or_else(|| Broken::new("invalid", format!("Use {ROLE_NAME}.")));
    let changes = AdminChanges { disabled: fields.flag("disabled"), roles: fields.list("roles", role) };
    let changes = fields.finish(Some(changes))?;
    let id = id.parse().map_err(|_| Error::NotFound)?;
    Ok(Json(UserBody(accounts::administer(&app, id, &changes, &client.actor(admin.id)).await?)))
}
