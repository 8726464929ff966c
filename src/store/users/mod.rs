//! `users`.

mod address;
mod edit;
mod password;
mod search;

use chrono::{DateTime, Utc};

pub use address::{set_email, set_verified};
pub use edit::{Edit, hold, set};
pub use password::{set_login, set_password};
pub use search::{Filter, Lead, MANY_BEGIN_SO, MANY_HAVE_IT, lead, page, page_led_by, page_sql};

use super::db::{Executor, Tx};
use crate::error::{Error, Result};
use crate::hasher::PasswordHash;
use crate::id::UserId;

/// A user, without the password's hash: that is only in [`Credentials`].
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct User {
    pub id: UserId,
    pub username: Option<String>,
    pub email: Option<String>,
    pub email_verified: bool,
    pub display_name: Option<String>,
    pub disabled: bool,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub last_login_at: Option<DateTime<Utc>>,
    #[sqlx(try_from = "String")]
    pub roles: Roles,
}

/// The names of a user's roles, in alphabetical order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roles(Vec<String>);

impl Roles {
    pub fn contains(&self, role: &str) -> bool {
        self.0.iter().any(|name| name == role)
    }

    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// As both databases can aggregate them into one column: separated by commas, which no role's name has.
impl From<String> for Roles {
    fn from(joined: String) -> Roles {
        Roles(joined.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }
}

/// A user's password, as it is kept.
#[derive(Debug, sqlx::FromRow)]
pub struct StoredPassword {
    #[sqlx(rename = "password_hash")]
    pub hash: PasswordHash,
    /// Another one means another password, not just another hash of it.
    #[sqlx(rename = "password_version")]
    pub version: i64,
}

/// A user and what proves that someone is that user.
#[derive(Debug, sqlx::FromRow)]
pub struct Credentials {
    #[sqlx(flatten)]
    pub user: User,
    #[sqlx(flatten)]
    pub password: StoredPassword,
    pub username_key: Option<String>,
    pub email_key: Option<String>,
}

/// A user about to be inserted. The keys are the names' forms that are compared: normalised, in lower case.
#[derive(Debug)]
pub struct NewUser<'a> {
    pub id: UserId,
    pub username: Option<(&'a str, &'a str)>,
    pub email: Option<(&'a str, &'a str)>,
    pub email_verified: bool,
    pub display_name: Option<&'a str>,
    pub password_hash: &'a PasswordHash,
    pub disabled: bool,
    /// In the past for who was a user elsewhere.
    pub created_at: DateTime<Utc>,
}

/// The version of a user's first password.
pub const FIRST_PASSWORD: i64 = 1;

/// The columns of [`User`] from `users u`.
macro_rules! user_columns {
    () => {
        "u.id, u.username, u.email, u.email_verified, u.display_name, u.disabled, u.created_at, u.updated_at, \
         u.last_login_at, coalesce((select string_agg(r.role, ',' order by r.role) from user_roles r \
         where r.user_id = u.id), '') as roles"
    };
}
pub(super) use user_columns;

macro_rules! credentials_columns {
    () => {
        concat!(user_columns!(), ", u.password_hash, u.password_version, u.username_key, u.email_key")
    };
}

/// The user with this id.
pub async fn by_id(db: impl Executor<'_>, id: UserId) -> Result<Option<User>> {
    let sql = concat!("select ", user_columns!(), " from users u where u.id = $1");
    db.query(sql).bind(id).fetch_optional().await
}

/// The user with this username, by its key.
pub async fn by_username(db: impl Executor<'_>, key: &str) -> Result<Option<Credentials>> {
    let sql = concat!("select ", credentials_columns!(), " from users u where u.username_key = $1");
    db.query(sql).bind(key).fetch_optional().await
}

/// The user with this e-mail address, by its key.
pub async fn by_email(db: impl Executor<'_>, key: &str) -> Result<Option<Credentials>> {
    let sql = concat!("select ", credentials_columns!(), " from users u where u.email_key = $1");
    db.query(sql).bind(key).fetch_optional().await
}

/// This user's password.
pub async fn password(db: impl Executor<'_>, id: UserId) -> Result<Option<StoredPassword>> {
    let sql = "select password_hash, password_version from users where id = $1";
    db.query(sql).bind(id).fetch_optional().await
}

/// Users with their passwords, in the order of their ids, from the one after `after` on.
pub async fn credentials_page(
    db: impl Executor<'_>,
    after: Option<UserId>,
    limit: u32,
) -> Result<Vec<Credentials>> {
    let sql = concat!(
        "select ",
        credentials_columns!(),
        " from users u where cast($1 as uuid) is null or u.id > $1 order by u.id limit $2"
    );
    db.query(sql).bind(after).bind(i64::from(limit)).fetch_all().await
}

/// Which of these keys another user has already: the error to answer, or `None`.
pub async fn taken(
    db: impl Executor<'_>,
    username: Option<&str>,
    email: Option<&str>,
) -> Result<Option<Error>> {
    let sql = "select exists (select 1 from users where username_key = $1), \
               exists (select 1 from users where email_key = $2)";
    let (username, email): (bool, bool) = db.query(sql).bind(username).bind(email).fetch_one().await?;
    Ok(if username {
        Some(Error::UsernameTaken)
    } else if email {
        Some(Error::EmailTaken)
    } else {
        None
    })
}

/// Inserts a user, unless its name or address is taken: then `false`.
pub async fn insert(db: impl Executor<'_>, user: &NewUser<'_>, now: DateTime<Utc>) -> Result<bool> {
    let sql = "insert into users (id, username, username_key, email, email_key, email_verified, display_name, \
               password_hash, password_version, disabled, created_at, updated_at) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $12, $9, $10, $11) on conflict do nothing";
    let inserted = db
        .query(sql)
        .bind(user.id)
        .bind(user.username.map(|(typed, _)| typed))
        .bind(user.username.map(|(_, key)| key))
        .bind(user.email.map(|(typed, _)| typed))
        .bind(user.email.map(|(_, key)| key))
        .bind(user.email_verified)
        .bind(user.display_name)
        .bind(user.password_hash)
        .bind(user.disabled)
        .bind(user.created_at)
        .bind(now)
        .bind(FIRST_PASSWORD)
        .execute()
        .await?;
    Ok(inserted == 1)
}

/// Deletes the user and, by cascade, all that belongs to it; `false` where it is gone, or its password no longer of `version`,
/// where one is given.
pub async fn delete(tx: &mut Tx, id: UserId, version: Option<i64>) -> Result<bool> {
    let sql = "delete from users where id = $1 and (cast($2 as bigint) is null or password_version = $2)";
    Ok(tx.query(sql).bind(id).bind(version).execute().await? == 1)
}
