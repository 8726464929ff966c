//! What goes wrong in real life, under load: the real program, on a real Postgres of its own or on SQLite.
//!
//! In each case every write that was acknowledged is there afterwards; what fails is told as the contract has it, within
//! 5 seconds (or, where the process is dead, by a line that is refused or cut); and within 10 seconds of the fault's end all
//! goes on, with nobody's help. `load.rs` has the clients, who keep what they were told; `service.rs` judges each answer as it
//! comes; `check.rs` holds against the service what the clients keep.

#![cfg(target_os = "linux")]

mod check;
mod clock;
mod disk;
mod failover;
mod half_open;
mod killed;
mod line;
mod load;
mod postgres;
mod postgres_server;
#[path = "../cli/program.rs"]
#[allow(dead_code, reason = "the suite of the command line needs the rest of it")]
mod program;
#[path = "../api/support/proxy.rs"]
#[allow(dead_code, reason = "the API suite needs the rest of it")]
mod proxy;
mod service;
mod setting;
mod told;
mod trial;
