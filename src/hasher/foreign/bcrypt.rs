//! bcrypt's texts, of all systems but ours.
//!
//! | form | made by |
//! | --- | --- |
//! | `$2a$`, `$2b$`, `$2y$` | nearly everyone |
//! | `bcrypt$$2b$…` | Django |
//! | `bcrypt_sha256$$2b$…` | Django, of SHA-256 in hexadecimal |
//! | `$bcrypt-sha256$2b,12$…` | passlib, version 1, of SHA-256 in base64 |
//!
//! `2a`, `2b` and `2y` are one function. The letters tell which mistakes the maker can't have made: before `2y` some
//! (crypt_blowfish until 1.0.4) extended the sign of bytes over 127, and before `2b` some (OpenBSD until 5.5) took the
//! length of a password in eight bits. A hash that was made with a mistake is not verified here, which costs its owner
//! (who has a letter beyond ASCII in the password, or 255 bytes of it) a new password. Mistakes are not imitated:
//! with the sign extended, different passwords have the same hash. `2x` says that it was made so, and is refused.

use bcrypt_lanes::Cost;

use super::{Unusable, text};
use crate::hasher::scheme::{Prehash, Stored};

/// The highest cost, at which a password takes a second or two.
pub const MAX_COST: u32 = 15;

pub const TOO_COSTLY: Unusable = Unusable::TooCostly("bcrypt's cost is over 15");

/// Reads a hash; `None` where it is of another family.
pub fn parse(stored: &str) -> Option<Result<Stored, Unusable>> {
    if stored.starts_with("$2x$") {
        return Some(Err(Unusable::Malformed(
            "bcrypt of the kind 2x, which takes different passwords for one",
        )));
    }
    let malformed = Unusable::Malformed("bcrypt");
    if let Some(rest) = stored.strip_prefix("$bcrypt-sha256$") {
        return Some(passlib(rest).ok_or(malformed).flatten());
    }
    let (prehash, rest) =
        [("bcrypt_sha256$$2", Prehash::Hex), ("bcrypt$$2", Prehash::None), ("$2", Prehash::None)]
            .into_iter()
            .find_map(|(tag, prehash)| Some((prehash, stored.strip_prefix(tag)?)))?;
    Some(plain(rest, prehash).ok_or(malformed).flatten())
}

/// From the letter on: `b$12$` and 53 characters.
fn plain(rest: &str, prehash: Prehash) -> Option<Result<Stored, Unusable>> {
    let [letter, cost, both] = text::fields(rest, '$')?;
    (["a", "b", "y"].contains(&letter) && cost.len() == 2).then_some(())?;
    let (salt, hash) = both.split_at_checked(22)?;
    stored(cost, salt, hash, prehash)
}

/// `2b,12$` or, in version 2, `v=2,t=2b,r=12$`; then salt, `$` and hash.
fn passlib(rest: &str) -> Option<Result<Stored, Unusable>> {
    let [parameters, salt, hash] = text::fields(rest, '$')?;
    let (kind, cost, prehash) = match text::parameters(parameters, ["v", "t", "r"]) {
        // Version 2 is ours, but for a cost that we don't make and for unused bits.
        Some(["2", "2b", cost]) => ("2b", cost, Prehash::Hmac),
        Some(_) => return None,
        None => {
            let [kind, cost] = text::fields(parameters, ',')?;
            (kind, cost, Prehash::Base64)
        }
    };
    ["2a", "2b", "2y"].contains(&kind).then_some(())?;
    stored(cost, salt, hash, prehash)
}

fn stored(cost: &str, salt: &str, hash: &str, prehash: Prehash) -> Option<Result<Stored, Unusable>> {
    let cost = Cost::new(text::number(cost)?)?;
    let stored = Stored::foreign(cost, salt, hash, prehash)?;
    Some(if cost.get() > MAX_COST { Err(TOO_COSTLY) } else { Ok(stored) })
}
