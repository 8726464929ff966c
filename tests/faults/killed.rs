//! The service itself, killed and started again on the same database.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use sqlx::{Connection, SqliteConnection};

use crate::load::Load;
use crate::postgres_server::Postgres;
use crate::program::Place;
use crate::service::Service;
use crate::setting::{place, stop};

async fn is_killed_and_keeps_its_word(place: &Place) {
    let mut server = place.serve(&[]);
    let service = Arc::new(Service::at(&server.url));
    let load = Load::start(&service, 6);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        service.dies();
        server.running.signal(Signal::KILL);
        let done = server.running.done();
        assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
        server = place.serve(&[]);
        service.is_left_alone();
        load.is_back().await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    service.keeps(&load.stop().await).await;
    stop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_all_that_was_acknowledged_is_there() {
    let place = place();
    is_killed_and_keeps_its_word(&place).await;
    is_sound(&place.path("data/portcullis.db")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgres_all_that_was_acknowledged_is_there() {
    let postgres = Postgres::start().await;
    is_killed_and_keeps_its_word(&place().with("DATABASE_URL", &postgres.url())).await;
}

/// Demands that SQLite finds nothing wrong with this file.
pub async fn is_sound(file: &std::path::Path) {
    let mut line = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let (verdict,): (String,) = sqlx::query_as("pragma integrity_check").fetch_one(&mut line).await.unwrap();
    assert_eq!(verdict, "ok");
    let strays = sqlx::query("pragma foreign_key_check").fetch_all(&mut line).await.unwrap();
    assert_eq!(strays.len(), 0, "rows refer to what is not there");
    line.close().await.unwrap();
}
