//! Keycloak's credentials of the type `password`: an object with `credentialData` and `secretData`, each an object
//! again, or JSON in a text, as its database and its exports have it.
//!
//! ```text
//! {"credentialData": "{\"hashIterations\": 210000, \"algorithm\": \"pbkdf2-sha512\", …}",
//!  "secretData": "{\"value\": \"<base64>\", \"salt\": \"<base64>\", …}"}
//! ```

use argon2::{Algorithm, Version};
use serde_json::Value;

use super::argon2::Argon2;
use super::pbkdf2::{self, Hash};
use super::{Derived, Unusable, text};

/// Reads a hash; `None` where it is of another family.
pub fn parse(stored: &str) -> Option<Result<Derived, Unusable>> {
    // LDAP's begin with a brace, too.
    stored.strip_prefix('{')?.trim_start().starts_with('"').then_some(())?;
    Some(read(stored).ok_or(Unusable::Malformed("Keycloak's credential")).flatten())
}

fn read(stored: &str) -> Option<Result<Derived, Unusable>> {
    let credential: Value = serde_json::from_str(stored).ok()?;
    let (data, secret) = (object(credential.get("credentialData")?)?, object(credential.get("secretData")?)?);
    let base64 = |name| secret.get(name).and_then(Value::as_str).and_then(text::base64);
    let (value, salt) = (base64("value")?, base64("salt")?);
    let iterations = data.get("hashIterations").and_then(Value::as_u64)?.try_into().unwrap_or(u32::MAX);
    let hash = match data.get("algorithm").and_then(Value::as_str)? {
        // Its first, without a name for the hash.
        "pbkdf2" => Hash::Sha1,
        "argon2" => return argon2(&data, iterations)?.derived(salt, value),
        other => Hash::named(other.strip_prefix("pbkdf2-")?)?,
    };
    pbkdf2::derived(hash, iterations, salt, value)
}

fn object(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => serde_json::from_str(text).ok(),
        object => Some(object.clone()),
    }
}

fn argon2(data: &Value, passes: u32) -> Option<Argon2> {
    // Each is a list of one text.
    let parameter = |name| data.get("additionalParameters")?.get(name)?.get(0)?.as_str();
    let algorithm = match parameter("type")? {
        "id" => Algorithm::Argon2id,
        "i" => Algorithm::Argon2i,
        _ => return None,
    };
    let version = match parameter("version")? {
        "1.3" => Version::V0x13,
        "1.0" => Version::V0x10,
        _ => return None,
    };
    let [memory, lanes] = [text::number(parameter("memory")?)?, text::number(parameter("parallelism")?)?];
    Some(Argon2 { algorithm, version, memory, passes, lanes })
}
