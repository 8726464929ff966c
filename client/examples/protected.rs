//! A service of one's own, with a route that greets who shows a valid access token of Portcullis.
//!
//! ```sh
//! INTROSPECT_LOGIN=orders INTROSPECT_PASSWORD=… cargo run -p portcullis-client --example protected --features actix
//! ```

use std::process::ExitCode;
use std::time::Duration;

use actix_web::{App, HttpServer, web};
use portcullis_client::actix::Authenticated;
use portcullis_client::{Settings, Verifier};

/// The access rule stands in the signature: without a valid token this does not run.
async fn greet(user: Authenticated) -> String {
    format!("Hello, {}!\n", user.sub)
}

/// What a load balancer asks: while it is a 503, all tokens are refused.
async fn ready(verifier: web::Data<Verifier>) -> Result<&'static str, actix_web::Error> {
    let sorry = || actix_web::error::ErrorServiceUnavailable(verifier.problem().unwrap_or_default());
    verifier.is_ready().then_some("ready\n").ok_or_else(sorry)
}

pub fn routes(routes: &mut web::ServiceConfig) {
    routes.route("/greet", web::get().to(greet)).route("/ready", web::get().to(ready));
}

#[allow(clippy::disallowed_methods, reason = "an example's settings are few, and all read here")]
fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[actix_web::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("protected: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::new(
        setting("PORTCULLIS_URL", "http://localhost:8080"),
        setting("INTROSPECT_LOGIN", "orders"),
        setting("INTROSPECT_PASSWORD", ""),
    );
    let verifier = web::Data::new(Verifier::connect(settings)?);
    if tokio::time::timeout(Duration::from_secs(10), verifier.ready()).await.is_err() {
        eprintln!("protected: not ready yet: {}", verifier.problem().unwrap_or_default());
    }
    let server = HttpServer::new(move || App::new().app_data(verifier.clone()).configure(routes));
    let bind = setting("BIND", "127.0.0.1:8000");
    println!("http://{bind}/greet");
    Ok(server.bind(bind)?.run().await?)
}
