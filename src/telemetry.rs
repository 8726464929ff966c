//! Logs: to standard error, as text for people or JSON for programs.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use crate::config::{Config, LogFormat};

/// Starts to log, for the rest of the process.
pub fn start(config: &Config) {
    // What these log in detail is the bytes on the wire, passwords and tokens among them, and what actix logs as an
    // error is a client's broken request. They are held down whatever RUST_LOG says.
    let held_down = Targets::new()
        .with_default(LevelFilter::TRACE)
        .with_target("actix_http", LevelFilter::OFF)
        .with_targets(["actix_server", "mio", "rustls", "sqlx"].map(|name| (name, LevelFilter::WARN)))
        // Warns of parameters of DATABASE_URL that it does not know, and quotes their values: `sslpassword=…`, say.
        .with_target("sqlx_postgres::options", LevelFilter::ERROR);
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr);
    let lines = match config.log_format {
        LogFormat::Text => lines.with_ansi(stderr().is_terminal()).with_target(false).boxed(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
        }
    };
    // Before all, not on the lines alone: there, to ask whether something would be logged (as sqlx does) can swallow what is logged
    // next on that thread.
    tracing_subscriber::registry().with(EnvFilter::new(&config.rust_log)).with(held_down).with(lines).init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, "panicked: {message}");
    }));
}
