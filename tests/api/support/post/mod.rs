//! What mails are sent to, and what they are when they arrive.

mod received;
mod smtp;

pub use received::Received;
pub use smtp::{Encryption, Manner, SmtpServer};
