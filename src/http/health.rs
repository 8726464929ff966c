//! `/health`: whether the process runs, and whether it should be sent requests.

use actix_web::Responder;
use actix_web::web::{Data, Json};
use anyhow::anyhow;
use serde_json::json;

use crate::app::App;
use crate::error::{Error, Result};
use crate::store::migrations::{self, Standing};

pub(super) async fn live() -> impl Responder {
    Json(json!({ "status": "ok" }))
}

pub(super) async fn ready(app: Data<App>) -> Result<impl Responder> {
    if app.is_draining() {
        return Err(Error::Draining);
    }
    match migrations::standing(&app.db).await? {
        Standing::Fit => Ok(live().await),
        Standing::Behind => {
            Err(Error::Unavailable(anyhow!("not ready: migrations are missing; run `portcullis migrate`")))
        }
        Standing::Broken => Err(Error::Unavailable(anyhow!(
            "not ready: a migration is missing although later ones were run; `portcullis doctor` names it"
        ))),
        Standing::Beyond => Err(Error::Unavailable(anyhow!(
            "not ready: a newer version migrated the database, and this one can't work on it any more"
        ))),
    }
}
