//! OAuth 2.0's own surface over the same rooms: `/oauth/token` (RFC 6749), `/oauth/revoke` (RFC 7009), `/oauth/introspect`
//! (RFC 7662), and the metadata by which clients find them (RFC 8414).
//!
//! There are no registered clients: whoever asks may say a name, which its access tokens then have as `client_id`.

mod introspect;
mod metadata;
mod parameters;
mod refusal;
mod revoke;
mod token;

pub(super) use introspect::introspect;
pub(super) use metadata::metadata;
pub(super) use revoke::revoke;
pub(super) use token::token;
