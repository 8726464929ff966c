//! Logs: to standard error, as text for people or JSON for programs.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// What these crates log at `debug` and `trace` is the bytes on the wire, passwords and tokens among them. They stay
/// at `info`, whatever `RUST_LOG` says.
const NEVER_VERBOSE: [&str; 4] = ["actix_http", "sqlx", "mio", "rustls"];

/// Starts to log, for the rest of the process.
pub fn start(config: &Config) {
    let filter = NEVER_VERBOSE.iter().fold(EnvFilter::new(&config.rust_log), |filter, name| {
        let quieter =
            [tracing::Level::WARN, tracing::Level::ERROR].map(|level| level.to_string().to_lowercase());
        let asked_less = quieter.contains(&config.rust_log.to_lowercase());
        let level = if asked_less { &config.rust_log } else { "info" };
        filter.add_directive(format!("{name}={level}").parse().expect("a crate's name and a level"))
    });
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_target(false);
    match config.log_format {
        LogFormat::Text => logs.with_ansi(stderr().is_terminal()).init(),
        LogFormat::Json => {
            logs.json().flatten_event(true).with_current_span(false).with_span_list(false).init()
        }
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, "panicked: {message}");
    }));
}
