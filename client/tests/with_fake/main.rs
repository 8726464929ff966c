//! The client against a Portcullis that does what a test tells it to.

mod extractor;
mod fake;
mod following;
mod keys;
mod layer;
mod login;
mod secrets;
mod signer;
mod silence;
mod tokens;
