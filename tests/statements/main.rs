//! How many SQL statements a request makes: none, for a token that was seen before.

#[path = "../api/support/database.rs"]
mod database;

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use portcullis::accounts;
use portcullis::app::App;
use portcullis::audit::Actor;
use portcullis::clock::Clock;
use portcullis::store::Executor;
use portcullis::store::quotas::Per;
use portcullis::{cli, http};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use database::{Database, Scratch};

static STATEMENTS: AtomicUsize = AtomicUsize::new(0);

/// Counts what sqlx tells of each statement, but not those by which a replica follows the changes, writes the usage down, seals
/// the audit log, sends mails and looks for who asked for a link.
struct Count;

impl<S: Subscriber> Layer<S> for Count {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sqlx::query" {
            let mut counted = Counted(true);
            event.record(&mut counted);
            STATEMENTS.fetch_add(usize::from(counted.0), SeqCst);
        }
    }
}

struct Counted(bool);

impl Visit for Counted {
    fn record_debug(&mut self, _: &Field, value: &dyn std::fmt::Debug) {
        let text = format!("{value:?}");
        let beside = [
            "newest_change",
            "into usage",
            "set taken = taken -",
            "from changes",
            "audit_head",
            "where seq is null",
            "update audit_events",
            "from mails",
            "from link_requests",
        ];
        self.0 &= !beside.iter().any(|words| text.contains(words));
    }
}

#[actix_web::test]
async fn the_second_request_with_a_token_makes_none() {
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Count)).unwrap();
    for database in [Database::Sqlite, Database::Postgres] {
        let scratch = Scratch::new(database).await;
        let url = format!("--database-url={}", scratch.url());
        let arguments =
            ["portcullis", &url, "--bcrypt-cost=4", "--secret-key=test-key-not-secret-0123456789ab"];
        let config = cli::config_from(arguments, []).expect("sound settings");
        let app = Arc::new(App::start(config, Clock::system()).await.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = format!("http://{}/api/v1", listener.local_addr().unwrap());
        let server = http::serve(app.clone(), listener, |_| {}).unwrap();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        while !app.changes.are_followed() {
            tokio::task::yield_now().await;
        }

        let client = reqwest::Client::new();
        let account = json!({ "username": "ada", "password": "tidal-lantern-mosaic-42" });
        let register = client.post(format!("{service}/register")).json(&account).send().await.unwrap();
        assert_eq!(register.status(), 201);
        let login = client.post(format!("{service}/login")).json(&account).send().await.unwrap();
        let token = login.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned();
        let made_by_asking = async |token: &str| {
            // On a machine that is busy elsewhere the feed may come too late for a moment.
            while !app.changes.are_followed() {
                tokio::task::yield_now().await;
            }
            let before = STATEMENTS.load(SeqCst);
            let me = client.get(format!("{service}/me")).bearer_auth(token).send().await.unwrap();
            assert_eq!(me.status(), 200);
            STATEMENTS.load(SeqCst) - before
        };
        // Session and user in one; and the note that the token arrived.
        assert_eq!(made_by_asking(&token).await, 2, "{database:?}");
        for _ in 0..20 {
            assert_eq!(made_by_asking(&token).await, 0, "{database:?}");
        }

        let made = client.post(format!("{service}/me/keys")).bearer_auth(&token);
        let made = made.json(&json!({ "name": "k" })).send().await.unwrap().json::<Value>().await.unwrap();
        let key = made["key"].as_str().unwrap();
        // Whose the key is; key and user in one; and the note of its use.
        assert_eq!(made_by_asking(key).await, 3, "{database:?}");
        for _ in 0..20 {
            assert_eq!(made_by_asking(key).await, 0, "{database:?}");
        }

        let me = client.get(format!("{service}/me")).bearer_auth(&token).send().await.unwrap();
        let id = me.json::<Value>().await.unwrap()["id"].as_str().unwrap().parse().unwrap();
        accounts::set_quota(&app, id, 1_000_000, Per::Day, &Actor::service()).await.unwrap();
        // What was known is dropped once more when the replica reads of its own change.
        let (newest,): (i64,) =
            Executor::query(&app.db, "select seq from newest_change").fetch_one().await.unwrap();
        app.changes.seen().wait_for(|seen| *seen >= newest).await.unwrap();
        // Session, user and quota in one; and a part of the quota.
        assert_eq!(made_by_asking(&token).await, 2, "{database:?}");
        for _ in 0..20 {
            assert_eq!(made_by_asking(&token).await, 0, "{database:?}");
        }
        handle.stop(false).await;
    }
}
