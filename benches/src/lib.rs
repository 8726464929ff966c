//! What the programs here share: a small blocking HTTP client, and latencies.
//!
//! Blocking, a thread a connection: it asks a few thousand times a second at most, and a thread that sleeps until its
//! next request is due wakes within 60 µs, where an async timer is good to a millisecond.

pub mod connection;
pub mod latency;
