//! `secret_fingerprint`: which secret the database belongs to.

use chrono::{DateTime, Utc};

use super::db::Executor;
use crate::error::Result;

/// The fingerprint of the first secret that this database met.
pub async fn first(db: impl Executor<'_>) -> Result<Option<Vec<u8>>> {
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
