//! Keycloak: the users of a realm, as `kc.sh export` writes them.

use serde_json::{Value, json};

use super::record::{Record, Secret, flag, full_name, list, text, time_of_millis};

/// One of `users`.
pub fn read(row: &Value) -> Result<Record, String> {
    if text(row, "serviceAccountClientId")?.is_some() {
        return Err("it is a client's service account".to_owned());
    }
    let mut roles = list(row, "realmRoles")?;
    // What every user of a realm has.
    roles.retain(|role| {
        !role.starts_with("default-roles-") && role != "offline_access" && role != "uma_authorization"
    });
    let credentials = row.get("credentials").and_then(Value::as_array).into_iter().flatten();
    let mut passwords = credentials.filter(|credential| credential["type"] == "password");
    let secret = passwords.next().map(|credential| {
        let (data, secret) = (&credential["credentialData"], &credential["secretData"]);
        Secret::Hash(json!({ "credentialData": data, "secretData": secret }).to_string())
    });
    Ok(Record {
        username: text(row, "username")?,
        email: text(row, "email")?,
        email_verified: flag(row, "emailVerified")?,
        display_name: full_name(text(row, "firstName")?, text(row, "lastName")?),
        disabled: row.get("enabled").is_some() && !flag(row, "enabled")?,
        roles,
        created_at: text(row, "createdTimestamp")?.map(|text| time_of_millis(&text)).transpose()?,
        secret,
    })
}
