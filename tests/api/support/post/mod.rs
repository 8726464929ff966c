//! What mails are sent to, and what they are when they arrive.

mod received;
#[allow(dead_code, reason = "the suite of the command line needs the rest of it")]
pub mod smtp;

pub use received::Received;
pub use smtp::{Manner, SmtpServer};
