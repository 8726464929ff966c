//! `api_keys`.

use chrono::{DateTime, Utc};
use sqlx::types::Json;

use super::db::{Executor, Tx};
use super::quotas::{QuotaIfAny, quota_columns};
use super::users::{Roles, User, user_columns};
use crate::error::{Error, Result};
use crate::id::{ApiKeyId, UserId};

/// How many of a user's deleted keys are remembered.
const DELETED_KEPT: i64 = 100;

/// An API key, without what proves that someone has it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ApiKey {
    pub id: ApiKeyId,
    pub name: String,
    pub prefix: String,
    roles: Option<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
}

impl ApiKey {
    /// The only ones that it may use; `None`: all that its user has.
    pub fn roles(&self) -> Option<Roles> {
        self.roles.clone().map(Roles::from)
    }
}

/// A key about to be inserted.
#[derive(Debug)]
pub struct NewApiKey<'a> {
    pub id: ApiKeyId,
    pub user: UserId,
    pub digest: &'a [u8; 32],
    pub prefix: &'a str,
    pub name: &'a str,
    pub roles: Option<&'a Roles>,
    pub expires_at: Option<DateTime<Utc>>,
}

macro_rules! columns {
    () => {
        "id, name, prefix, roles, created_at, expires_at, last_used_at"
    };
}

/// A key together with its user, as a protected request needs them.
#[derive(Debug, sqlx::FromRow)]
pub struct Presence {
    #[sqlx(flatten)]
    pub user: User,
    #[sqlx(flatten)]
    pub quota: QuotaIfAny,
    key_roles: Option<String>,
    pub key_expires_at: Option<DateTime<Utc>>,
    pub key_last_used_at: Option<DateTime<Utc>>,
    key_deleted_at: Option<DateTime<Utc>>,
}

impl Presence {
    /// Whether the key lets anyone in; else the error that says why not.
    pub fn holds(&self, now: DateTime<Utc>) -> Result<()> {
        if self.key_deleted_at.is_some() || self.user.disabled {
            return Err(Error::RevokedToken);
        }
        if self.key_expires_at.is_some_and(|at| at <= now) {
            return Err(Error::ExpiredToken);
        }
        Ok(())
    }

    /// Its user, with those roles alone that the key may use.
    pub fn into_user(self) -> User {
        let Presence { mut user, key_roles, .. } = self;
        if let Some(roles) = key_roles {
            user.roles = narrowed(&user.roles, &Roles::from(roles));
        }
        user
    }
}

/// The key with this digest, also a deleted one, and whose it is.
pub async fn by_digest(db: impl Executor<'_>, digest: &[u8; 32]) -> Result<Option<(ApiKeyId, UserId)>> {
    let sql = "select id, user_id from api_keys where digest = $1";
    db.query(sql).bind(digest.as_slice()).fetch_optional().await
}

/// The key and its user, in one query; `None` where either is gone.
pub async fn presence(db: impl Executor<'_>, id: ApiKeyId) -> Result<Option<Presence>> {
    let sql = concat!(
        "select ",
        user_columns!(),
        ", ",
        quota_columns!(),
        ", k.roles as key_roles, k.expires_at as key_expires_at, k.last_used_at as key_last_used_at, \
         k.deleted_at as key_deleted_at from api_keys k join users u on u.id = k.user_id \
         left join quotas q on q.user_id = u.id where k.id = $1"
    );
    db.query(sql).bind(id).fetch_optional().await
}

/// The user's keys, newest first, from the one before `before` on.
pub async fn page(
    db: impl Executor<'_>,
    user: UserId,
    before: Option<ApiKeyId>,
    limit: u32,
) -> Result<Vec<ApiKey>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from api_keys where user_id = $1 and deleted_at is null \
         and (cast($2 as uuid) is null or id < $2) order by id desc limit $3"
    );
    db.query(sql).bind(user).bind(before).bind(i64::from(limit)).fetch_all().await
}

