//! How a password becomes a stored text, and back.
//!
//! bcrypt takes 72 bytes, the last of which is a terminating NUL, and its key repeats: it ignores what is longer and
//! can't tell `a` from `a\0a`. So there are two schemes, told apart by their tags:
//!
//! - `$2b$…`: bcrypt alone, for passwords of at most 71 bytes without a NUL.
//! - `$bcrypt-sha256$v=2,t=2b,r=<cost>$<salt>$<hash>`: for all others, the published scheme of Python's passlib
//!   (`bcrypt_sha256`, version 2): bcrypt of base64(HMAC-SHA-256(salt, password)), which is 44 characters without a
//!   NUL, whatever the password. The HMAC is keyed with the salt, so that a stolen list of plain SHA-256 digests
//!   can't be tried instead of passwords.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use aws_lc_rs::hmac;
use base64::prelude::{BASE64_STANDARD, Engine};
use bcrypt::HashParts;
use bcrypt_lanes::{Cost, Lane};
use zeroize::Zeroizing;

use crate::secret;

/// The bytes that bcrypt can take whole, its terminating NUL not counted.
const BCRYPT_MAX_BYTES: usize = 71;

/// The bytes of bcrypt's result that its text has; the last one is left out, as everywhere.
const HASH_BYTES: usize = 23;

/// The costs that can be set. A stored hash of another cost is not ours, and might keep a thread for hours.
const COSTS: RangeInclusive<u32> = 4..=16;

/// A parsed hash.
#[derive(Clone, Debug)]
pub struct Stored {
    parts: Parts,
    prehashed: bool,
}

#[derive(Clone, Debug)]
struct Parts {
    cost: Cost,
    salt: [u8; 16],
    /// Salt and hash in bcrypt's base64, 22 and 31 characters.
    text: String,
}

/// A password as bcrypt takes it: the bytes of its key, before the terminating NUL, and a salt.
pub struct Salted {
    pub key: Zeroizing<Vec<u8>>,
    pub salt: [u8; 16],
    prehashed: bool,
}

impl Salted {
    /// Under a random salt.
    pub fn new(password: &str) -> Salted {
        Salted::with(password, secret::random(), needs_prehash(password))
    }

    fn with(password: &str, salt: [u8; 16], prehashed: bool) -> Salted {
        let key = if prehashed {
            let key = bcrypt::BASE_64.encode(salt);
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), password.as_bytes());
            BASE64_STANDARD.encode(tag.as_ref()).into_bytes()
        } else {
            password.as_bytes().to_vec()
        };
        Salted { key: Zeroizing::new(key), salt, prehashed }
    }

    /// What is kept of `hash`, which bcrypt made of this.
    pub fn stored(&self, cost: Cost, hash: &[u8; 24]) -> Stored {
        Stored {
            parts: Parts { cost, salt: self.salt, text: text(self.salt, hash) },
            prehashed: self.prehashed,
        }
    }

    /// By itself.
    fn bcrypt(&self, cost: Cost) -> Vec<[u8; 24]> {
        bcrypt_lanes::hash(cost, &[Lane { password: &self.key, salt: self.salt }])
    }
}

fn needs_prehash(password: &str) -> bool {
    password.len() > BCRYPT_MAX_BYTES || password.contains('\0')
}

fn text(salt: [u8; 16], hash: &[u8]) -> String {
    format!("{}{}", bcrypt::BASE_64.encode(salt), bcrypt::BASE_64.encode(&hash[..HASH_BYTES]))
}

fn text_of(parts: &HashParts) -> String {
    parts.to_string().split_off("$2b$12$".len())
}

/// Spends the time by which checking a hash of cost `spent` is faster than one of `cost`: each cost takes twice the
/// time of the one before, so those from `spent` to below `cost` make up the difference. Who has an older, cheaper
/// hash would otherwise be told from who has none.
pub fn spend_rest(password: &str, spent: Cost, cost: Cost) {
    let salted = Salted::with(password, [0; 16], false);
    for rest in (spent.get()..cost.get()).filter_map(Cost::new) {
        std::hint::black_box(salted.bcrypt(rest));
    }
}

impl Stored {
    /// A hash of this cost that no password matches, and that takes as long to compare as any.
    pub fn unmatchable(cost: Cost) -> Stored {
        let salt = secret::random();
        let text = text(salt, &secret::random::<HASH_BYTES>());
        Stored { parts: Parts { cost, salt, text }, prehashed: false }
    }

    /// bcrypt's cost: the work doubles with each step.
    pub fn cost(&self) -> Cost {
        self.parts.cost
    }

    /// What bcrypt has to be made of, to see whether this is `password`'s hash.
    pub fn salted(&self, password: &str) -> Salted {
        Salted::with(password, self.parts.salt, self.prehashed)
    }

    /// Whether this is `password`'s hash, bcrypt included.
    pub fn verify(&self, password: &str) -> bool {
        self.salted(password).bcrypt(self.parts.cost).iter().all(|hash| self.is(password, hash))
    }
    /// Whether this is `password`'s hash, of which bcrypt made `hash`. Takes the same time for any answer.
    pub fn is(&self, password: &str, hash: &[u8; 24]) -> bool {
        // A plain hash was made of a password that bcrypt takes whole: no other one can be it, though bcrypt,
        // cutting it or repeating it, might say so. It was computed all the same, for the time it takes.
        let possible = self.prehashed || !needs_prehash(password);
        let text = text(self.parts.salt, hash);
        secret::equal(text.as_bytes(), self.parts.text.as_bytes()) && possible
    }
}

