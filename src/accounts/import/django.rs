//! Django: `manage.py dumpdata auth.user`.

use serde_json::Value;

use super::record::{Record, Secret, flag, full_name, text, time};

/// One object's `fields`. Groups are numbers of rows in another table, and no roles; nor is a superuser made an admin.
pub fn read(object: &Value) -> Result<Record, String> {
    let row = object.get("fields").ok_or("it has no \"fields\"")?;
    // An unusable password, Django's for who logs in otherwise, is `!` and noise.
    let password = text(row, "password")?.filter(|password| !password.starts_with('!'));
    Ok(Record {
        username: text(row, "username")?,
        email: text(row, "email")?,
        display_name: full_name(text(row, "first_name")?, text(row, "last_name")?),
        disabled: row.get("is_active").is_some() && !flag(row, "is_active")?,
        created_at: text(row, "date_joined")?.map(|text| time(&text)).transpose()?,
        secret: password.map(Secret::Hash),
        ..Record::default()
    })
}
