//! `secret_fingerprint`: which secret the database belongs to.

use chrono::{DateTime, Utc};

use super::db::Db;
use super::db::Executor;
use crate::error::Result;

/// The fingerprint of the first secret that this database met: `ours`, where it had met none.
pub async fn of_first_secret(db: &Db, ours: &[u8], now: DateTime<Utc>) -> Result<Vec<u8>> {
    let sql = "insert into secret_fingerprint (id, fingerprint, created_at) values (1, $1, $2) on conflict do nothing";
    db.query(sql).bind(ours).bind(now).execute().await?;
    let sql = "select fingerprint from secret_fingerprint where id = 1";
    let (fingerprint,): (Vec<u8>,) = db.query(sql).fetch_one().await?;
    Ok(fingerprint)
}
