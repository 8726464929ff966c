//! `/api/v1/admin/users/{id}/quota`.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, Responder};
use serde::Serialize;

use crate::accounts;
use crate::app::App;
use crate::error::{Broken, Error, Result};
use crate::http::Admin;
use crate::http::body::Body;
use crate::sessions::Client;
use crate::store::quotas::{self, Per};

/// More than anyone can ask in a month.
const MOST_REQUESTS: i64 = 1_000_000_000_000;

#[derive(Serialize)]
struct QuotaBody {
    requests: i64,
    per: &'static str,
}

pub(in crate::http) async fn one(app: Data<App>, _admin: Admin, id: Path<String>) -> Result<impl Responder> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    let quota = quotas::by_user(&app.db, id).await?.ok_or(Error::NotFound)?;
    Ok(Json(QuotaBody { requests: quota.requests, per: quota.per.name() }))
}

pub(in crate::http) async fn set(
    app: Data<App>,
    admin: Admin,
    client: Client,
    id: Path<String>,
    body: Body,
) -> Result<impl Responder> {
    let mut fields = body.read().await?;
    let requests = fields.required_number("requests", 0..=MOST_REQUESTS);
    let per = |text: &str| Per::named(text).ok_or_else(|| Broken::new("invalid", "Use `day` or `month`."));
    let per = fields.required("per", per);
    let (requests, per) = fields.finish(requests.zip(per))?;
    let id = id.parse().map_err(|_| Error::NotFound)?;
    accounts::set_quota(&app, id, requests, per, &admin.actor(&client)).await?;
    Ok(Json(QuotaBody { requests, per: per.name() }))
}

pub(in crate::http) async fn remove(
    app: Data<App>,
    admin: Admin,
    client: Client,
    id: Path<String>,
) -> Result<impl Responder> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    accounts::remove_quota(&app, id, &admin.actor(&client)).await?;
    Ok(HttpResponse::NoContent())
}
