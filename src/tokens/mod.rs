//! Access tokens: the only room that knows JWT (RFC 7519, RFC 9068).
//!
//! Holds the keys, signs claims, and says whether a token is one of ours. It does not know whether its session still
//! lives: that is the sessions' to ask. What a token's header says is used to find one of our keys, and for nothing
//! else: algorithm and key always come from the [`Keyring`].

mod access_token;
mod keyring;

pub use access_token::{Claims, Grant};
pub use keyring::Keyring;
