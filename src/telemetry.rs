//! Logs: to standard error, as text for people or JSON for programs. Each line that is written while a request is worked on says
//! which.

use std::fmt;
use std::io::{IsTerminal, stderr};

use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;

use crate::config::{Config, LogFormat};
use crate::traces::{self, Present};

/// Starts to log, for the rest of the process.
pub fn start(config: &Config) {
    // What these log in detail is the bytes on the wire, passwords and tokens among them, and what actix logs as an
    // error is a client's broken request. They are held down whatever RUST_LOG says.
    let held_down = Targets::new()
        .with_default(LevelFilter::TRACE)
        .with_target("actix_http", LevelFilter::OFF)
        .with_targets(["actix_server", "mio", "rustls", "sqlx"].map(|name| (name, LevelFilter::WARN)))
        // Warn of each connection that broke or was waited for: that the database is away is told once, by the store.
        .with_targets(["sqlx_core::pool", "sqlx::pool"].map(|name| (name, LevelFilter::ERROR)))
        // Warns of parameters of DATABASE_URL that it does not know, and quotes their values: `sslpassword=…`, say.
        .with_target("sqlx_postgres::options", LevelFilter::ERROR);
    // Before all, not on the lines alone: there, to ask whether something would be logged (as sqlx does) can swallow what is logged
    // next on that thread.
    tracing_subscriber::registry()
        .with(EnvFilter::new(&config.rust_log))
        .with(held_down)
        .with(lines(config.log_format))
        .init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        tracing::error!(place, "panicked: {message}");
    }));
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr);
    match format {
        LogFormat::Text => {
            let is_terminal = stderr().is_terminal();
            // The format's own, since it is not told by whom it is called.
            let format = tracing_subscriber::fmt::format().with_target(false).with_ansi(is_terminal);
            lines.with_ansi(is_terminal).event_format(OfRequest { format, write: as_text }).boxed()
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
            lines.map_event_format(|format| OfRequest { format, write: as_json }).boxed()
        }
    }
}

/// Tells programs that read the log why the service could not start or go on, however little is logged otherwise.
pub fn tell_failure_as_json(why: &str) {
    let unfiltered = tracing_subscriber::registry().with(lines(LogFormat::Json));
    tracing::subscriber::with_default(
        unfiltered,
        || tracing::error!(target: "portcullis::cli::serve", "{why}"),
    );
}

/// A format whose lines say at their end to which request they belong. Its ids are not fields of each event: what writes a line, deep
/// in some room, does not know of requests.
struct OfRequest<F> {
    format: F,
    /// Writes a line that was formatted.
    write: fn(&mut Writer<'_>, &str, &Present) -> fmt::Result,
}

impl<S, N, F> FormatEvent<S, N> for OfRequest<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let written = traces::present(|request| {
            let mut line = String::new();
            self.format.format_event(context, Writer::new(&mut line), event)?;
            (self.write)(&mut writer, line.trim_end(), request)
        });
        match written {
            Some(written) => written,
            None => self.format.format_event(context, writer, event),
        }
    }
}

fn as_text(writer: &mut Writer<'_>, line: &str, request: &Present) -> fmt::Result {
    writeln!(writer, "{line} request_id={}", request.request_id)
}

/// No id has a character that JSON would want escaped.
fn as_json(writer: &mut Writer<'_>, line: &str, request: &Present) -> fmt::Result {
    let Some(fields) = line.strip_suffix('}') else { return writeln!(writer, "{line}") };
    let (id, trace, span) = (&request.request_id, request.trace_id(), request.span_id());
    writeln!(writer, r#"{fields},"request_id":"{id}","trace_id":"{trace}","span_id":"{span}"}}"#)
}
