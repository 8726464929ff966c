//! The line to Postgres: cut in the middle of statements, slow, or lost.

use std::time::Duration;

use crate::postgres_server::Postgres;
use crate::proxy::Proxy;
use crate::service::Service;
use crate::setting::place;
use crate::trial::Trial;

/// Of each packet, in both directions: a statement takes 400 ms and more, a login of a dozen of them several seconds.
const SLOW: Duration = Duration::from_millis(200);

/// What happens to the line, for how long, and how often.
async fn survives(clients: usize, times: usize, lasts: Duration, happens: impl Fn(&Proxy, &Service)) {
    let postgres = Postgres::start().await;
    let (proxy, url) = Proxy::before(&postgres.url()).await;
    let place = place().with("DATABASE_URL", &url);
    let trial = Trial::begin(&place, clients);
    for _ in 0..times {
        trial.calm().await;
        happens(&proxy, &trial.service);
        tokio::time::sleep(lasts).await;
        proxy.mend();
        trial.is_back().await;
    }
    trial.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_again_and_again() {
    let cut = |proxy: &Proxy, service: &Service| {
        service.suffers();
        proxy.cut();
    };
    survives(6, 4, Duration::from_millis(300), cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow() {
    let slow_down = |proxy: &Proxy, service: &Service| {
        service.is_slow();
        proxy.slow_down(SLOW);
    };
    survives(3, 1, Duration::from_secs(15), slow_down).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost() {
    let lose = |proxy: &Proxy, service: &Service| {
        service.suffers();
        proxy.lose();
    };
    survives(6, 2, Duration::from_secs(6), lose).await;
}
