//! Firebase's own use of scrypt: it makes a key, under which the project's signer key is encrypted (AES-256-CTR from
//! a block of zeros); what comes out is the hash.
//!
//! An account's export has a salt and a hash; the rest is the project's, the same for all its accounts. The text that
//! is kept has both, in the form that Supabase's auth server has for it:
//!
//! ```text
//! $fbscrypt$v=1,n=<mem_cost>,r=<rounds>,p=1,ss=<salt separator>,sk=<signer key>$<salt>$<hash>
//! ```
//!
//! with base64 as in the export. A key of the whole project is thus beside each hash that was not renewed yet. It
//! protects nothing by itself: with it passwords can be tried, without it they can't, and whoever has exported the
//! accounts has it.

use aws_lc_rs::cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use zeroize::Zeroizing;

use super::scrypt::Scrypt;
use super::{Derivation, Derived, OutOfMemory, Unusable, text};

/// What a project has beside an account's salt.
#[derive(Debug)]
pub struct Firebase {
    scrypt: Scrypt,
    separator: Vec<u8>,
    signer_key: Vec<u8>,
}

/// Reads a hash; `None` where it is of another family.
pub fn parse(stored: &str) -> Option<Result<Derived, Unusable>> {
    let rest = stored.strip_prefix("$fbscrypt$")?;
    Some(read(rest).ok_or(Unusable::Malformed("Firebase's scrypt")).flatten())
}

fn read(rest: &str) -> Option<Result<Derived, Unusable>> {
    let [parameters, salt, hash] = text::fields(rest, '$')?;
    let [version, mem_cost, rounds, p, separator, signer_key] =
        text::parameters(parameters, ["v", "n", "r", "p", "ss", "sk"])?;
    (version == "1").then_some(())?;
    let scrypt = match Scrypt::new(text::number(mem_cost)?, text::number(rounds)?, text::number(p)?)? {
        Ok(scrypt) => scrypt,
        Err(refused) => return Some(Err(refused)),
    };
    let (separator, signer_key) = (text::base64(separator)?, text::base64(signer_key)?);
    let expected = text::base64(hash).filter(|expected| expected.len() == signer_key.len())?;
    let firebase = Firebase { scrypt, separator, signer_key };
    Derived::new(Derivation::Firebase(firebase), text::base64(salt)?, expected).map(Ok)
}

impl Firebase {
    pub fn derive(&self, password: &str, salt: &[u8], derived: &mut [u8]) -> Result<(), OutOfMemory> {
        let mut key = Zeroizing::new([0; 32]);
        self.scrypt.derive(password, &[salt, &self.separator].concat(), key.as_mut())?;
        derived.copy_from_slice(&self.signer_key);
        let key = UnboundCipherKey::new(&AES_256, key.as_ref()).and_then(EncryptingKey::ctr);
        let start = EncryptionContext::Iv128(FixedLength::from([0; 16]));
        // 32 bytes are a key, and any length can be encrypted; but for the memory that takes.
        key.and_then(|key| key.less_safe_encrypt(derived, start)).map_err(|_| OutOfMemory)?;
        Ok(())
    }

    /// In MiB.
    pub fn memory(&self) -> u32 {
        self.scrypt.memory()
    }
}