impl fmt::Display for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { cost, text, .. } = &self.parts;
        if self.prehashed {
            let (salt, hash) = text.split_at(22);
            write!(f, "$bcrypt-sha256$v=2,t=2b,r={}${salt}${hash}", cost.get())
        } else {
            write!(f, "$2b${:02}${text}", cost.get())
        }
    }
}

impl FromStr for Stored {
    type Err = ();

    fn from_str(text: &str) -> Result<Stored, ()> {
        let parse = |plain: &str| -> Result<Parts, ()> {
            let parts = plain.parse::<HashParts>().ok().filter(|parts| COSTS.contains(&parts.get_cost()));
            let parts = parts.ok_or(())?;
            let cost = Cost::new(parts.get_cost()).ok_or(())?;
            Ok(Parts { cost, salt: parts.get_salt_raw(), text: text_of(&parts) })
        };
        match text.strip_prefix("$bcrypt-sha256$v=2,t=2b,r=") {
            Some(rest) => {
                let (cost, salt_and_hash) = rest.split_once('$').ok_or(())?;
                let (salt, hash) = salt_and_hash.split_once('$').ok_or(())?;
                Ok(Stored { parts: parse(&format!("$2b${cost:0>2}${salt}{hash}"))?, prehashed: true })
            }
            None if text.starts_with("$2b$") => Ok(Stored { parts: parse(text)?, prehashed: false }),
            None => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(password: &str, cost: u32) -> Stored {
        let (salted, cost) = (Salted::new(password), Cost::new(cost).unwrap());
        salted.stored(cost, &salted.bcrypt(cost)[0])
    }

    /// Made with passlib 1.7.4: `bcrypt.using(rounds=4)` and `bcrypt_sha256.using(rounds=4)`.
    const PASSLIB: [(&str, &str); 4] = [
        ("correct horse battery staple", "$2b$04$/Kcy4tIPs0YXYW1Qeyjp4O3IJt.d8FaZJcbf2xzr52Hn4YDbv9Mqi"),
        (
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "$bcrypt-sha256$v=2,t=2b,r=4$SgnErbzv53ak5Yib8o.VBu$u0SbN1EeQIT0Q70W3xcDd8xRIl74Cba",
        ),
        ("a\0a", "$bcrypt-sha256$v=2,t=2b,r=4$bTEHP0Ic5Va.b7jVrpkUVu$uEBgYN4t6jSQobOyHaEIRjaECyaj2Mq"),
        (
            "pässwördpässwördpässwördpässwördpässwördpässwördpässwördpässwördpässwördpässwördpässwördpässwörd",
            "$bcrypt-sha256$v=2,t=2b,r=4$AvbRg8.rGHnYer76byy0y.$CeMLl7KpbRykHAdlx5ThC5tbR6mO9mS",
        ),
    ];

    #[test]
    fn agrees_with_passlib() {
        for (password, stored) in PASSLIB {
            let parsed: Stored = stored.parse().unwrap();
            assert!(parsed.verify(password), "{stored}");
            assert!(!parsed.verify(&password[1..]), "{stored}");
            assert_eq!(parsed.to_string(), stored);
        }
    }

    /// What the service computes by itself is what the crate does.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the oracle, of passwords that it takes whole")]
    fn agrees_with_the_bcrypt_crate() {
        for password in ["", "x", "correct horse", &"x".repeat(71)] {
            let stored = hash(password, 4).to_string();
            assert!(bcrypt::verify(password, &stored).unwrap(), "{stored}");
            assert!(!bcrypt::verify("another", &stored).unwrap());
        }
    }

    #[test]
    fn long_passwords_and_nuls_are_taken_whole() {
        let long = "x".repeat(72);
        for (password, other) in [
            ("short", "shorter"),
            (&long[..71], &long[..]),
            (&long[..], &long[..71]),
            (&format!("{long}a"), &format!("{long}b")),
            ("a", "a\0a"),
            ("a\0a", "a"),
            ("", "\0"),
            ("é".repeat(36).as_str(), "é".repeat(37).as_str()),
        ] {
            let stored: Stored = hash(password, 4).to_string().parse().unwrap();
            assert!(stored.verify(password), "{password:?}");
            assert!(!stored.verify(other), "{password:?} and {other:?}");
        }
    }

    #[test]
    fn plain_bcrypt_is_used_where_it_can_be() {
        assert!(hash(&"x".repeat(71), 4).to_string().starts_with("$2b$04$"));
        assert!(hash(&"x".repeat(72), 4).to_string().starts_with("$bcrypt-sha256$v=2,t=2b,r=4$"));
        assert!(hash("nul\0", 12).to_string().starts_with("$bcrypt-sha256$v=2,t=2b,r=12$"));
    }

    #[test]
    fn a_malformed_hash_is_refused() {
        let sound = hash("x", 4).to_string();
        let costly = sound.replace("$2b$04$", "$2b$31$");
        let prehashed = "$bcrypt-sha256$v=2,t=2b,r=4$x";
        for broken in ["", "$2b$", "plain", &sound[..59], &format!("{sound}x"), prehashed, &costly] {
            assert!(broken.parse::<Stored>().is_err(), "{broken}");
        }
    }
}
