//! Tokens: what a client holds of a session. The only room that knows JWT (RFC 7519, RFC 9068).
//!
//! Holds the keys, writes tokens, and says whether one is ours; keeps what was found out about the ones it has seen,
//! and makes known what changes for them. Whether a session lives is the sessions' to ask. What an access token's header
//! says is used to find one of our keys, and for nothing else: algorithm and key always come from the [`Keyring`]. It has a
//! copy of all keys at one moment (`Keys`), each ready for use (`Key`); the rows that they come from are the store's.

mod access_token;
mod authenticated;
mod changes;
mod end_link;
mod keyring;
mod keys;
mod look;
mod refresh_token;
mod rotation;
mod session_cache;
mod signing_key;
mod stamps;
mod unnoted;

pub use access_token::{Claims, Grant};
pub use authenticated::Authenticated;
pub use changes::{Changes, Effect};
pub use end_link::EndLinks;
pub use keyring::{JWKS_MAX_AGE, KeyInfo, Keyring};
pub use keys::KeyState;
pub use look::{Look, look};
pub use refresh_token::RefreshTokens;
pub use session_cache::{SessionCache, Used};
pub use stamps::{Moment, Stamps, UserStamps};
pub use unnoted::Unnoted;
