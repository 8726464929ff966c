//! Tokens: what a client holds of a session. The only room that knows JWT (RFC 7519, RFC 9068).
//!
//! Holds the keys, writes tokens, and says whether one is ours. It does not know whether its session still lives:
//! that is the sessions' to ask. What an access token's header says is used to find one of our keys, and for nothing
//! else: algorithm and key always come from the [`Keyring`].

mod access_token;
mod keyring;
mod refresh_token;

pub use access_token::{Claims, Grant};
pub use keyring::Keyring;
pub use refresh_token::RefreshTokens;
