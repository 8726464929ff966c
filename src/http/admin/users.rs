//! `/api/v1/admin/users`.

use actix_web::Responder;
use actix_web::web::{Data, Json, Path};

use crate::accounts::EmailAddress;
use crate::app::App;
use crate::error::{Error, Result};
use crate::http::Admin;
use crate::http::accounts::UserBody;
use crate::http::params::Params;
use crate::store::users::{self, Filter};

pub(in crate::http) async fn list(app: Data<App>, _admin: Admin, params: Params) -> Result<impl Responder> {
    let text = |text: &str| (!text.contains('\0')).then(|| EmailAddress::key_of(text));
    let role = |name: &str| {
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
        let sane = (1..=32).contains(&name.len()) && name.bytes().all(allowed);
        sane.then(|| name.to_owned())
    };
    let filter = Filter {
        prefix: params.parsed("query", "a text without NUL", text)?,
        role: params.parsed("role", "the name of a role: 1 to 32 of a-z, 0-9, _ and -", role)?,
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
