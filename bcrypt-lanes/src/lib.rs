//! bcrypt of up to four passwords of equal cost at once, in about the time of one.
//!
//! One bcrypt is a chain of table lookups, each at a place that the one before gave: it waits for the cache most of
//! the time and leaves most of its core idle. [`hash`] does four independent ones in one loop, so that they fill each
//! other's pauses. Each result is what bcrypt makes of that password and salt alone.
//!
//! ```
//! use bcrypt_lanes::{Cost, Lane};
//!
//! let cost = Cost::new(4).expect("4 to 31");
//! let ada = Lane { password: b"tidal-lantern", salt: [1; 16] };
//! let bob = Lane { password: b"mosaic-42", salt: [2; 16] };
//! let hashes = bcrypt_lanes::hash(cost, &[ada, bob]);
//! assert_eq!(hashes[1..], bcrypt_lanes::hash(cost, &[bob]));
//! ```
//!
//! # What it promises
//!
//! - **No panic**, whatever the passwords, salts and their number. A cost that bcrypt does not have can't be expressed,
//!   nor can lanes of different costs.
//! - **No lane learns of another.** The lanes share no data, and nothing branches on a password's bytes or ends early,
//!   so that how long a group takes depends on its size and cost. Places in the S-boxes do depend on the passwords, as in
//!   every bcrypt: what an attacker on the same core could see of a lone hash in the cache's timing, it can see of four.
//! - **Keys, P-arrays and S-boxes are wiped** when a group is done, also if its thread unwinds. They are in one block on
//!   the heap from the moment they depend on a password, and don't move. Words that the compiler held in registers, or
//!   spilled from them to the stack (halves of blocks, in what it now makes of this code), are overwritten only by
//!   whatever comes next; nor is memory locked against swapping. The passwords and the hashes are the caller's.
//!
//! # What it does not do
//!
//! Make salts, compare, or write and read `$2b$…` texts: such a text has the first 23 bytes of the hash, in bcrypt's
//! own base64.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod eks_blowfish;
mod pi;

/// How many are hashed at once, in about the time of one. Five or six would be some more hashes a second, but each
/// later than alone.
pub const LANES: usize = 4;

/// bcrypt's cost, from 4 to 31: the work doubles with each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost(u32);

impl Cost {
    /// 4, bcrypt's lowest; for tests.
    pub const MIN: Cost = Cost(4);
    /// 31, which takes days.
    pub const MAX: Cost = Cost(31);

    /// `None` if bcrypt has no such cost.
    pub const fn new(cost: u32) -> Option<Cost> {
        if Cost::MIN.0 <= cost && cost <= Cost::MAX.0 { Some(Cost(cost)) } else { None }
    }

    /// As a number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// What one lane hashes.
#[derive(Clone, Copy)]
pub struct Lane<'a> {
    /// Any bytes. The key is made of them as in `$2b$`: a NUL is appended, of both together the first 72 bytes count,
    /// and they repeat for as long as bcrypt wants more. So two passwords that are equal in their first 72 bytes have
    /// the same hash, and so have `a` and `a\0a`: who lets users have such passwords must see to it before.
    ///
    /// (`bcrypt::bcrypt` of the `bcrypt` crate appends no NUL and panics if the key is empty or longer than 72 bytes;
    /// its `hash_with_salt` makes the key as here.)
    pub password: &'a [u8],
    /// Random for each new hash.
    pub salt: [u8; 16],
}

/// bcrypt of each lane, in their order; none of none. More than [`LANES`] are hashed in groups, one after the other.
///
/// It keeps the calling thread busy for tens to hundreds of milliseconds a group at the usual costs.
pub fn hash(cost: Cost, lanes: &[Lane<'_>]) -> Vec<[u8; 24]> {
    let mut hashes = Vec::with_capacity(lanes.len());
    let (groups, rest) = lanes.as_chunks::<LANES>();
    for group in groups {
        hashes.extend(interleaved(cost, group));
    }
    match *rest {
        [a] => hashes.extend(interleaved(cost, &[a])),
        [a, b] => hashes.extend(interleaved(cost, &[a, b])),
        [a, b, c] => hashes.extend(interleaved(cost, &[a, b, c])),
        _ => {}
    }
    hashes
}

fn interleaved<const N: usize>(cost: Cost, lanes: &[Lane<'_>; N]) -> [[u8; 24]; N] {
    let keys = lanes.each_ref().map(|lane| lane.password.iter().chain(&[0]));
    let salts = lanes.each_ref().map(|lane| &lane.salt);
    eks_blowfish::encrypt_magic_text(&eks_blowfish::setup(cost.0, keys, salts))
}
