//! The audit log: what is in it, and that nobody changes it unseen.

mod chain;
mod events;
mod list;
mod plans;

use portcullis::audit::{Actor, Event, Verdict};
use serde_json::Value;

use super::support::{Server, Tokens};

const AUDIT: &str = "/api/v1/admin/audit";

/// The events that the query finds, newest first.
async fn events(server: &Server, admin: &Tokens, query: &str) -> Vec<Value> {
    let list = server.get(&format!("{AUDIT}?{query}")).bearer(&admin.access).expect(200).await.json();
    list["items"].as_array().unwrap().clone()
}

/// Fills the log without logins, which take longer.
async fn note(server: &Server, rows: usize) {
    let app = &server.app;
    for n in 0..rows {
        let entry = Actor::service().did(Event::LoginFailed, None).with("n", n);
        app.audit.note(&app.db, entry, app.clock.now()).await.unwrap();
    }
}

async fn seal(server: &Server) {
    // What another has begun is waited for.
    while !server.app.audit.seal(&server.app.db).await.unwrap() {
        tokio::task::yield_now().await;
    }
}

async fn verify(server: &Server) -> Verdict {
    server.app.audit.verify(&server.app.db).await.unwrap()
}
