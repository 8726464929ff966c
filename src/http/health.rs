//! `/health`: whether the process runs, and whether it should be sent requests.

use actix_web::Responder;
use actix_web::web::{Data, Json};
use anyhow::anyhow;
use serde_json::json;

use crate::app::App;
use crate::error::{Error, Result};
use crate::store::migrations;

pub(super) async fn live() -> impl Responder {
    Json(json!({ "status": "ok" }))
}

pub(super) async fn ready(app: Data<App>) -> Result<impl Responder> {
    if app.is_draining() {
        return Err(Error::Unavailable(anyhow!("not ready: shutting down")));
    }
    if !migrations::are_applied(&app.db).await? {
        return Err(Error::Unavailable(anyhow!(
            "not ready: migrations are missing; run `portcullis migrate`"
        )));
    }
    Ok(live().await)
}
