//! The real program, in a folder and with an environment of its own: exit codes, what it says, what it leaves
//! behind.

#![cfg(unix)]

mod audit;
mod commands;
mod db;
mod doctor;
mod first_admin;
mod import;
mod keys;
mod logs;
mod mail;
mod metrics;
#[path = "../api/support/post/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the API suite needs the rest of it")]
mod post;
#[allow(dead_code, reason = "the tests of faults need the rest of it")]
mod program;
mod serving;
mod stopping;
mod tls;
mod traces;
mod usage;
mod user_commands;
mod users;
