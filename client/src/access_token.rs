//! Verifying one access token, given the key that it names.

use std::time::Duration;

use jsonwebtoken::Validation;

use crate::clock::Moment;
use crate::keyring::Key;
use crate::{Claims, Error};

/// RFC 9068 section 2.1.
const TYPE: &str = "at+jwt";

/// How far Portcullis' clock may be ahead of ours.
const LEEWAY: i64 = 5;

/// Nothing longer is a token; it would only cost time. HTTP servers take no longer headers either.
const LONGEST: usize = 16 * 1024;

/// What every token must say alike.
pub(crate) struct Expected {
    pub issuer: String,
    pub audience: String,
    /// The longest that a token may live: as long as its revocation is remembered.
    pub lifetime: Duration,
}

/// The id of the key that the token says it is signed with.
pub(crate) fn key_id(token: &str) -> Result<String, Error> {
    if token.len() > LONGEST {
        return Err(Error::InvalidToken);
    }
    let header = jsonwebtoken::decode_header(token).map_err(|_| Error::InvalidToken)?;
    // An extension that must be understood (RFC 7515 section 4.1.11): none is.
    if header.crit.is_some() || !header.typ.is_some_and(|typ| is_access_token(&typ)) {
        return Err(Error::InvalidToken);
    }
    header.kid.ok_or(Error::InvalidToken)
}

impl Expected {
    /// The claims of a token that this key signed and that is valid now. Not whether it is revoked.
    pub fn verify(&self, token: &str, key: &Key, now: Moment) -> Result<Claims, Error> {
        // The key's own algorithm: what the header says must agree with it and decides nothing.
        let mut validation = Validation::new(key.algorithm);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub"]);
        // Times are compared below: the library's `exp` is valid for a second more.
        validation.validate_exp = false;
        let decoded = jsonwebtoken::decode(token, &key.decoding, &validation);
        let claims = decoded.map_err(|_| Error::InvalidToken)?.claims;
        self.check(claims, now)
    }

    /// Whether the token would be valid if some key had signed it: only then is it worth to look for that key.
    pub fn would_take(&self, token: &str, now: Moment) -> Result<(), Error> {
        let claims = jsonwebtoken::dangerous::insecure_decode_claims(token);
        self.check(claims.map_err(|_| Error::InvalidToken)?, now).map(drop)
    }

    /// In words: why a token that Portcullis has just issued is not one that we would take.
    pub fn mismatch(&self, token: &str) -> String {
        let Ok(claims) = jsonwebtoken::dangerous::insecure_decode_claims::<Claims>(token) else {
            return "Portcullis' access tokens are not what this version of its client knows".to_owned();
        };
        let lifetime = claims.exp.saturating_sub(claims.iat);
        if claims.iss != self.issuer {
            format!(
                "Portcullis' tokens have the issuer `{}`; the setting `issuer` is `{}`",
                claims.iss, self.issuer
            )
        } else if claims.aud != self.audience {
            format!(
                "Portcullis' tokens have the audience `{}`; the setting `audience` is `{}`",
                claims.aud, self.audience
            )
        } else if u64::try_from(lifetime).is_ok_and(|seconds| seconds > self.lifetime.as_secs()) {
            format!("Portcullis' tokens live for {lifetime} seconds; set `remember` to at least that")
        } else {
            "Portcullis' clock and this machine's differ too much".to_owned()
        }
    }

    fn check(&self, claims: Claims, now: Moment) -> Result<Claims, Error> {
        // The library takes a list that contains ours, too; Portcullis writes a single text.
        if claims.iss != self.issuer || claims.aud != self.audience {
            return Err(Error::InvalidToken);
        }
        let now = now.unix_seconds();
        let latest = now.saturating_add(LEEWAY);
        if claims.iat > latest || claims.nbf.is_some_and(|nbf| nbf > latest) {
            return Err(Error::InvalidToken);
        }
        if claims.exp <= now {
            return Err(Error::ExpiredToken);
        }
        // It could outlive the memory of its own revocation.
        let lifetime = claims.exp.saturating_sub(claims.iat);
        if u64::try_from(lifetime).is_ok_and(|seconds| seconds > self.lifetime.as_secs()) {
            return Err(Error::InvalidToken);
        }
        Ok(claims)
    }
}

/// Media types are compared without regard to case, and `application/` may be left out (RFC 7515 section 4.1.9).
fn is_access_token(typ: &str) -> bool {
    typ.eq_ignore_ascii_case(TYPE) || typ.eq_ignore_ascii_case("application/at+jwt")
}
