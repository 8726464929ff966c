//! `secret_fingerprint`: which secret the database belongs to.

use chrono::{DateTime, Utc};

use super::db::Executor;
use crate::error::Result;

/// The fingerprint of the secret that this database belongs to; `None` before the first start.
pub async fn present(db: impl Executor<'_>) -> Result<Option<Vec<u8>>> {
    let sql = "select fingerprint from secret_fingerprint where id = 1";
    let row: Option<(Vec<u8>,)> = db.query(sql).fetch_optional().await?;
    Ok(row.map(|(fingerprint,)| fingerprint))
}

/// Remembers a fingerprint, unless there is one already.
pub async fn insert(db: impl Executor<'_>, fingerprint: &[u8], now: DateTime<Utc>) -> Result<()> {
    let sql = "insert into secret_fingerprint (id, fingerprint, created_at) values (1, $1, $2) on conflict do nothing";
    db.query(sql).bind(fingerprint).bind(now).execute().await?;
    Ok(())
}

/// From now on it belongs to another secret.
pub async fn set(db: impl Executor<'_>, fingerprint: &[u8], now: DateTime<Utc>) -> Result<()> {
    let sql = "update secret_fingerprint set fingerprint = $1, created_at = $2 where id = 1";
    db.query(sql).bind(fingerprint).bind(now).execute().await?;
    Ok(())
}
