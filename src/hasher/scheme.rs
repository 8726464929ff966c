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
//!
//! What other systems made with bcrypt is the same computation of another [`Prehash`]; their texts are read in
//! `foreign/bcrypt.rs`.

use std::ops::RangeInclusive;
use std::str::FromStr;

use aws_lc_rs::hmac;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use base64::prelude::{BASE64_STANDARD, Engine};
use bcrypt::HashParts;
use bcrypt_lanes::{Cost, Lane};
use zeroize::Zeroizing;

use super::Verdict;
use crate::secret;

/// The bytes that bcrypt can take whole, its terminating NUL not counted.
const BCRYPT_MAX_BYTES: usize = 71;

/// The bytes of bcrypt's result that its text has; the last one is left out, as everywhere.
const HASH_BYTES: usize = 23;

/// The costs that can be set. A stored hash of another cost is not ours, and might keep a thread for hours.
const COSTS: RangeInclusive<u32> = 4..=16;

/// bcrypt's base64, as those wrote it who left the last character's unused bits as they were, too.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));

/// What of a password bcrypt is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prehash {
    /// The password itself.
    None,
    /// base64(HMAC-SHA-256(salt, password)): ours, and passlib's version 2.
    Hmac,
    /// base64(SHA-256(password)): passlib's version 1.
    Base64,
    /// SHA-256(password) in hexadecimal: Django's.
    Hex,
}

/// A parsed hash.
#[derive(Clone, Debug)]
pub struct Stored {
    parts: Parts,
    prehash: Prehash,
    /// Whether its text is one that a new hash could have.
    ours: bool,
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
    prehash: Prehash,
}

impl Salted {
    /// Under a random salt.
    pub fn new(password: &str) -> Salted {
        let prehash = if needs_prehash(password) { Prehash::Hmac } else { Prehash::None };
        Salted::with(password, secret::random(), prehash)
    }

    fn with(password: &str, salt: [u8; 16], prehash: Prehash) -> Salted {
        let sha256 = || Zeroizing::new(secret::sha256(password.as_bytes()));
        let key = match prehash {
            Prehash::None => password.as_bytes().to_vec(),
            Prehash::Hmac => {
                let key = bcrypt::BASE_64.encode(salt);
                let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), password.as_bytes());
                BASE64_STANDARD.encode(tag.as_ref()).into_bytes()
            }
            Prehash::Base64 => BASE64_STANDARD.encode(*sha256()).into_bytes(),
            Prehash::Hex => {
                let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 15)];
                sha256().iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
            }
        };
        Salted { key: Zeroizing::new(key), salt, prehash }
    }

    /// The text that is kept of `hash`, which bcrypt made of this.
    pub fn stored(&self, cost: Cost, hash: &[u8; 24]) -> String {
        let (cost, text) = (cost.get(), text(self.salt, hash));
        if self.prehash == Prehash::None {
            return format!("$2b${cost:02}${text}");
        }
        let (salt, hash) = text.split_at(22);
        format!("$bcrypt-sha256$v=2,t=2b,r={cost}${salt}${hash}")
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
    let salted = Salted::with(password, [0; 16], Prehash::None);
    for rest in (spent.get()..cost.get()).filter_map(Cost::new) {
        std::hint::black_box(salted.bcrypt(rest));
    }
}

impl Stored {
    /// A hash of this cost that no password matches, and that takes as long to compare as any.
    pub fn unmatchable(cost: Cost) -> Stored {
        let salt = secret::random();
        let text = text(salt, &secret::random::<HASH_BYTES>());
        Stored { parts: Parts { cost, salt, text }, prehash: Prehash::None, ours: true }
    }

    /// One from elsewhere, of its salt and hash in bcrypt's base64; `None` where they are not that.
    pub fn foreign(cost: Cost, salt: &str, hash: &str, prehash: Prehash) -> Option<Stored> {
        let salt = LENIENT.decode(salt).ok()?.try_into().ok()?;
        let hash = LENIENT.decode(hash).ok().filter(|hash| hash.len() == HASH_BYTES)?;
        Some(Stored { parts: Parts { cost, salt, text: text(salt, &hash) }, prehash, ours: false })
    }

    /// bcrypt's cost: the work doubles with each step.
    pub fn cost(&self) -> Cost {
        self.parts.cost
    }

    /// What bcrypt has to be made of, to see whether this is `password`'s hash.
    pub fn salted(&self, password: &str) -> Salted {
        Salted::with(password, self.parts.salt, self.prehash)
    }

    /// Checks a password, bcrypt included.
    pub fn verify(&self, password: &str) -> Verdict {
        let hashes = self.salted(password).bcrypt(self.parts.cost);
        hashes.first().map_or(Verdict::Wrong, |hash| self.verdict(password, hash))
    }

    /// What to say to `password`, of which bcrypt made `hash`. Takes the same time for any answer.
    pub fn verdict(&self, password: &str, hash: &[u8; 24]) -> Verdict {
        let text = text(self.parts.salt, hash);
        let same = secret::equal(text.as_bytes(), self.parts.text.as_bytes());
        // bcrypt repeats its key, NUL and all: `a` and `a\0a` are one to it. No one else's password has a NUL.
        let possible = self.prehash != Prehash::None || !password.contains('\0');
        // Ours is never made of more than bcrypt takes, and bcrypt's key then has its NUL within the bytes that it takes;
        // so what has more and fits was cut by another system, and is taken whole from now on.
        let cut = self.prehash == Prehash::None && needs_prehash(password);
        match same && possible {
            false => Verdict::Wrong,
            true if cut || !self.ours => Verdict::RightButOutdated,
            true => Verdict::Right,
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
                let parts = parse(&format!("$2b${cost:0>2}${salt}{hash}"))?;
                Ok(Stored { parts, prehash: Prehash::Hmac, ours: true })
            }
            None if text.starts_with("$2b$") => {
                Ok(Stored { parts: parse(text)?, prehash: Prehash::None, ours: true })
            }
            None => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(password: &str, cost: u32) -> String {
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
            assert_eq!(parsed.verify(password), Verdict::Right, "{stored}");
            assert_eq!(parsed.verify(&password[1..]), Verdict::Wrong, "{stored}");
        }
    }

    /// What the service computes by itself is what the crate does.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "the oracle, of passwords that it takes whole")]
    fn agrees_with_the_bcrypt_crate() {
        for password in ["", "x", "correct horse", &"x".repeat(71)] {
            let stored = hash(password, 4);
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
            let stored: Stored = hash(password, 4).parse().unwrap();
            assert_eq!(stored.verify(password), Verdict::Right, "{password:?}");
            assert_eq!(stored.verify(other), Verdict::Wrong, "{password:?} and {other:?}");
        }
    }

    #[test]
    fn plain_bcrypt_is_used_where_it_can_be() {
        assert!(hash(&"x".repeat(71), 4).starts_with("$2b$04$"));
        assert!(hash(&"x".repeat(72), 4).starts_with("$bcrypt-sha256$v=2,t=2b,r=4$"));
        assert!(hash("nul\0", 12).starts_with("$bcrypt-sha256$v=2,t=2b,r=12$"));
    }

    #[test]
    fn a_malformed_hash_is_refused() {
        let sound = hash("x", 4);
        let costly = sound.replace("$2b$04$", "$2b$31$");
        let prehashed = "$bcrypt-sha256$v=2,t=2b,r=4$x";
        for broken in ["", "$2b$", "plain", &sound[..59], &format!("{sound}x"), prehashed, &costly] {
            assert!(broken.parse::<Stored>().is_err(), "{broken}");
        }
    }
}
