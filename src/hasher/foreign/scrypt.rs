//! scrypt (RFC 7914).
//!
//! | form | made by |
//! | --- | --- |
//! | `$scrypt$ln=14,r=8,p=1$salt$hash` | passlib, and who writes PHC strings |
//! | `scrypt$16384$salt$8$5$hash` | Django |
//! | `scrypt:32768:8:1$salt$hash` | Werkzeug, in hexadecimal |
//!
//! Django and Werkzeug use the text of the salt as it is.

use scrypt::Params;

use super::{Derivation, Derived, OutOfMemory, Unusable, text};

/// N is at most 2 to the power of this.
const MAX_LOG_N: u32 = 17;

const MAX_R: u32 = 8;

const MAX_P: u32 = 10;

/// Its parameters, N as the power of two that it is.
#[derive(Clone, Copy, Debug)]
pub struct Scrypt {
    log_n: u8,
    r: u32,
    p: u32,
}

/// Reads a hash; `None` where it is of another family.
pub fn parse(stored: &str) -> Option<Result<Derived, Unusable>> {
    let read = if let Some(rest) = stored.strip_prefix("$scrypt$") {
        phc(rest)
    } else if let Some(rest) = stored.strip_prefix("scrypt$") {
        django(rest)
    } else {
        werkzeug(stored.strip_prefix("scrypt:")?)
    };
    Some(read.ok_or(Unusable::Malformed("scrypt")).flatten())
}

fn phc(rest: &str) -> Option<Result<Derived, Unusable>> {
    let [parameters, salt, hash] = text::fields(rest, '$')?;
    let [log_n, r, p] = text::parameters(parameters, ["ln", "r", "p"])?;
    derived(text::number(log_n)?, r, p, text::base64(salt)?, text::base64(hash)?)
}

fn django(rest: &str) -> Option<Result<Derived, Unusable>> {
    let [n, salt, r, p, hash] = text::fields(rest, '$')?;
    derived(log2(n)?, r, p, salt.into(), text::base64(hash)?)
}

fn werkzeug(rest: &str) -> Option<Result<Derived, Unusable>> {
    let [parameters, salt, hash] = text::fields(rest, '$')?;
    let [n, r, p] = text::fields(parameters, ':')?;
    derived(log2(n)?, r, p, salt.into(), text::hex(hash)?)
}

fn log2(n: &str) -> Option<u32> {
    text::number(n).filter(|n| n.is_power_of_two()).map(u32::ilog2)
}

fn derived(
    log_n: u32,
    r: &str,
    p: &str,
    salt: Vec<u8>,
    expected: Vec<u8>,
) -> Option<Result<Derived, Unusable>> {
    let scrypt = match Scrypt::new(log_n, text::number(r)?, text::number(p)?)? {
        Ok(scrypt) => scrypt,
        Err(refused) => return Some(Err(refused)),
    };
    Derived::new(Derivation::Scrypt(scrypt), salt, expected).map(Ok)
}

impl Scrypt {
    /// `None` for parameters that scrypt does not have.
    pub fn new(log_n: u32, r: u32, p: u32) -> Option<Result<Scrypt, Unusable>> {
        for (over, which) in [
            (log_n > MAX_LOG_N, "scrypt's N is over 2^17"),
            (r > MAX_R, "scrypt's r is over 8"),
            (p > MAX_P, "scrypt's p is over 10"),
        ] {
            if over {
                return Some(Err(Unusable::TooCostly(which)));
            }
        }
        let log_n = u8::try_from(log_n).ok().filter(|log_n| *log_n > 0)?;
        Params::new(log_n, r, p).ok()?;
        Some(Ok(Scrypt { log_n, r, p }))
    }

    pub fn derive(&self, password: &str, salt: &[u8], derived: &mut [u8]) -> Result<(), OutOfMemory> {
        // Parameters and lengths were seen to when it was read.
        let params = Params::new(self.log_n, self.r, self.p).map_err(|_| OutOfMemory)?;
        scrypt::scrypt(password.as_bytes(), salt, &params, derived).map_err(|_| OutOfMemory)
    }

    /// In MiB.
    pub fn memory(&self) -> u32 {
        ((128 * self.r) << self.log_n).div_ceil(1024 * 1024)
    }
}
