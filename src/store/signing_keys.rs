//! `signing_keys`: the private halves are ciphertext here; only the keyring can read them.

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::db::{Executor, Tx};
use crate::error::Result;

/// A key that signs access tokens, has signed them, or will.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SigningKey {
    pub kid: String,
    /// Its place among all keys, the oldest first.
    pub number: i64,
    /// The name of RFC 7518 section 3.1.
    pub algorithm: String,
    #[sqlx(json)]
    pub jwk: serde_json::Value,
    pub private_key: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub signs_from: DateTime<Utc>,
}

/// All keys, oldest first.
pub async fn all(db: impl Executor<'_>) -> Result<Vec<SigningKey>> {
    db.query("select * from signing_keys order by number").fetch_all().await
}

/// Inserts a key: `false` where another has its number, or it is there already.
pub async fn insert(tx: &mut Tx, key: &SigningKey) -> Result<bool> {
    let sql = "insert into signing_keys (kid, number, algorithm, jwk, private_key, created_at, signs_from) \
               values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing";
    let query = tx.query(sql).bind(&key.kid).bind(key.number).bind(&key.algorithm).bind(Json(&key.jwk));
    let inserted = query.bind(&key.private_key).bind(key.created_at).bind(key.signs_from).execute().await?;
    Ok(inserted == 1)
}

/// Replaces a private half by the same under another secret, unless someone else has done so.
pub async fn set_private_key(db: impl Executor<'_>, kid: &str, before: &[u8], after: &[u8]) -> Result<()> {
    let sql = "update signing_keys set private_key = $3 where kid = $1 and private_key = $2";
    db.query(sql).bind(kid).bind(before).bind(after).execute().await?;
    Ok(())
}

/// Deletes a key, once.
pub async fn delete(tx: &mut Tx, kid: &str) -> Result<bool> {
    Ok(tx.query("delete from signing_keys where kid = $1").bind(kid).execute().await? == 1)
}
