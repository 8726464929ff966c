//! What an access token says.

use serde::Deserialize;
use uuid::Uuid;

/// The claims of a verified access token (RFC 9068 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    /// The user.
    pub sub: Uuid,
    pub client_id: String,
    /// The session that the token belongs to: one login of the user.
    pub sid: Uuid,
    /// The token itself.
    pub jti: Uuid,
    /// When it was issued; in seconds since the epoch, as all times here.
    pub iat: i64,
    /// From when on it is no longer valid.
    pub exp: i64,
    #[serde(default)]
    pub(crate) nbf: Option<i64>,
    /// The user's roles when the token was issued.
    pub roles: Vec<String>,
}

impl Claims {
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|have| have == role)
    }
}
