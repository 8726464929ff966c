//! Two replicas on a Postgres that is itself replicated: its primary dies under load, and its standby takes over.

mod switch;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

use switch::Switch;

use crate::postgres_server::Postgres;
use crate::program::PASSWORD;
use crate::service::Ask;
use crate::setting::{ADMIN, ADMIN_PASSWORD, place, stop};
use crate::trial::Trial;

/// How long nobody is primary, and how long the standby only reads.
const A_WHILE: Duration = Duration::from_millis(1500);

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
    // Replicas of one folder have one secret, and must not have one port.
    let place = place().with("DATABASE_URL", &switch.url(&primary.url())).with("PORT", "0");
    let [one, two] = [Trial::begin(&place, 3), Trial::begin(&place, 3)];
    two.calm().await;
    let before = newest_change(&primary).await;
    one.service.suffers();
    two.service.suffers();
    primary.kill();
    tokio::time::sleep(A_WHILE).await;

    // It only reads yet, and so the service can't write: it says so.
    switch.switch(standby.address());
    tokio::time::sleep(A_WHILE).await;
    for trial in [&one, &two] {
        let body = json!({ "username": "too-soon", "password": PASSWORD });
        let ask = Ask { from: "10.2.0.1", method: "POST", path: "/api/v1/register", bearer: None, body };
        assert!(trial.service.ask(&ask).await.is_none(), "a standby was written to");
    }

    standby.promote().await;
    tokio::join!(one.is_back(), two.is_back());
    two.calm().await;
    // What one has acknowledged the other knows, too.
    let (of_one, of_two) = tokio::join!(one.load.stop(), two.load.stop());
    one.service.keeps(&of_two).await;
    two.service.keeps(&of_one).await;

    // The feed goes on where it was.
    assert!(newest_change(&standby).await > before);
    let admin = one.service.session(ADMIN, ADMIN_PASSWORD).await;
    for service in [&one.service, &two.service, &one.service, &two.service] {
        assert_eq!(service.me(&admin).await.0, 200);
    }
    let logout = one.service.send("POST", "/api/v1/logout", Some(&admin.access), Value::Null).await;
    assert_eq!(logout.0, 204);
    let ended = Instant::now();
    loop {
        let asked = ended.elapsed();
        let (status, _) = two.service.me(&admin).await;
        if status == 401 {
            break;
        }
        assert!(asked < REVOKED_WITHIN, "{status} after {asked:?}");
    }

    place.run(&["audit", "verify"]).expect(0);
    stop(one.server);
    stop(two.server);
}
