//! A user as a file has it, before anything of it is believed; and our own form of one.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::Value;
use zeroize::Zeroizing;

/// A user as a file has it.
#[derive(Debug, Default)]
pub struct Record {
    pub username: Option<String>,
    pub email: Option<String>,
    pub email_verified: bool,
    pub display_name: Option<String>,
    pub disabled: bool,
    pub roles: BTreeSet<String>,
    pub created_at: Option<DateTime<Utc>>,
    pub secret: Option<Secret>,
}

/// What a file has of a password.
pub enum Secret {
    Hash(String),
    /// What stands in a column `password`, which may be either.
    Password(Zeroizing<String>),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// Our own form, which [`export`](crate::accounts::export) writes, and the tables that small applications have for users: with a
/// `name`, and a `password` which is mostly the hash of one.
pub fn read(row: &Value) -> Result<Record, String> {
    let secret = match (text(row, "password_hash")?, text(row, "password")?) {
        (Some(hash), _) => Some(Secret::Hash(hash)),
        (None, password) => password.map(|password| Secret::Password(Zeroizing::new(password))),
    };
    let (mut username, email) = (text(row, "username")?, text(row, "email")?);
    let (mut display_name, name) = (text(row, "display_name")?, text(row, "name")?);
    // Many have the same name: only who has nothing else logs in with it.
    if username.is_none() && email.is_none() {
        username = name;
    } else {
        display_name = display_name.or(name);
    }
    Ok(Record {
        username,
        email,
        email_verified: flag(row, "email_verified")?,
        display_name,
        disabled: flag(row, "disabled")?,
        roles: list(row, "roles")?,
        created_at: text(row, "created_at")?.map(|text| time(&text)).transpose()?,
        secret,
    })
}

/// A text; an empty one is none. A number is its digits.
pub fn text(row: &Value, name: &str) -> Result<Option<String>, String> {
    match row.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(format!("{name:?} is no text")),
    }
}

/// `true` or `false`, as JSON or as a database writes them; without it, `false`.
pub fn flag(row: &Value, name: &str) -> Result<bool, String> {
    match row.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "1" => Ok(true),
            "false" | "f" | "0" | "" => Ok(false),
            _ => Err(format!("{name:?} is neither true nor false")),
        },
        Some(_) => Err(format!("{name:?} is neither true nor false")),
    }
}

/// A list of texts, or texts in one, with commas between.
pub fn list(row: &Value, name: &str) -> Result<BTreeSet<String>, String> {
    let no_list = || format!("{name:?} is no list of texts");
    match row.get(name) {
        None | Some(Value::Null) => Ok(BTreeSet::new()),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(no_list)).collect()
        }
        Some(Value::String(text)) => {
            Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
        }
        Some(_) => Err(no_list()),
    }
}

/// RFC 3339, or as Postgres writes it.
pub fn time(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"))
        .map_err(|_| format!("{text:?} is no time such as 2026-11-22T08:00:00Z"))?;
    Ok(time.to_utc())
}

/// Milliseconds since 1970.
pub fn time_of_millis(text: &str) -> Result<DateTime<Utc>, String> {
    let time = text.parse().ok().and_then(DateTime::from_timestamp_millis);
    time.ok_or_else(|| format!("{text:?} is no time in milliseconds since 1970"))
}

/// A first and a last name as one.
pub fn full_name(first: Option<String>, last: Option<String>) -> Option<String> {
    let names: Vec<_> = [first, last].into_iter().flatten().collect();
    (!names.is_empty()).then(|| names.join(" "))
}
