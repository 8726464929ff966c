//! What the suite stands on.

mod contract;
mod database;
mod mailbox;
mod plans;
mod post;
#[allow(dead_code, reason = "the tests of faults need the rest of it")]
mod proxy;
mod raw;
mod request;
mod server;

pub use contract::documented_routes;
pub use database::{Database, Scratch};
pub use plans::{id, plans};
pub use post::{Manner, SmtpServer};
pub use proxy::Proxy;
pub use raw::Begun;
pub use request::Answer;
pub use server::{PASSWORD, Server, Tokens};
