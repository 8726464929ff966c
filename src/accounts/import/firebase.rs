//! Firebase: what `firebase auth:export` writes as JSON.

use serde_json::Value;

use super::record::{Record, Secret, flag, text, time_of_millis};

/// A project's own parameters of its hashes, which its console shows and the export does not have.
#[derive(Clone, Debug)]
pub struct HashParameters {
    /// In base64, as the separator.
    pub signer_key: String,
    pub salt_separator: String,
    pub rounds: u32,
    pub mem_cost: u32,
}

impl HashParameters {
    /// The text that is kept of a hash.
    fn text(&self, salt: &str, hash: &str) -> String {
        let HashParameters { signer_key, salt_separator, rounds, mem_cost } = self;
        format!("$fbscrypt$v=1,n={mem_cost},r={rounds},p=1,ss={salt_separator},sk={signer_key}${salt}${hash}")
    }
}

/// One of `users`.
pub fn read(row: &Value, parameters: Option<&HashParameters>) -> Result<Record, String> {
    let secret = match (text(row, "passwordHash")?, text(row, "salt")?) {
        (Some(hash), Some(salt)) => {
            let parameters = parameters.ok_or("its hash needs the project's --hash-key")?;
            Some(Secret::Hash(parameters.text(&salt, &hash)))
        }
        _ => None,
    };
    Ok(Record {
        email: text(row, "email")?,
        email_verified: flag(row, "emailVerified")?,
        display_name: text(row, "displayName")?,
        disabled: flag(row, "disabled")?,
        created_at: text(row, "createdAt")?.map(|text| time_of_millis(&text)).transpose()?,
        secret,
        ..Record::default()
    })
}
