//! Two replicas on a Postgres that is itself replicated: its primary dies under load, and its standby takes over.

mod load;
mod switch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::{Connection, PgConnection};

use load::{Client, text};
use switch::Switch;

use crate::postgres_server::Postgres;
use crate::program::{self, Place};

/// How long all is well before the fault and after it, and how long nobody is primary.
const A_WHILE: Duration = Duration::from_millis(1500);

/// Within which the service is back when the database is.
const BACK_WITHIN: Duration = Duration::from_secs(10);

/// Within which a logout holds on the other replica.
const REVOKED_WITHIN: Duration = Duration::from_secs(1);

/// The place of the newest change in the feed.
async fn newest_change(postgres: &Postgres) -> i64 {
    let mut connection = PgConnection::connect(&postgres.url()).await.unwrap();
    sqlx::query_scalar("select seq from newest_change").fetch_one(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_outlives_the_primary_and_the_service_finds_the_standby() {
    let mut primary = Postgres::start().await;
    let standby = primary.standby().await;
    let switch = Switch::to(primary.address()).await;
    let place = Place::quick()
        .with("DATABASE_URL", &switch.url(&primary.url()))
        .with("SECRET_KEY", "known to this test alone, and no secret")
        .with("RATE_LIMIT", "false");
    let servers = [place.serve(&[]), place.serve(&[])];
    let clients = [Client::of(&servers[0].url), Client::of(&servers[1].url)];

    let over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4).map(|n| clients[n % 2].write(format!("writer-{n}"), &over)).collect();
    tokio::time::sleep(A_WHILE).await;
    let before = newest_change(&primary).await;
    let trouble = |is: bool| clients.iter().for_each(|client| client.in_trouble.store(is, SeqCst));
    trouble(true);
    primary.kill();
    tokio::time::sleep(A_WHILE).await;

    // It only reads yet, and so the service can't write: it says so.
    switch.switch(standby.address());
    tokio::time::sleep(A_WHILE).await;
    for client in &clients {
        let body = json!({ "username": "too-soon", "password": program::PASSWORD });
        assert!(
            client.ask("POST", "/api/v1/register", None, body).await.is_none(),
            "a standby was written to"
        );
    }

    standby.promote().await;
    let promoted = Instant::now();
    for client in &clients {
        client.is_back("writer-0-0", promoted).await;
    }
    // Connections that broke are found out one by one, each by the request that meets it.
    tokio::time::sleep(BACK_WITHIN.saturating_sub(promoted.elapsed()).min(A_WHILE)).await;
    trouble(false);
    tokio::time::sleep(A_WHILE).await;
    over.store(true, SeqCst);

    let (mut users, mut logged_out) = (0, 0);
    for writer in writers {
        let acknowledged = writer.await.unwrap();
        users += acknowledged.users.len();
        logged_out += acknowledged.logged_out.len();
        for user in &acknowledged.users {
            clients[0].login(user).await.unwrap();
        }
        for (token, client) in acknowledged.logged_out.iter().zip(clients.iter().cycle()) {
            let refusal = client.expect(401, "GET", "/api/v1/me", Some(token), json!({})).await.unwrap();
            assert_eq!(refusal["code"], "revoked_token");
        }
        for token in &acknowledged.refresh_tokens {
            clients[1].refresh(token).await.unwrap();
        }
    }
    assert!(users > 8 && logged_out > 8, "only {users} users were made, and {logged_out} logged out");

    // The feed goes on where it was.
    assert!(newest_change(&standby).await > before);
    let access = text(&clients[0].login("writer-0-0").await.unwrap(), "access_token");
    for client in clients.iter().chain(&clients) {
        client.expect(200, "GET", "/api/v1/me", Some(&access), json!({})).await.unwrap();
    }
    clients[0].expect(204, "POST", "/api/v1/logout", Some(&access), json!({})).await.unwrap();
    let made = Instant::now();
    loop {
        let asked = made.elapsed();
        let (status, _) = clients[1].ask("GET", "/api/v1/me", Some(&access), json!({})).await.unwrap();
        if status == 401 {
            break;
        }
        assert!(asked < REVOKED_WITHIN, "{status} after {asked:?}");
    }

    place.run(&["audit", "verify"]).expect(0);
    for server in servers {
        server.stop().expect(0);
    }
    let asked = |client: &Client| (client.done.load(SeqCst), client.unavailable.load(SeqCst));
    println!(
        "{users} users, {logged_out} logouts; answered and unavailable: {:?}",
        clients.each_ref().map(|client| asked(client))
    );
}
