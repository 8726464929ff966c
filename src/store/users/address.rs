//! A user's address, proven and changed.

use chrono::{DateTime, Utc};

use super::edit::taken;
use crate::error::Result;
use crate::id::UserId;
use crate::store::db::{Executor, Tx};

/// Notes that the address of this key is the user's own; `false` where the user has another by now, or another password.
pub async fn set_verified(
    tx: &mut Tx,
    id: UserId,
    version: i64,
    email_key: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let sql = "update users set email_verified = true, updated_at = $4 \
               where id = $1 and password_version = $2 and email_key = $3";
    Ok(tx.query(sql).bind(id).bind(version).bind(email_key).bind(now).execute().await? == 1)
}

/// Gives the user a verified address, as typed and its key; `false` where the password is no longer of `version`.
pub async fn set_email(
    tx: &mut Tx,
    id: UserId,
    version: i64,
    (email, key): (&str, &str),
    now: DateTime<Utc>,
) -> Result<bool> {
    let sql = "update users set email = $3, email_key = $4, email_verified = true, updated_at = $5 \
               where id = $1 and password_version = $2";
    let set = tx.query(sql).bind(id).bind(version).bind(email).bind(key).bind(now).execute().await;
    Ok(set.map_err(taken)? == 1)
}
