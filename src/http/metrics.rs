//! `/metrics`, on a listener of its own: what is measured is not for the world.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::{self, Data};
use actix_web::{HttpResponse, HttpServer};

use super::surface;
use super::watching::{NO_ROUTE, OWN_ROUTE};
use crate::app::App;
use crate::metrics::Metrics;

/// Starts to answer `/metrics`, and nothing else, on `listener`. The returned server runs when it is awaited, and stops when its handle
/// says so: it is meant to outlive the service that it tells of.
pub fn serve_metrics(app: Arc<App>, listener: TcpListener) -> io::Result<Server> {
    let names = surface(&app).into_iter().map(|endpoint| endpoint.path);
    let routes = [NO_ROUTE, OWN_ROUTE].into_iter().chain(names).collect();
    let metrics = Data::new(Metrics::new(app, routes));
    let server = HttpServer::new(move || {
        let metrics = metrics.clone();
        actix_web::App::new()
            .app_data(metrics)
            .service(web::resource("/metrics").get(tell).head(tell))
            .default_service(web::to(HttpResponse::NotFound))
    });
    Ok(server
        .workers(1)
        .client_request_timeout(Duration::from_secs(5))
        .shutdown_timeout(1)
        .disable_signals()
        .listen(listener)?
        .run())
}

async fn tell(metrics: Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(metrics.text().await)
}
