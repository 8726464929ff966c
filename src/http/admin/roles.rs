//! `/api/v1/admin/roles`.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, Responder};
use serde::Serialize;

use crate::accounts::{self, ROLE_NAME, RoleDescription, role_name};
use crate::app::App;
use crate::error::{Broken, Error, Result};
use crate::http::Admin;
use crate::http::body::Body;
use crate::http::params::Params;
use crate::sessions::Client;
use crate::store::roles::{self, Role};

/// A role, as the contract has it.
#[derive(Serialize)]
struct RoleBody {
    name: String,
    description: Option<String>,
}

pub(in crate::http) async fn list(app: Data<App>, _admin: Admin, params: Params) -> Result<impl Responder> {
    let page = params.page_after(|bytes| role_name(std::str::from_utf8(bytes).ok()?))?;
    let rows = roles::page(&app.db, page.before.as_deref(), page.rows()).await?;
    let item = |Role { name, description }| RoleBody { name, description };
    Ok(Json(page.list(rows, |role| role.name.clone(), item)))
}

pub(in crate::http) async fn create(
    app: Data<App>,
    admin: Admin,
    client: Client,
    body: Body,
) -> Result<impl Responder> {
    let mut fields = body.read().await?;
    let rule = || Broken::new("invalid", format!("Use {ROLE_NAME}."));
    let name = fields.required("name", |text| role_name(text).ok_or_else(rule));
    let description = fields.optional("description", RoleDescription::parse).filter(|text| !text.is_empty());
    let name = fields.finish(name)?;
    accounts::create_role(&app, &name, description.as_ref(), &admin.actor(&client)).await?;
    let description = description.map(|description| description.as_str().to_owned());
    Ok(HttpResponse::Created().json(RoleBody { name, description }))
}

pub(in crate::http) async fn delete(
    app: Data<App>,
    admin: Admin,
    client: Client,
    name: Path<String>,
) -> Result<impl Responder> {
    let name = role_name(&name).ok_or(Error::NotFound)?;
    accounts::delete_role(&app, &name, &admin.actor(&client)).await?;
    Ok(HttpResponse::NoContent())
}
