//! What is kept: the only room that knows SQL.
//!
//! A file a table, its row struct beside its queries. Functions take `&Db` or `&mut Tx` through [`Executor`], bind
//! every time from the clock, and decide nothing: what a change means, and which rows change together, is for the
//! rooms above.

pub mod api_keys;
pub mod audit;
pub mod backlog;
pub mod backup;
pub mod changes;
mod connect;
pub mod copy;
mod db;
mod failure;
mod feed;
pub mod guesses;
mod held;
mod lanes;
pub mod link_requests;
pub mod links;
pub mod look;
pub mod mails;
pub mod migrations;
mod open;
mod outage;
mod pool;
pub mod quotas;
pub mod roles;
pub mod schedule;
pub mod secret_fingerprint;
pub mod sessions;
pub mod signing_keys;
pub mod usage;
pub mod users;

pub use db::{Db, Executor, Query, Tx};
pub use feed::Feed;
pub use open::Connections;
pub use outage::Outage;
pub use pool::Pool;
