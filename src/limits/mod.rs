//! Limits: who guesses at passwords waits, and who floods is told to come back later.
//!
//! # Guessing
//!
//! Wrong passwords are counted in the database, so that replicas agree, three times: for the account and the network
//! together, for the account, and for the network. A network is an IPv4 address, or the /64 of an IPv6 one. Each
//! count has so many failures free; beyond, the wait doubles with each, from 1 second to 15 minutes.
//!
//! *A lock is no weapon.* Who guesses at someone's account from elsewhere raises two counts that the owner can feel: none
//! of the owner's own network, and the account's, which holds against networks alone from which the account never logged in.
//! The owner, on a network that is known, waits for their own mistakes only.
//!
//! *Nothing is told.* It is asked before the account is looked up, by the name that was typed: an unknown name waits as a known
//! one does. During a wait the right password is refused as the wrong one is, without being looked at.
//!
//! *Many at once are no way around.* Of one account and network, a few are tried at a time, and the next ones when it is
//! known what became of those.
//!
//! # Flooding
//!
//! Requests that cost much, or that a stranger may send, are limited by network, in the memory of each replica.
//!
//! # Mails
//!
//! Those that anyone can have sent are counted in the database, by the address that they go to: accounts are had for nothing.

mod addresses;
mod guesses;
mod mails;
mod network;
mod turns;

pub use addresses::{Addresses, Limit, Standing};
pub use guesses::{Guess, Guessing, Subject};
pub use mails::ONE_MORE_AFTER;
pub use network::Network;
