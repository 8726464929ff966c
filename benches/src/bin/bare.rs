//! A bare actix-web route, which sends as many bytes as the service's: alone, or through the service's own middleware.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use actix_web::http::header::ContentType;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpResponse, HttpServer, web};
use clap::Parser;
use portcullis::{cli, http, telemetry};

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    port: u16,
    /// The length of the body, JSON, at least 11.
    #[arg(long)]
    bytes: usize,
    /// Through the middleware that the service has around every response.
    #[arg(long)]
    middleware: bool,
}

/// The server's settings are those of `portcullis::http::serve`.
macro_rules! serve {
    ($port:expr, $app:expr) => {
        HttpServer::new($app)
            .workers(thread::available_parallelism().map_or(1, |cores| cores.get()))
            .client_request_timeout(Duration::from_secs(5))
            .keep_alive(Duration::from_secs(75))
            .bind(("127.0.0.1", $port))?
            .run()
            .await
    };
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    // The middleware writes to the log; what becomes of that is set as it is for the service, by RUST_LOG.
    let config = cli::config_from(["bare"], std::env::vars_os()).map_err(|problems| {
        anyhow::anyhow!("{}", problems.iter().map(ToString::to_string).collect::<String>())
    })?;
    telemetry::start(&config);
    http::block_on(run(arguments))?;
    Ok(ExitCode::SUCCESS)
}

async fn run(arguments: Arguments) -> std::io::Result<()> {
    let padding = arguments.bytes.saturating_sub(r#"{"bare":""}"#.len());
    let body = web::Bytes::from(format!(r#"{{"bare":"{}"}}"#, "x".repeat(padding)));
    let route = move || {
        let body = body.clone();
        web::get().to(move || {
            let body = body.clone();
            async move { HttpResponse::Ok().content_type(ContentType::json()).body(body) }
        })
    };
    if arguments.middleware {
        serve!(arguments.port, move || { App::new().route("/bare", route()).wrap(from_fn(http::envelope)) })
    } else {
        serve!(arguments.port, move || App::new().route("/bare", route()))
    }
}
