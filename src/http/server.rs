//! Serving: the listener, the layers around every route, what a client may take its time over.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use actix_cors::Cors;
use actix_web::dev::Server;
use actix_web::middleware::{Condition, from_fn};
use actix_web::web::{self, Data};
use actix_web::{HttpMessage, HttpRequest, HttpServer};

use super::watching::{Counted, Nowhere, Watching};
use super::{Routes, compat, envelope, forward_auth, listener as socket, surface};
use crate::app::App;
use crate::background;
use crate::error::Error;
use crate::tls::Tls;

/// By which a server is stopped; actix's own.
pub use actix_web::dev::ServerHandle;

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a client may take over the handshake of TLS.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Handshakes at once, in each worker: as many as connections (actix's own bound), so that a few hundred clients that never
/// finish theirs don't keep all others waiting.
const HANDSHAKES: usize = 25_000;

/// How long an idle connection is kept: longer than the usual proxy keeps its end, so that it never sends into a
/// connection that is being closed.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a connection may take to end once its last answer is sent, as where a body was not read. actix reckons from a time that it
/// looked at up to half a second ago, and a busy worker later; an end that has passed by then it never notices, and keeps the
/// connection.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long requests in flight may take once the service has been told to stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(30);

/// Starts to serve on `listener`, with routes of one's own beside the service's, and what is done [in the
/// background](crate::background). The returned server runs when it is awaited, and stops, letting requests in flight
/// end, when its handle says so.
pub fn serve(
    app: Arc<App>,
    listener: TcpListener,
    own_routes: impl Fn(&mut Routes) + Clone + Send + 'static,
) -> io::Result<Server> {
    socket::prepare(&listener)?;
    background::start(&app);
    let tls = app.tls.as_ref().map(Tls::server_config);
    let app = Data::from(app);
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(app.clone())
            .configure(|routes| {
                let watching = Watching::of(&app);
                for (place, endpoint) in surface(&app).into_iter().enumerate() {
                    routes.service(match &watching {
                        Some(_) => endpoint.resource.app_data(Counted::at(place)),
                        None => endpoint.resource,
                    });
                }
                if let Some(watching) = watching {
                    routes.app_data(watching);
                }
            })
            .configure(own_routes.clone())
            .default_service(web::to(not_found))
            .wrap(cors(&app))
            .wrap(Condition::new(!app.config.cors_origins.is_empty(), from_fn(forward_auth::without_origin)))
            .wrap(from_fn(envelope))
    });
    let server = server
        .workers(thread::available_parallelism().map_or(1, |cores| cores.get()))
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(DISCONNECT_TIMEOUT)
        .tls_handshake_timeout(HANDSHAKE_TIMEOUT)
        .max_connection_rate(HANDSHAKES)
        .keep_alive(KEEP_ALIVE)
        .shutdown_timeout(SHUTDOWN_TIMEOUT.as_secs())
        .disable_signals();
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls)?,
        None => server.listen(listener)?,
    };
    Ok(server.run())
}

async fn not_found(request: HttpRequest) -> Result<&'static str, Error> {
    request.extensions_mut().insert(Nowhere);
    Err(Error::NotFound)
}

/// Lets pages of the listed origins call from a browser. Cookies play no part, so credentials are not allowed.
fn cors(app: &App) -> Condition<Cors> {
    let origins = &app.config.cors_origins;
    let cors = Cors::default()
        .block_on_origin_mismatch(false)
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers(["authorization", "content-type", "if-none-match", "x-request-id"])
        .expose_headers([
            "etag",
            "location",
            "ratelimit",
            "ratelimit-policy",
            "retry-after",
            "www-authenticate",
            "x-request-id",
        ])
        .max_age(3600);
    let cors = if app.config.compat_routes { cors.allowed_header(compat::TOKEN) } else { cors };
    let cors = origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin));
    Condition::new(!origins.is_empty(), cors)
}
