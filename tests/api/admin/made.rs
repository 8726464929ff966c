//! `POST /api/v1/admin/users` and `DELETE /api/v1/admin/users/{id}`.

use serde_json::{Value, json};

use super::{USERS, history, id_of};
use crate::api::support::{PASSWORD, Server, Tokens};

#[actix_web::test]
async fn an_admin_makes_a_user_who_logs_in() {
    let server = Server::with(&["--registration=closed"]).await;
    let admin = server.admin("root").await;
    let body = json!({
        "username": "Ada", "email": "Ada@Example.com", "password": PASSWORD, "display_name": "Countess",
        "email_verified": true, "roles": ["introspect", "admin", "admin"], "disabled": true, "id": "x",
    });
    let made = server.post(USERS).bearer(&admin.access).json(body).expect(201).await;
    let user = made.json();
    let id = user["id"].as_str().unwrap();
    assert_eq!(made.header("location"), format!("{USERS}/{id}"));
    assert_eq!(made.header("cache-control"), "no-store");
    assert_eq!(
        json!([user["username"], user["email"], user["email_verified"], user["display_name"]]),
        json!(["Ada", "Ada@Example.com", true, "Countess"])
    );
    assert_eq!((&user["roles"], &user["disabled"]), (&json!(["admin", "introspect"]), &json!(false)));
    let found = server.get(made.header("location")).bearer(&admin.access).expect(200).await.json();
    assert_eq!(found, user);
    let tokens = server.login("ada").await;
    server.get(USERS).bearer(&tokens.access).expect(200).await;

    let role = |name: &str| ("role_granted".to_owned(), json!({ "role": name }));
    let history = history(&server, &admin, id).await;
    assert_eq!(history[..3], [("user_created".to_owned(), json!({})), role("admin"), role("introspect")]);
    let path = format!("/api/v1/admin/audit?user={id}&event=user_created");
    let created = server.get(&path).bearer(&admin.access).expect(200).await.json();
    assert_eq!(created["items"][0]["actor_id"], json!(id_of(&server, &admin).await));
}

#[actix_web::test]
async fn a_form_does_and_nothing_more_than_a_name_is_needed() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let form = |text: &str| server.post(USERS).bearer(&admin.access).form(text);
    let user =
        form(&format!("username=ada&email=&password={PASSWORD}&roles=admin&roles=introspect")).expect(201);
    assert_eq!(user.await.json()["roles"], json!(["admin", "introspect"]));
    let user = form(&format!("email=bob%40example.com&password={PASSWORD}&roles=")).expect(201).await.json();
    assert_eq!(json!([user["username"], user["email_verified"], user["roles"]]), json!([null, false, []]));
}

#[actix_web::test]
async fn what_is_wrong_makes_no_one() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let before = users(&server, &admin).await;
    let good = |field: &str, value: Value| {
        let mut body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
        body[field] = value;
        body
    };
    for (body, broken) in [
        (json!({ "password": PASSWORD }), vec!["username required"]),
        (json!({ "username": "ada" }), vec!["password required"]),
        (good("username", json!("a b")), vec!["username invalid"]),
        (good("email", json!("ada")), vec!["email invalid"]),
        (good("password", json!("ADA@example.com")), vec!["password same_as_identity"]),
        (good("password", json!("password1")), vec!["password too_common"]),
        (good("email_verified", json!("yes")), vec!["email_verified wrong_type"]),
        (good("email_verified", json!(1)), vec!["email_verified wrong_type"]),
        (good("roles", json!(["Admin"])), vec!["roles invalid"]),
        (good("roles", json!([7])), vec!["roles wrong_type"]),
        (good("roles", json!(["admin", "no-such-role"])), vec!["roles invalid"]),
        (
            json!({ "username": "ada", "password": PASSWORD, "email_verified": true }),
            vec!["email_verified invalid"],
        ),
        (
            json!({ "username": "a b", "email": "x", "roles": ["A"], "email_verified": [] }),
            vec![
                "username invalid",
                "email invalid",
                "password required",
                "email_verified wrong_type",
                "roles invalid",
            ],
        ),
    ] {
        let answer = server.post(USERS).bearer(&admin.access).json(body.clone());
        assert_eq!(answer.expect_problem(422, "validation_failed").await.broken(), broken, "{body}");
    }
    for (name, email, code) in
        [("ROOT", "new@example.com", "username_taken"), ("new", "Taken@Example.com", "email_taken")]
    {
        let taken = json!({ "username": "other", "email": "taken@example.com", "password": PASSWORD });
        server.post("/api/v1/register").json(taken).send().await;
        let body = json!({ "username": name, "email": email, "password": PASSWORD });
        server.post(USERS).bearer(&admin.access).json(body).expect_problem(409, code).await;
    }
    let ada = server.login("other").await;
    let body = json!({ "username": "eve", "password": PASSWORD });
    server.post(USERS).bearer(&ada.access).json(body.clone()).expect_problem(403, "forbidden").await;
    server.post(USERS).json(body).expect_problem(401, "missing_token").await;
    assert_eq!(users(&server, &admin).await, before + 1);
}

async fn users(server: &Server, admin: &Tokens) -> usize {
    let list = server.get(USERS).bearer(&admin.access).expect(200).await.json();
    list["items"].as_array().unwrap().len()
}

#[actix_web::test]
async fn a_deleted_user_is_gone_at_once_with_all_that_belongs_to_it() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin("root").await, server.user_with("ada", "introspect").await);
    let id = id_of(&server, &ada).await;
    let path = format!("{USERS}/{id}");
    server.delete(&path).bearer(&ada.access).expect_problem(403, "forbidden").await;
    server.delete(&path).expect_problem(401, "missing_token").await;
    server.delete(&path).bearer(&admin.access).expect(204).await;
    server.get("/api/v1/me").bearer(&ada.access).expect_problem(401, "revoked_token").await;
    let refresh = server.post("/api/v1/refresh").json(json!({ "refresh_token": ada.refresh }));
    refresh.expect_problem(401, "invalid_refresh_token").await;
    let login = server.post("/api/v1/login").json(json!({ "username": "ada", "password": PASSWORD }));
    login.expect_problem(401, "invalid_credentials").await;
    for request in [server.delete(&path), server.get(&path), server.delete(&format!("{USERS}/x"))] {
        request.bearer(&admin.access).expect_problem(404, "not_found").await;
    }
    let last = history(&server, &admin, &id).await.into_iter().rfind(|(name, _)| name == "user_deleted");
    assert_eq!(last, Some(("user_deleted".to_owned(), json!({}))));
    // Found by those who check tokens by themselves.
    let told = server.get("/api/v1/revocations?since=0").bearer(&admin.access).expect(200).await.json();
    assert_eq!(told["items"][0]["reason"], "user_deleted");
    server.register("ada").await;
}

#[actix_web::test]
async fn an_admin_deletes_himself_but_not_as_the_last() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let path = format!("{USERS}/{}", id_of(&server, &admin).await);
    server.delete(&path).bearer(&admin.access).expect_problem(409, "last_admin").await;
    server.admin("eve").await;
    server.delete(&path).bearer(&admin.access).expect(204).await;
    server.get("/api/v1/me").bearer(&admin.access).expect_problem(401, "revoked_token").await;
}
