//! Hashes that other systems made: verified at login, and then replaced by ours; never made here.
//!
//! A family has a file, which reads its texts and knows its bounds. Nothing is computed of a hash whose cost is beyond
//! them: [`parse`] refuses it, so that no row that someone brought along can keep a thread or the memory for minutes.
//! No text makes it panic. The cryptography is aws-lc-rs's and the crates `argon2` and `scrypt`; bcrypt is
//! `bcrypt_lanes`, as for our own.

mod argon2;
mod bcrypt;
mod firebase;
mod keycloak;
mod ldap;
mod pbkdf2;
mod scrypt;
mod text;
mod verify;

pub use verify::Memory;
use zeroize::Zeroizing;

use super::scheme::Stored;
use crate::secret;

/// Why a text can't be used as a password hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("no known form of password hash")]
    Unknown,
    /// Of this form, but cut, altered, or with parameters that the form does not have.
    #[error("not a sound hash, though it begins as one: {0}")]
    Malformed(&'static str),
    #[error("a hash that takes too much to verify: {0}")]
    TooCostly(&'static str),
}

/// A hash, as it is verified.
#[derive(Debug)]
pub enum Parsed {
    /// bcrypt, also from elsewhere.
    Bcrypt(Stored),
    Derived(Derived),
}

/// What is made of a password and a salt, and should come out as `expected`.
#[derive(Debug)]
pub struct Derived {
    derivation: Derivation,
    salt: Vec<u8>,
    expected: Vec<u8>,
}

#[derive(Debug)]
enum Derivation {
    Argon2(argon2::Argon2),
    Scrypt(scrypt::Scrypt),
    Pbkdf2(pbkdf2::Pbkdf2),
    Firebase(firebase::Firebase),
    Digest(ldap::Digest),
}

/// The memory that a hash takes is more than there is.
#[derive(Debug)]
pub struct OutOfMemory;

/// No form is longer; nothing is read of what is.
const MAX_TEXT_BYTES: usize = 2048;

/// Reads a stored hash.
pub fn parse(text: &str) -> Result<Parsed, Unusable> {
    if text.len() > MAX_TEXT_BYTES {
        return Err(Unusable::Unknown);
    }
    if let Ok(ours) = text.parse::<Stored>() {
        return Ok(Parsed::Bcrypt(ours));
    }
    if let Some(bcrypt) = bcrypt::parse(text) {
        return bcrypt.map(Parsed::Bcrypt);
    }
    let families =
        [argon2::parse, scrypt::parse, pbkdf2::parse, firebase::parse, keycloak::parse, ldap::parse];
    families.iter().find_map(|parse| parse(text)).unwrap_or(Err(Unusable::Unknown)).map(Parsed::Derived)
}

impl Derived {
    /// `None` where salt or result are of a length that no system makes: a result of a few bytes would be met by chance.
    fn new(derivation: Derivation, salt: Vec<u8>, expected: Vec<u8>) -> Option<Derived> {
        let sound = (1..=512).contains(&salt.len()) && (16..=64).contains(&expected.len());
        sound.then_some(Derived { derivation, salt, expected })
    }

    /// Whether this is `password`'s hash. What was derived is compared in constant time, and wiped.
    pub fn verify(&self, password: &str) -> Result<bool, OutOfMemory> {
        let mut derived = Zeroizing::new(vec![0; self.expected.len()]);
        match &self.derivation {
            Derivation::Argon2(argon2) => argon2.derive(password, &self.salt, &mut derived)?,
            Derivation::Scrypt(scrypt) => scrypt.derive(password, &self.salt, &mut derived)?,
            Derivation::Pbkdf2(pbkdf2) => pbkdf2.derive(password, &self.salt, &mut derived),
            Derivation::Firebase(firebase) => firebase.derive(password, &self.salt, &mut derived)?,
            Derivation::Digest(digest) => digest.derive(password, &self.salt, &mut derived),
        }
        Ok(secret::equal(&derived, &self.expected))
    }

    /// The memory that verifying takes, in MiB; 0 for what needs next to none.
    pub fn memory(&self) -> u32 {
        match &self.derivation {
            Derivation::Argon2(argon2) => argon2.memory(),
            Derivation::Scrypt(scrypt) => scrypt.memory(),
            Derivation::Firebase(firebase) => firebase.memory(),
            Derivation::Pbkdf2(_) | Derivation::Digest(_) => 0,
        }
    }
}
