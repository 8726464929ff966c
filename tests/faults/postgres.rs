//! Postgres that is killed, stopped or frozen.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::load::Load;
use crate::postgres_server::Postgres;
use crate::service::{Ask, Service};
use crate::setting::{ADMIN, ADMIN_PASSWORD, place, stop};

/// How long all is well before a fault and after it.
const CALM: Duration = Duration::from_secs(2);

const FROZEN: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn killed_or_stopped_it_is_missed_and_found_again() {
    let mut postgres = Postgres::start().await;
    let server = place().with("DATABASE_URL", &postgres.url()).serve(&[]);
    let service = Arc::new(Service::at(&server.url));
    let load = Load::start(&service, 6);
    for end in [Postgres::kill, Postgres::stop, Postgres::kill] {
        tokio::time::sleep(CALM).await;
        service.suffers();
        end(&mut postgres);
        tokio::time::sleep(CALM).await;
        postgres.start_again().await;
        service.is_left_alone();
        load.is_back().await;
    }
    tokio::time::sleep(CALM).await;
    service.keeps(&load.stop().await).await;
    stop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_it_keeps_nobody_waiting() {
    let postgres = Postgres::start().await;
    let server = place().with("DATABASE_URL", &postgres.url()).serve(&[]);
    let service = Arc::new(Service::at(&server.url));
    let load = Load::start(&service, 6);
    tokio::time::sleep(CALM).await;
    service.suffers();
    postgres.freeze();
    // All from one office, at one account: they take turns.
    let body = json!({ "username": ADMIN, "password": ADMIN_PASSWORD });
    let crowd = (0..20).map(|_| async {
        let ask =
            Ask { from: "10.2.0.1", method: "POST", path: "/api/v1/login", bearer: None, body: body.clone() };
        service.ask(&ask).await;
    });
    tokio::join!(join_all(crowd), tokio::time::sleep(FROZEN));
    postgres.thaw();
    service.is_left_alone();
    load.is_back().await;
    tokio::time::sleep(CALM).await;
    service.keeps(&load.stop().await).await;
    stop(server);
}
