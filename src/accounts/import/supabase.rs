//! Supabase: its table `auth.users`, as JSON or CSV.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::record::{Record, Secret, flag, text, time};

/// A row. `now` tells whether a ban is over.
pub fn read(row: &Value, now: DateTime<Utc>) -> Result<Record, String> {
    if text(row, "deleted_at")?.is_some() {
        return Err("it was deleted".to_owned());
    }
    if flag(row, "is_anonymous")? {
        return Err("it is anonymous".to_owned());
    }
    let banned_until = text(row, "banned_until")?.map(|text| time(&text)).transpose()?;
    Ok(Record {
        email: text(row, "email")?,
        email_verified: text(row, "email_confirmed_at")?.is_some(),
        display_name: display_name(row.get("raw_user_meta_data").unwrap_or(&Value::Null))?,
        disabled: banned_until.is_some_and(|until| until > now),
        created_at: text(row, "created_at")?.map(|text| time(&text)).transpose()?,
        secret: text(row, "encrypted_password")?.map(Secret::Hash),
        ..Record::default()
    })
}

/// What the providers of logins and most applications call it. In CSV the whole is a text.
fn display_name(metadata: &Value) -> Result<Option<String>, String> {
    let parsed = match metadata {
        Value::String(text) if !text.is_empty() => {
            serde_json::from_str(text).map_err(|_| "\"raw_user_meta_data\" is no JSON".to_owned())?
        }
        other => other.clone(),
    };
    for name in ["display_name", "full_name", "name"] {
        if let Some(found) = text(&parsed, name)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
