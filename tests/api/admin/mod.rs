//! `/api/v1/admin`: users, their sessions, roles.

mod changes;
mod first;
mod last_admin;
mod made;
mod names;
mod roles;
mod search;
mod sessions;
mod users;

use serde_json::Value;

use super::support::{Server, Tokens};

pub const USERS: &str = "/api/v1/admin/users";

pub async fn id_of(server: &Server, tokens: &Tokens) -> String {
    let me = server.get("/api/v1/me").bearer(&tokens.access).expect(200).await.json();
    me["id"].as_str().unwrap().to_owned()
}

/// Changes a user.
async fn change(server: &Server, admin: &Tokens, id: &str, changes: Value) -> Value {
    server.patch(&format!("{USERS}/{id}")).bearer(&admin.access).json(changes).expect(200).await.json()
}

/// The names and details of what happened to a user, the oldest first.
async fn history(server: &Server, admin: &Tokens, id: &str) -> Vec<(String, Value)> {
    let path = format!("/api/v1/admin/audit?user={id}&limit=200");
    let list = server.get(&path).bearer(&admin.access).expect(200).await.json();
    let items = list["items"].as_array().unwrap().iter().rev();
    items.map(|event| (event["event"].as_str().unwrap().to_owned(), event["details"].clone())).collect()
}
