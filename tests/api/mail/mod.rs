//! Mails: what is in them, and that they get there.

mod letters;
mod office;
mod outbox;
