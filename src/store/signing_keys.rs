//! `signing_keys`: the private halves are ciphertext here; only the keyring can read them.

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::db::Executor;
use crate::error::Result;

/// A key pair that signs access tokens.
#[derive(Debug, sqlx::FromRow)]
pub struct SigningKey {
    pub kid: String,
    pub algorithm: String,
    /// `active`: signs and verifies.
    pub state: String,
    #[sqlx(json)]
    pub jwk: serde_json::Value,
    pub private_key: Vec<u8>,
    pub created_at: DateTime<Utc>,
}

/// All keys, oldest first.
pub async fn all(db: impl Executor<'_>) -> Result<Vec<SigningKey>> {
    db.query("select * from signing_keys order by created_at, kid").fetch_all().await
}

/// Inserts a key, unless there is an active one of its algorithm: then another replica was faster.
pub async fn insert(db: impl Executor<'_>, key: &SigningKey) -> Result<()> {
    let sql = "insert into signing_keys (kid, algorithm, state, jwk, private_key, created_at) \
               values ($1, $2, $3, $4, $5, $6) on conflict do nothing";
    db.query(sql)
        .bind(&key.kid)
        .bind(&key.algorithm)
        .bind(&key.state)
        .bind(Json(&key.jwk))
        .bind(&key.private_key)
        .bind(key.created_at)
        .execute()
        .await?;
    Ok(())
}
