//! `/api/v1/register` and `/api/v1/me`.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::json;

use crate::api::support::{PASSWORD, Server};

#[actix_web::test]
async fn a_user_registers_and_reads_itself() {
    let server = Server::start().await;
    let body = json!({ "username": "Ada.L", "email": "Ada@Example.com", "password": PASSWORD, "display_name": "Ada" });
    let created = server.post("/api/v1/register").json(body).expect(201).await;
    assert_eq!(created.header("location"), "/api/v1/me");
    assert_eq!(created.header("cache-control"), "no-store");
    let user = created.json();
    assert_eq!(user["username"], "Ada.L");
    assert_eq!(user["email"], "Ada@Example.com");
    assert_eq!(user["display_name"], "Ada");
    assert_eq!(user["roles"], json!([]));
    assert_eq!((&user["email_verified"], &user["disabled"]), (&json!(false), &json!(false)));
    assert_eq!(user["last_login_at"], json!(null));
    assert_eq!(user["created_at"], user["updated_at"]);

    let tokens = server.login("ada.l").await;
    let me = server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
    assert_eq!(me.json()["id"], user["id"]);
    assert_ne!(me.json()["last_login_at"], json!(null));
    assert!(!created.text.contains("hash") && !me.text.contains("$2b$"));
}

#[actix_web::test]
async fn fifty_registrations_of_one_name_make_one_user() {
    let server = Server::start().await;
    let register = |n: usize| {
        let name = if n.is_multiple_of(2) { "ada" } else { "ADA" };
        server.post("/api/v1/register").json(json!({ "username": name, "password": PASSWORD })).send()
    };
    let answers = join_all((0..50).map(register)).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let codes: HashSet<_> =
        answers.iter().filter(|a| a.status != 201).map(|a| a.json()["code"].to_string()).collect();
    assert_eq!(created, 1);
    assert_eq!(codes, HashSet::from(["\"username_taken\"".to_owned()]));
}
