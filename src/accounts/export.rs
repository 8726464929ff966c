//! Taking users along to another system, or to another database of this one.

use chrono::SecondsFormat;
use serde_json::{Value, json};

use crate::error::Result;
use crate::id::UserId;
use crate::store::{Db, users};

/// Users that are read at once.
const PAGE: u32 = 500;

/// Some users, in the form that [`import`](super::import) reads, and the last one's id, after which the next begin; `None`
/// after the last. What they log in with is only there where it is asked for.
pub async fn export(
    db: &Db,
    after: Option<UserId>,
    with_hashes: bool,
) -> Result<Option<(Vec<Value>, UserId)>> {
    let page = users::credentials_page(db, after, PAGE).await?;
    let last = page.last().map(|last| last.user.id);
    let users = page.into_iter().map(|credentials| {
        let user = credentials.user;
        let mut written = json!({
            "username": user.username,
            "email": user.email,
            "email_verified": user.email_verified,
            "display_name": user.display_name,
            "disabled": user.disabled,
            "roles": user.roles.names(),
            "created_at": user.created_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        });
        if with_hashes {
            written["password_hash"] = credentials.password.hash.expose().into();
        }
        written
    });
    Ok(last.map(|last| (users.collect(), last)))
}
