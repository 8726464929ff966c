//! `signing_keys`: the private halves are ciphertext here; only the keyring can read them.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::db::{Executor, Tx};
use super::pool::at_once;
use crate::error::Result;

/// A key that signs access tokens, has signed them, or will.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SigningKey {
    pub kid: String,
    /// Its place among all keys, the oldest first.
    pub number: i64,
    /// The name of RFC 7518 section 3.1.
    pub algorithm: String,
    pub private_key: Vec<u8>,
    pub created_at: DateTime<Utc>,
    pub signs_from: DateTime<Utc>,
    /// The longest lifetime of its tokens, in seconds.
    pub longest_ttl: i64,
}

/// All keys, oldest first.
pub async fn all(db: impl Executor<'_>) -> Result<Vec<SigningKey>> {
    db.query(ALL).fetch_all().await
}

/// The same, by way of PgBouncer, in one message.
pub(super) async fn all_at_once(line: &mut PgConnection) -> Result<Vec<SigningKey>> {
    Ok(at_once(line, ALL).await?)
}

const ALL: &str = "select kid, number, algorithm, private_key, created_at, signs_from, longest_ttl from signing_keys \
                   order by number";

/// Inserts a key: `false` where another has its number, or it is there already.
pub async fn insert(tx: &mut Tx, key: &SigningKey) -> Result<bool> {
    let sql = "insert into signing_keys (kid, number, algorithm, private_key, created_at, signs_from, longest_ttl) \
               values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing";
    let query = tx.query(sql).bind(&key.kid).bind(key.number).bind(&key.algorithm);
    let query = query.bind(&key.private_key).bind(key.created_at).bind(key.signs_from);
    Ok(query.bind(key.longest_ttl).execute().await? == 1)
}

/// Replaces a private half by the same under another secret, unless someone else has done so.
pub async fn set_private_key(db: impl Executor<'_>, kid: &str, before: &[u8], after: &[u8]) -> Result<()> {
    let sql = "update signing_keys set private_key = $3 where kid = $1 and private_key = $2";
    db.query(sql).bind(kid).bind(before).bind(after).execute().await?;
    Ok(())
}

/// Notes that tokens of this lifetime are signed with the keys there are; `false` where that is nothing new.
pub async fn set_longest_ttl(tx: &mut Tx, seconds: i64) -> Result<bool> {
    let sql = "update signing_keys set longest_ttl = $1 where longest_ttl < $1";
    Ok(tx.query(sql).bind(seconds).execute().await? > 0)
}

/// Deletes the key with this id and number, once.
pub async fn delete(tx: &mut Tx, kid: &str, number: i64) -> Result<bool> {
    let sql = "delete from signing_keys where kid = $1 and number = $2";
    Ok(tx.query(sql).bind(kid).bind(number).execute().await? == 1)
}
