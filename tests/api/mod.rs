//! The API suite: a real server on a free port, real requests, a clock that tests advance. The modules mirror the
//! server's own; each runs on both databases.

pub mod support;

mod accounts;
mod admin;
mod api_keys;
mod audit;
mod bodies;
mod breaches;
mod compat;
mod copies;
mod doctor;
mod envelope;
mod feed;
mod forward_auth;
mod keys;
mod limits;
mod login;
mod mail;
mod oauth;
mod operations;
mod passwords;
mod pruning;
mod quotas;
mod refresh;
mod replicas;
mod revocations;
mod rights;
mod routes;
mod session_cache;
mod sessions;
mod tokens;
mod upgrades;
mod usage;
