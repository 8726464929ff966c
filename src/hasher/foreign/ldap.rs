//! LDAP's salted digests (RFC 2307's form, as OpenLDAP and others extended it): `{SSHA}`, `{SSHA256}` and `{SSHA512}`,
//! then base64 of digest and salt.
//!
//! One digest is nothing to who tries passwords, a billion a second. Such a hash is worth replacing soon: the service
//! does it at login, and who never logs in should be asked for a new password.

use aws_lc_rs::digest::{self, Algorithm, Context};

use super::{Derivation, Derived, Unusable, text};

/// Which digest.
#[derive(Debug)]
pub struct Digest(&'static Algorithm);

/// Reads a hash; `None` where it is of another family.
pub fn parse(stored: &str) -> Option<Result<Derived, Unusable>> {
    let (scheme, rest) = stored.strip_prefix('{')?.split_once('}')?;
    let algorithm = match scheme.to_ascii_uppercase().as_str() {
        "SSHA" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "SSHA256" => &digest::SHA256,
        "SSHA512" => &digest::SHA512,
        _ => return None,
    };
    Some(read(algorithm, rest).ok_or(Unusable::Malformed("LDAP's salted digest")))
}

fn read(algorithm: &'static Algorithm, rest: &str) -> Option<Derived> {
    let mut expected = text::base64(rest)?;
    let salt =
        (expected.len() > algorithm.output_len()).then(|| expected.split_off(algorithm.output_len()))?;
    Derived::new(Derivation::Digest(Digest(algorithm)), salt, expected)
}

impl Digest {
    pub fn derive(&self, password: &str, salt: &[u8], derived: &mut [u8]) {
        let mut context = Context::new(self.0);
        context.update(password.as_bytes());
        context.update(salt);
        derived.copy_from_slice(context.finish().as_ref());
    }
}
