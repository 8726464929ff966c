//! Portcullis: an authentication service, in one program.
//!
//! Register, login, access tokens (JWT), protected routes, sessions whose refresh tokens rotate, roles; on embedded
//! SQLite or on Postgres. The README tells how to run it; [`http`] tells how to protect a route of your own.
//!
//! # The map
//!
//! | room | holds |
//! | --- | --- |
//! | [`cli`] | the commands: `serve`, `migrate`, `user`, `keys`, `audit`, `usage`, `db`, `doctor`, `openapi` |
//! | [`http`] | the HTTP surface; the only room that knows actix |
//! | [`background`] | what is done beside the requests: following changes, noting uses, answering who asked for a link, sealing the audit log, sending mails, pruning |
//! | [`metrics`] | what there is to measure, as Prometheus reads it |
//! | [`accounts`] | who someone is: register, profile, address, password, recovery, delete; what an admin does of it; roles |
//! | [`sessions`] | being logged in: login, refresh, end; from a token or a key to its user |
//! | [`api_keys`] | what programs show in place of an access token |
//! | [`limits`] | who guesses waits, and who floods is told to come back later |
//! | [`usage`] | who asked how often for which service, and how often they may |
//! | [`tokens`] | access tokens, their keys, what is known of them and what changes for them; the only room that knows JWT |
//! | [`mail`] | mails, which leave through an outbox written in the transaction that they tell of |
//! | [`audit`] | what happened, in a log in which no row can be changed, removed or added unseen |
//! | [`hasher`] | password hashing, on threads of its own |
//! | [`tls`] | the certificate that the listener shows, and its key; read again when their files change |
//! | [`breaches`] | whether a password has leaked, asked of a range service |
//! | [`store`] | what is kept; the only room that knows SQL |
//! | [`app`] | [`App`](app::App): what every request shares |
//! | [`config`] | the settings |
//! | [`traces`] | which request a log line belongs to, where it comes from and goes on, and how its time was spent |
//! | [`patience`] | how long a request waits at most, whatever for |
//! | [`error`], [`clock`], [`counts`], [`id`], [`private`], [`secret`], [`telemetry`] | what all rooms may use |
//!
//! Who may know whom: `cli → http → background, metrics → accounts → sessions → api_keys → tokens, limits, mail, usage → audit → store → hasher → traces → patience, error, clock, counts, id, secret, config`.
//! Arrows go one way, and nothing imports `http` but `cli`; a test holds the rules. A handler may read from `store`;
//! every write goes through a room, so that sessions are ended and changes noted wherever they must be.

pub mod accounts;
pub mod api_keys;
pub mod app;
pub mod audit;
pub mod background;
pub mod breaches;
pub mod cli;
pub mod clock;
pub mod config;
pub mod counts;
pub mod error;
pub mod hasher;
pub mod http;
pub mod id;
pub mod limits;
pub mod mail;
pub mod metrics;
pub mod patience;
pub mod private;
pub mod secret;
pub mod sessions;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod tokens;
pub mod traces;
pub mod usage;
