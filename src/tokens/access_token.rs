//! Signing and verifying one access token.

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Keyring;
use crate::error::{Error, Result};
use crate::id::{SessionId, UserId};
use crate::secret;

/// RFC 9068 section 2.1.
pub(super) const TYPE: &str = "at+jwt";

/// How far another replica's clock may be ahead of ours.
pub(super) const LEEWAY: TimeDelta = TimeDelta::seconds(5);

/// What an access token says (RFC 9068 section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub aud: String,
    pub sub: UserId,
    pub client_id: String,
    pub sid: SessionId,
    /// The generation of the refresh token that was issued beside this one.
    #[serde(rename = "gen")]
    pub generation: i64,
    pub jti: Uuid,
    /// Seconds since the epoch, as all times here.
    pub iat: i64,
    pub exp: i64,
    #[serde(default, skip_serializing)]
    nbf: Option<i64>,
    pub roles: Vec<String>,
}

/// What is particular to one token; the rest is the same for all that a service issues.
#[derive(Debug)]
pub struct Grant<'a> {
    pub user: UserId,
    /// RFC 9068 section 2.2.
    pub client_id: &'a str,
    pub session: SessionId,
    pub generation: i64,
    pub roles: &'a [String],
    pub issued_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// What the header of a token of ours says, and nothing else: no key or place of one, no extension, no compression.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenHeader {
    typ: String,
    alg: String,
    kid: String,
}

impl TokenHeader {
    fn of(token: &str) -> Option<TokenHeader> {
        let (header, _) = token.split_once('.')?;
        object(header)
    }
}

/// A JSON object in base64url (RFC 7515 section 2): the library would take a list for one, too.
fn object<T: DeserializeOwned>(encoded: &str) -> Option<T> {
    let json = secret::from_base64url(encoded)?;
    json.trim_ascii_start().starts_with(b"{").then(|| serde_json::from_slice(&json).ok()).flatten()
}

impl Keyring {
    /// Signs an access token.
    pub fn sign(&self, grant: &Grant<'_>) -> Result<String> {
        let key = self.active(grant.issued_at)?;
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.audience.clone(),
            sub: grant.user,
            client_id: grant.client_id.to_owned(),
            sid: grant.session,
            generation: grant.generation,
            jti: crate::id::token_id(grant.issued_at),
            iat: grant.issued_at.timestamp(),
            exp: grant.expires_at.timestamp(),
            nbf: None,
            roles: grant.roles.to_vec(),
        };
        let payload = serde_json::to_vec(&claims).map_err(anyhow::Error::from)?;
        // The compact serialization (RFC 7515 section 7.1).
        let mut token = format!("{}.{}", key.header, secret::base64url(&payload));
        let signature = key.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&secret::base64url(&signature));
        Ok(token)
    }

    /// The claims of a token that this service signed and that is valid at `now`: signature, type, algorithm,
    /// issuer, audience and times. Not whether its session lives.
    pub fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Claims> {
        let claims = self.signed_claims(token, now).ok_or(Error::InvalidToken)?;
        if claims.iss != self.issuer || claims.aud != self.audience {
            return Err(Error::InvalidToken);
        }
        // Not `iat`: what a key of ours signed at a later time it signed before the clock was set back, and its session is asked
        // for in any case. To refuse it would log everyone out whose token is older than the correction.
        if claims.nbf.is_some_and(|nbf| nbf > (now + LEEWAY).timestamp()) {
            return Err(Error::InvalidToken);
        }
        if claims.exp <= now.timestamp() {
            return Err(Error::ExpiredToken);
        }
        Ok(claims)
    }

    /// What a token says, if a key of ours that is still in use signed it.
    fn signed_claims(&self, token: &str, now: DateTime<Utc>) -> Option<Claims> {
        let header = TokenHeader::of(token)?;
        let key = self.verifying(&header.kid, now)?;
        if !is_access_token(&header.typ) || header.alg != key.algorithm.name() {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        if !key.verifies(message.as_bytes(), &secret::from_base64url(signature)?) {
            return None;
        }
        // All that was signed behind the header: a token of more parts has none that is base64url.
        let (_, payload) = message.split_once('.')?;
        object(payload)
    }

    /// Whether a token names a key that is not known here, as a new one is for a moment.
    pub fn may_lack_key_of(&self, token: &str, now: DateTime<Utc>) -> bool {
        TokenHeader::of(token).is_some_and(|header| self.verifying(&header.kid, now).is_none())
    }
}

/// Media types are compared without regard to case, and `application/` may be left out (RFC 7515 section 4.1.9).
fn is_access_token(typ: &str) -> bool {
    typ.eq_ignore_ascii_case(TYPE) || typ.eq_ignore_ascii_case("application/at+jwt")
}
