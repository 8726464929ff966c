//! `/api/v1/admin/users/{id}/sessions`.

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, Responder};

use crate::app::App;
use crate::error::{Error, Result};
use crate::http::Admin;
use crate::http::params::Params;
use crate::http::sessions::SessionBody;
use crate::sessions::{self, Client};
use crate::store;

pub(in crate::http) async fn list(
    app: Data<App>,
    admin: Admin,
    id: Path<String>,
    params: Params,
) -> Result<impl Responder> {
    let page = params.page()?;
    let id = id.parse().map_err(|_| Error::NotFound)?;
    store::users::by_id(&app.db, id).await?.ok_or(Error::NotFound)?;
    let rows = store::sessions::page(&app.db, id, app.clock.now(), page.before, page.rows()).await?;
    let item = |session| SessionBody::of(session, admin.session());
    Ok(Json(page.list(rows, |session| *session.id.as_bytes(), item)))
}

pub(in crate::http) async fn end(
    app: Data<App>,
    admin: Admin,
    client: Client,
    id: Path<String>,
) -> Result<impl Responder> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    sessions::end_every(&app, id, &admin.actor(&client)).await?;
    Ok(HttpResponse::NoContent())
}