/// Those of a user's roles that a key is limited to.
pub fn narrowed(roles: &Roles, to: &Roles) -> Roles {
    let both: Vec<_> = roles.names().iter().filter(|name| to.contains(name)).map(String::as_str).collect();
    Roles::from(both.join(","))
}

/// How many keys the user has.
pub async fn count(db: impl Executor<'_>, user: UserId) -> Result<i64> {
    let sql = "select count(*) from api_keys where user_id = $1 and deleted_at is null";
    let (count,): (i64,) = db.query(sql).bind(user).fetch_one().await?;
    Ok(count)
}

/// How many keys the user has that are not expired.
pub async fn count_good(db: impl Executor<'_>, user: UserId, now: DateTime<Utc>) -> Result<i64> {
    let sql = "select count(*) from api_keys where user_id = $1 and deleted_at is null \
               and (expires_at is null or expires_at > $2)";
    let (count,): (i64,) = db.query(sql).bind(user).bind(now).fetch_one().await?;
    Ok(count)
}

/// Inserts a key, and returns it as it is kept.
pub async fn insert(tx: &mut Tx, key: &NewApiKey<'_>, now: DateTime<Utc>) -> Result<ApiKey> {
    let sql = concat!(
        "insert into api_keys (id, user_id, digest, prefix, name, roles, created_at, expires_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8) returning ",
        columns!()
    );
    tx.query(sql)
        .bind(key.id)
        .bind(key.user)
        .bind(key.digest.as_slice())
        .bind(key.prefix)
        .bind(key.name)
        .bind(key.roles.map(|roles| roles.names().join(",")))
        .bind(now)
        .bind(key.expires_at)
        .fetch_one()
        .await
}

/// Deletes the user's key, once: `false` where it is deleted already, or is another's. The last ones that were deleted are
/// remembered, so that deleting many can't fill the table.
pub async fn delete(tx: &mut Tx, user: UserId, id: ApiKeyId, now: DateTime<Utc>) -> Result<bool> {
    let sql = "update api_keys set deleted_at = $3 where id = $1 and user_id = $2 and deleted_at is null";
    let deleted = tx.query(sql).bind(id).bind(user).bind(now).execute().await? == 1;
    if deleted {
        forget_old(tx, user).await?;
    }
    Ok(deleted)
}

/// Deletes all of the user's keys, and returns which.
pub async fn delete_all(tx: &mut Tx, user: UserId, now: DateTime<Utc>) -> Result<Vec<ApiKeyId>> {
    let sql = "update api_keys set deleted_at = $2 where user_id = $1 and deleted_at is null returning id";
    let deleted: Vec<(ApiKeyId,)> = tx.query(sql).bind(user).bind(now).fetch_all().await?;
    if !deleted.is_empty() {
        forget_old(tx, user).await?;
    }
    Ok(deleted.into_iter().map(|(id,)| id).collect())
}

async fn forget_old(tx: &mut Tx, user: UserId) -> Result<()> {
    let sql = "delete from api_keys where user_id = $1 and deleted_at is not null and id not in \
               (select id from api_keys where user_id = $1 and deleted_at is not null \
               order by deleted_at desc, id desc limit $2)";
    tx.query(sql).bind(user).bind(DELETED_KEPT).execute().await?;
    Ok(())
}

/// Notes that these keys were in use at `at`. A row that another statement has its hands on is left out: to wait for it while
/// holding others would risk a deadlock.
pub async fn set_used(db: impl Executor<'_>, ids: &[ApiKeyId], at: DateTime<Utc>) -> Result<()> {
    let set = db.query_either(
        "update api_keys set last_used_at = $2 where id in (select id from api_keys \
         where id in (select cast(used as uuid) from jsonb_array_elements_text($1) as used) \
         and (last_used_at is null or last_used_at < $2) for no key update skip locked)",
        "update api_keys set last_used_at = $2 where id in (select unhex(replace(value, '-', '')) from json_each($1)) \
         and (last_used_at is null or last_used_at < $2)",
    );
    set.bind(Json(ids)).bind(at).execute().await?;
    Ok(())
}
