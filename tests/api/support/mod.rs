//! What the suite stands on.

mod contract;
mod database;
mod mail;
mod proxy;
mod request;
mod server;
mod smtp;

pub use contract::documented_routes;
pub use database::Database;
pub use mail::Received;
pub use proxy::Proxy;
pub use request::Answer;
pub use server::{PASSWORD, Server, Tokens};
pub use smtp::{Manner, SmtpServer};
