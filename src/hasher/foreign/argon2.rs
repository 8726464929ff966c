//! Argon2 (RFC 9106): `$argon2id$v=19$m=65536,t=3,p=4$salt$hash`, as everyone writes it; Django with `argon2` before it.
//!
//! Argon2i and Argon2id, versions 16 and 19. Argon2d is for other things than passwords.

use argon2::{Algorithm, MIN_SALT_LEN, Params, Version};

use super::{Derivation, Derived, OutOfMemory, Unusable, text};

/// 1 GiB, in the KiB of parameters.
const MAX_MEMORY: u32 = 1024 * 1024;

const MAX_PASSES: u32 = 10;

/// Its parameters.
#[derive(Debug)]
pub struct Argon2 {
    pub algorithm: Algorithm,
    pub version: Version,
    /// In KiB.
    pub memory: u32,
    pub passes: u32,
    pub lanes: u32,
}

/// Reads a hash; `None` where it is of another family.
pub fn parse(stored: &str) -> Option<Result<Derived, Unusable>> {
    let phc = stored.strip_prefix("argon2$argon2").or_else(|| stored.strip_prefix("$argon2"))?;
    Some(read(phc).ok_or(Unusable::Malformed("Argon2")).flatten())
}

fn read(phc: &str) -> Option<Result<Derived, Unusable>> {
    let (kind, rest) = phc.split_once('$')?;
    let algorithm = match kind {
        "i" => Algorithm::Argon2i,
        "id" => Algorithm::Argon2id,
        _ => return None,
    };
    // The version came later than the form; without one it is the first.
    let (version, rest) = match rest.strip_prefix("v=") {
        Some(rest) => rest.split_once('$')?,
        None => ("16", rest),
    };
    let version = Version::try_from(text::number(version)?).ok()?;
    let [parameters, salt, hash] = text::fields(rest, '$')?;
    let [memory, passes, lanes] = text::parameters(parameters, ["m", "t", "p"])?;
    let [memory, passes, lanes] = [text::number(memory)?, text::number(passes)?, text::number(lanes)?];
    let argon2 = Argon2 { algorithm, version, memory, passes, lanes };
    argon2.derived(text::base64(salt)?, text::base64(hash)?)
}

impl Argon2 {
    /// What of a salt should come out as `expected`; `None` for parameters that Argon2 does not have.
    pub fn derived(self, salt: Vec<u8>, expected: Vec<u8>) -> Option<Result<Derived, Unusable>> {
        if self.memory > MAX_MEMORY {
            return Some(Err(Unusable::TooCostly("Argon2's memory is over 1 GiB")));
        }
        if self.passes > MAX_PASSES {
            return Some(Err(Unusable::TooCostly("Argon2's passes are over 10")));
        }
        self.params()?;
        (salt.len() >= MIN_SALT_LEN).then_some(())?;
        Derived::new(Derivation::Argon2(self), salt, expected).map(Ok)
    }

    fn params(&self) -> Option<Params> {
        Params::new(self.memory, self.passes, self.lanes, None).ok()
    }

    pub fn derive(&self, password: &str, salt: &[u8], derived: &mut [u8]) -> Result<(), OutOfMemory> {
        // What else could fail, its parameters and lengths, was seen to when it was read.
        let argon2 = argon2::Argon2::new(self.algorithm, self.version, self.params().ok_or(OutOfMemory)?);
        argon2.hash_password_into(password.as_bytes(), salt, derived).map_err(|_| OutOfMemory)
    }

    /// In MiB.
    pub fn memory(&self) -> u32 {
        self.memory.div_ceil(1024)
    }
}
