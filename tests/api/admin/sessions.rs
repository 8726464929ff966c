//! `/api/v1/admin/users/{id}/sessions`.

use serde_json::{Value, json};

use super::{USERS, history, id_of};
use crate::api::support::{Server, Tokens};

async fn list(server: &Server, admin: &Tokens, id: &str, query: &str) -> Value {
    let path = format!("{USERS}/{id}/sessions?{query}");
    server.get(&path).bearer(&admin.access).expect(200).await.json()
}

#[actix_web::test]
async fn a_users_sessions_are_listed_as_the_user_sees_them() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin("root").await, server.user("ada").await);
    server.login("ada").await;
    let id = id_of(&server, &ada).await;
    let mut own = server.get("/api/v1/me/sessions").bearer(&ada.access).expect(200).await.json();
    for session in own["items"].as_array_mut().unwrap() {
        session["current"] = json!(false);
    }
    assert_eq!(list(&server, &admin, &id, "").await, own);
    let first = list(&server, &admin, &id, "limit=1").await;
    assert_eq!(first["items"], json!([own["items"][0]]));
    let rest =
        list(&server, &admin, &id, &format!("cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!((&rest["items"], &rest["next_cursor"]), (&json!([own["items"][1]]), &json!(null)));

    // The admin's own is the one that asks.
    let other = server.login("root").await;
    let root = id_of(&server, &admin).await;
    let current = |list: Value| -> Vec<bool> {
        list["items"].as_array().unwrap().iter().map(|session| session["current"] == true).collect()
    };
    assert_eq!(current(list(&server, &admin, &root, "").await), [false, true]);
    assert_eq!(current(list(&server, &other, &root, "").await), [true, false]);
    // A key has none.
    let made = server.post("/api/v1/me/keys").bearer(&admin.access).json(json!({ "name": "k" }));
    let made = made.expect(201).await.json();
    let by_key = server.get(&format!("{USERS}/{root}/sessions")).bearer(made["key"].as_str().unwrap());
    assert_eq!(current(by_key.expect(200).await.json()), [false, false]);
}

#[actix_web::test]
async fn an_admin_ends_all_of_them_at_once() {
    let server = Server::start().await;
    let (admin, ada, bob) = (server.admin("root").await, server.user("ada").await, server.user("bob").await);
    let id = id_of(&server, &ada).await;
    let both = [ada, server.login("ada").await];
    let path = format!("{USERS}/{id}/sessions");
    for _ in 0..2 {
        server.delete(&path).bearer(&admin.access).expect(204).await;
        assert_eq!(list(&server, &admin, &id, "").await["items"], json!([]));
    }
    for tokens in both {
        server.get("/api/v1/me").bearer(&tokens.access).expect_problem(401, "revoked_token").await;
        let refresh = server.post("/api/v1/refresh").json(json!({ "refresh_token": tokens.refresh }));
        refresh.expect_problem(401, "invalid_refresh_token").await;
    }
    server.get("/api/v1/me").bearer(&bob.access).expect(200).await;
    let ended = history(&server, &admin, &id).await.into_iter().filter(|(name, _)| name == "session_ended");
    assert_eq!(Vec::from_iter(ended), [("session_ended".to_owned(), json!({ "sessions": 2 }))]);
    let told = server.get("/api/v1/revocations?since=0").bearer(&admin.access).expect(200).await.json();
    let reasons: Vec<_> = told["items"].as_array().unwrap().iter().map(|item| &item["reason"]).collect();
    assert_eq!(reasons, ["session_ended", "session_ended"]);
    server.login("ada").await;
}

#[actix_web::test]
async fn only_an_admin_and_only_of_who_is_there() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin("root").await, server.user("ada").await);
    let path = format!("{USERS}/{}/sessions", id_of(&server, &admin).await);
    server.get(&path).bearer(&ada.access).expect_problem(403, "forbidden").await;
    server.delete(&path).bearer(&ada.access).expect_problem(403, "forbidden").await;
    server.get(&path).expect_problem(401, "missing_token").await;
    server.delete(&path).expect_problem(401, "missing_token").await;
    for id in ["019a96b3-0400-7000-8000-000000000001", "x"] {
        let path = format!("{USERS}/{id}/sessions");
        server.get(&path).bearer(&admin.access).expect_problem(404, "not_found").await;
        server.delete(&path).bearer(&admin.access).expect_problem(404, "not_found").await;
    }
    server.get(&format!("{path}?limit=0")).bearer(&admin.access).expect_problem(400, "invalid_request").await;
    server.get(&format!("{path}?cursor=x")).bearer(&admin.access).expect_problem(400, "invalid_cursor").await;
}
