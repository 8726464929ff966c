//! Postgres that is killed, stopped or frozen.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::postgres_server::Postgres;
use crate::service::Ask;
use crate::setting::{ADMIN, ADMIN_PASSWORD, place};
use crate::trial::Trial;

/// How long it is not there.
const AWAY: Duration = Duration::from_secs(2);

const FROZEN: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn killed_or_stopped_it_is_missed_and_found_again() {
    let mut postgres = Postgres::start().await;
    let place = place().with("DATABASE_URL", &postgres.url());
    let trial = Trial::begin(&place, 6);
    for end in [Postgres::kill, Postgres::stop, Postgres::kill] {
        trial.calm().await;
        trial.service.suffers();
        end(&mut postgres);
        tokio::time::sleep(AWAY).await;
        postgres.start_again().await;
        trial.is_back().await;
    }
    trial.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_it_keeps_nobody_waiting() {
    let postgres = Postgres::start().await;
    let place = place().with("DATABASE_URL", &postgres.url());
    let trial = Trial::begin(&place, 6);
    trial.calm().await;
    trial.service.suffers();
    postgres.freeze();
    // All from one office, at one account: they take turns.
    let body = json!({ "username": ADMIN, "password": ADMIN_PASSWORD });
    let crowd = (0..20).map(|_| async {
        let ask =
            Ask { from: "10.2.0.1", method: "POST", path: "/api/v1/login", bearer: None, body: body.clone() };
        trial.service.ask(&ask).await;
    });
    tokio::join!(join_all(crowd), tokio::time::sleep(FROZEN));
    postgres.thaw();
    trial.is_back().await;
    trial.ends().await;
}
