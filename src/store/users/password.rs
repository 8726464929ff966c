//! A user's password, used and replaced.

use chrono::{DateTime, Utc};

use crate::error::Result;
use crate::hasher::PasswordHash;
use crate::id::UserId;
use crate::store::db::{Executor, Tx};

/// Notes a login, and renews the hash of the password where there is a new one; unless the account was disabled or
/// its password changed since `version` was read: then `false`. The row stays locked until the transaction ends, so
/// that what ends all sessions either sees the new session or comes first.
pub async fn set_login(
    tx: &mut Tx,
    id: UserId,
    version: i64,
    renewed: Option<&PasswordHash>,
    now: DateTime<Utc>,
) -> Result<bool> {
    let sql = "update users set last_login_at = $3, password_hash = coalesce($4, password_hash) \
               where id = $1 and password_version = $2 and not disabled";
    Ok(tx.query(sql).bind(id).bind(version).bind(now).bind(renewed).execute().await? == 1)
}

/// Replaces the password of `version`; `false` where it is no longer that.
pub async fn set_password(
    tx: &mut Tx,
    id: UserId,
    version: i64,
    new: &PasswordHash,
    now: DateTime<Utc>,
) -> Result<bool> {
    let sql = "update users set password_hash = $3, password_version = password_version + 1, updated_at = $4 \
               where id = $1 and password_version = $2";
    Ok(tx.query(sql).bind(id).bind(version).bind(new).bind(now).execute().await? == 1)
}
