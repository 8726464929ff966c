//! PBKDF2 (RFC 8018) with HMAC-SHA-1, -256 or -512.
//!
//! | form | made by |
//! | --- | --- |
//! | `$pbkdf2-sha256$i=600000$salt$hash` | who writes PHC strings; `,l=32` may follow the iterations |
//! | `$pbkdf2-sha256$29000$salt$hash` | passlib; of SHA-1, `$pbkdf2$` |
//! | `pbkdf2_sha256$600000$salt$hash` | Django |
//! | `pbkdf2:sha256:600000$salt$hash` | Werkzeug, in hexadecimal |
//!
//! Django and Werkzeug use the text of the salt as it is.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{self, Algorithm, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA512};

use super::{Derivation, Derived, Unusable, text};

const MAX_ITERATIONS: usize = 10_000_000;

/// Its parameters.
#[derive(Debug)]
pub struct Pbkdf2 {
    hash: Hash,
    iterations: NonZeroU32,
}

/// What it is made with.
#[derive(Clone, Copy, Debug)]
pub enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    pub fn named(name: &str) -> Option<Hash> {
        match name {
            "sha1" => Some(Hash::Sha1),
            "sha256" => Some(Hash::Sha256),
            "sha512" => Some(Hash::Sha512),
            _ => None,
        }
    }

    fn algorithm(self) -> (Algorithm, usize) {
        match self {
            Hash::Sha1 => (PBKDF2_HMAC_SHA1, 20),
            Hash::Sha256 => (PBKDF2_HMAC_SHA256, 32),
            Hash::Sha512 => (PBKDF2_HMAC_SHA512, 64),
        }
    }
}

/// Reads a hash; `None` where it is of another family.
pub fn parse(stored: &str) -> Option<Result<Derived, Unusable>> {
    let read = if let Some(rest) = stored.strip_prefix("$pbkdf2") {
        phc(rest)
    } else if let Some(rest) = stored.strip_prefix("pbkdf2_") {
        django(rest)
    } else {
        werkzeug(stored.strip_prefix("pbkdf2:")?)
    };
    Some(read.ok_or(Unusable::Malformed("PBKDF2")).flatten())
}

fn phc(rest: &str) -> Option<Result<Derived, Unusable>> {
    let [name, parameters, salt, hash] = text::fields(rest, '$')?;
    let hash_name = if name.is_empty() { "sha1" } else { name.strip_prefix('-')? };
    let (iterations, expected) = (iterations(parameters), text::base64(hash)?);
    let (iterations, length) = iterations?;
    if length.is_some_and(|length| usize::try_from(length) != Ok(expected.len())) {
        return None;
    }
    derived(Hash::named(hash_name)?, iterations, text::base64(salt)?, expected)
}

/// And the length of the result, where it is said.
fn iterations(parameters: &str) -> Option<(u32, Option<u32>)> {
    if let Some([iterations, length]) = text::parameters(parameters, ["i", "l"]) {
        return Some((text::number(iterations)?, Some(text::number(length)?)));
    }
    text::number(parameters.strip_prefix("i=").unwrap_or(parameters)).map(|iterations| (iterations, None))
}

fn django(rest: &str) -> Option<Result<Derived, Unusable>> {
    let [name, iterations, salt, hash] = text::fields(rest, '$')?;
    derived(Hash::named(name)?, text::number(iterations)?, salt.into(), text::base64(hash)?)
}

fn werkzeug(rest: &str) -> Option<Result<Derived, Unusable>> {
    let [parameters, salt, hash] = text::fields(rest, '$')?;
    let [name, iterations] = text::fields(parameters, ':')?;
    derived(Hash::named(name)?, text::number(iterations)?, salt.into(), text::hex(hash)?)
}

/// What of a salt should come out as `expected`; `None` for parameters that PBKDF2 does not have.
pub fn derived(
    hash: Hash,
    iterations: u32,
    salt: Vec<u8>,
    expected: Vec<u8>,
) -> Option<Result<Derived, Unusable>> {
    let iterations = NonZeroU32::new(iterations)?;
    // Each part of the result, as long as the hash, takes all iterations anew.
    let parts = expected.len().div_ceil(hash.algorithm().1);
    let all = usize::try_from(iterations.get()).ok()?.saturating_mul(parts);
    if all > MAX_ITERATIONS {
        return Some(Err(Unusable::TooCostly("PBKDF2's iterations are over 10 million")));
    }
    Derived::new(Derivation::Pbkdf2(Pbkdf2 { hash, iterations }), salt, expected).map(Ok)
}

impl Pbkdf2 {
    pub fn derive(&self, password: &str, salt: &[u8], derived: &mut [u8]) {
        let (algorithm, _) = self.hash.algorithm();
        pbkdf2::derive(algorithm, self.iterations, salt, password.as_bytes(), derived);
    }
}
