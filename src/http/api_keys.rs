//! `/api/v1/me/keys`.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Json, Path};
use actix_web::{HttpResponse, Responder};
use chrono::{DateTime, Datelike, SubsecRound, Utc};
use serde::Serialize;

use super::SessionUser;
use super::body::Body;
use super::params::{List, Params};
use crate::accounts::{ROLE_NAME, role_name};
use crate::api_keys::{self, Wanted};
use crate::app::App;
use crate::error::{Broken, Error, Result};
use crate::id::ApiKeyId;
use crate::sessions::Client;
use crate::store;
use crate::store::api_keys::ApiKey;

/// Characters of a name at most.
const LONGEST_NAME: usize = 100;

/// The last that RFC 3339 has.
const LAST_YEAR: i32 = 9999;

#[derive(Serialize)]
struct ApiKeyBody {
    id: ApiKeyId,
    name: String,
    prefix: String,
    /// `None`: all that the user has.
    roles: Option<Vec<String>>,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    last_used_at: Option<DateTime<Utc>>,
}

impl From<ApiKey> for ApiKeyBody {
    fn from(row: ApiKey) -> ApiKeyBody {
        let roles = row.roles().map(|roles| roles.names().to_vec());
        let ApiKey { id, name, prefix, created_at, expires_at, last_used_at, .. } = row;
        ApiKeyBody { id, name, prefix, roles, created_at, expires_at, last_used_at }
    }
}

/// The only answer that has the key itself.
#[derive(Serialize)]
struct NewApiKeyBody {
    key: String,
    #[serde(flatten)]
    about: ApiKeyBody,
}

pub(super) async fn list(app: Data<App>, user: SessionUser, params: Params) -> Result<impl Responder> {
    let page = params.page()?;
    let rows = store::api_keys::page(&app.db, user.id, page.before, page.rows()).await?;
    let list: List<ApiKeyBody> = page.list(rows, |key| *key.id.as_bytes(), ApiKeyBody::from);
    Ok(Json(list))
}

pub(super) async fn create(
    app: Data<App>,
    user: SessionUser,
    client: Client,
    body: Body,
) -> Result<impl Responder> {
    let mut fields = body.read().await?;
    let name = fields.required("name", name);
    let expires_at = fields.optional("expires_at", time);
    let role =
        |name: &str| role_name(name).ok_or_else(|| Broken::new("invalid", format!("Use {ROLE_NAME}.")));
    let roles = fields.optional_list("roles", role);
    let name = fields.finish(name)?;
    let wanted = Wanted { name, expires_at, roles };
    let (row, key) = api_keys::create(&app, &user, &wanted, &user.actor(&client)).await?;
    let location = format!("/api/v1/me/keys/{}", row.id);
    let body = NewApiKeyBody { key, about: ApiKeyBody::from(row) };
    Ok(HttpResponse::Created().insert_header((LOCATION, location)).json(body))
}

fn name(text: &str) -> Result<String, Broken> {
    if text.trim().is_empty() {
        return Err(Broken::new("required", "This field is required."));
    }
    if text.chars().count() > LONGEST_NAME {
        return Err(Broken::new("too_long", "Use at most 100 characters."));
    }
    if text.chars().any(char::is_control) {
        return Err(Broken::new("invalid", "Use no control characters."));
    }
    Ok(text.to_owned())
}

/// In whole microseconds, as all times here. Also in UTC it has a year that RFC 3339 can write: an hour to the west, the last one
/// of 9999 is in the year 10000.
fn time(text: &str) -> Result<DateTime<Utc>, Broken> {
    let rule = "Use a time as in 2026-11-22T08:00:00Z, before the year 10000.";
    let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc().trunc_subsecs(6));
    time.filter(|time| time.year() <= LAST_YEAR).ok_or_else(|| Broken::new("invalid", rule))
}

pub(super) async fn delete(
    app: Data<App>,
    user: SessionUser,
    client: Client,
    id: Path<String>,
) -> Result<impl Responder> {
    let id = id.parse().map_err(|_| Error::NotFound)?;
    api_keys::delete(&app, user.id, id, &user.actor(&client)).await?;
    Ok(HttpResponse::NoContent())
}
