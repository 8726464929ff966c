//! Checks Portcullis' access tokens inside another service: without a call per request, and yet a revoked token is
//! refused at once.
//!
//! A [`Verifier`] holds Portcullis' public keys and all that was revoked lately, and follows both in the background. It
//! fails closed: while it does not know all revocations, because it has not heard them yet or because Portcullis has
//! been silent for longer than [`max_silence`](Settings::max_silence), it refuses every token with
//! [`Error::Unavailable`], and recovers by itself.
//!
//! ```no_run
//! use portcullis_client::{Settings, Verifier};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (password, token) = ("", "");
//! let verifier = Verifier::connect(Settings::new("http://localhost:8080", "orders", password))?;
//! verifier.ready().await;
//!
//! let claims = verifier.verify(token)?;
//! println!("the user {}, an editor: {}", claims.sub, claims.has_role("editor"));
//! # Ok(())
//! # }
//! ```
//!
//! The feature `actix` adds extractors for actix-web, in a module of that name, and `tower` a layer for axum and others.
//!
//! # The map
//!
//! | file | holds |
//! | --- | --- |
//! | `verifier` | [`Verifier`]: what a service asks; starts the background task |
//! | `access_token`, `claims` | whether one token is valid, and what it says |
//! | `keyring`, `keys` | the public keys; when they are fetched |
//! | `revoked`, `feed` | what is revoked; how that is learned |
//! | `login`, `api`, `backoff` | speaking with Portcullis |
//! | `error`, `problem`, `bearer` | what an HTTP answer and request look like, for `actix` and `tower` |
//! | `settings`, `health`, `clock` | what one is told, tells, and goes by |

#![forbid(unsafe_code)]

#[cfg(feature = "actix")]
pub mod actix;
#[cfg(feature = "tower")]
pub mod tower;

mod access_token;
mod api;
mod backoff;
#[cfg(any(feature = "actix", feature = "tower"))]
mod bearer;
mod claims;
mod clock;
mod error;
mod feed;
mod health;
mod keyring;
mod keys;
mod login;
#[cfg(any(feature = "actix", feature = "tower"))]
mod problem;
mod revoked;
mod settings;
mod verifier;

pub use claims::Claims;
pub use error::Error;
pub use settings::{Settings, SettingsError};
pub use verifier::Verifier;
