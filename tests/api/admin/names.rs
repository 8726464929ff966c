//! Names, address and password, as `PATCH /api/v1/admin/users/{id}` changes them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{USERS, change, history, id_of};
use crate::api::support::{PASSWORD, Server, Tokens};

const NEW: &str = "another-lantern-77";

/// A user with a name and an address that is verified.
async fn verified(server: &Server, admin: &Tokens) -> String {
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD, "email_verified": true });
    let user = server.post(USERS).bearer(&admin.access).json(body).expect(201).await.json();
    user["id"].as_str().unwrap().to_owned()
}

/// What a user has of each.
fn names(user: &Value) -> Value {
    json!([user["username"], user["email"], user["email_verified"], user["display_name"]])
}

#[actix_web::test]
async fn names_change_and_go_and_each_change_is_kept_by_its_field() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let id = verified(&server, &admin).await;
    let ada = server.login("ada").await;
    for (changes, then, fields) in [
        (
            json!({ "display_name": "A" }),
            json!(["ada", "ada@example.com", true, "A"]),
            json!(["display_name"]),
        ),
        // The same address, spelt otherwise, stays verified.
        (
            json!({ "email": "Ada@Example.com" }),
            json!(["ada", "Ada@Example.com", true, "A"]),
            json!(["email"]),
        ),
        (
            json!({ "email": "b@example.com" }),
            json!(["ada", "b@example.com", false, "A"]),
            json!(["email", "email_verified"]),
        ),
        (
            json!({ "email_verified": true }),
            json!(["ada", "b@example.com", true, "A"]),
            json!(["email_verified"]),
        ),
        (
            json!({ "email": "c@example.com", "email_verified": true }),
            json!(["ada", "c@example.com", true, "A"]),
            json!(["email"]),
        ),
        (
            json!({ "username": null, "display_name": null }),
            json!([null, "c@example.com", true, null]),
            json!(["username", "display_name"]),
        ),
        (
            json!({ "username": "Bob", "email": null }),
            json!(["Bob", null, false, null]),
            json!(["username", "email", "email_verified"]),
        ),
        (
            json!({ "email": "d@example.com", "username": null }),
            json!([null, "d@example.com", false, null]),
            json!(["username", "email"]),
        ),
        (json!({ "email_verified": false }), json!([null, "d@example.com", false, null]), json!(null)),
    ] {
        let before = history(&server, &admin, &id).await.len();
        let user = change(&server, &admin, &id, changes.clone()).await;
        assert_eq!(names(&user), then, "{changes}");
        // At once, for the user, too.
        let me = server.get("/api/v1/me").bearer(&ada.access).expect(200).await.json();
        assert_eq!(me, user, "{changes}");
        let told = history(&server, &admin, &id).await.split_off(before);
        let updated = (!fields.is_null()).then(|| ("user_updated".to_owned(), json!({ "fields": fields })));
        assert_eq!(told, Vec::from_iter(updated), "{changes}");
    }
    let form = server.patch(&format!("{USERS}/{id}")).bearer(&admin.access);
    let form = form.form("username=Eve&email=&display_name=The+first").expect(200).await.json();
    assert_eq!(names(&form), json!(["Eve", null, false, "The first"]));
    server.login("eve").await;
}

#[actix_web::test]
async fn an_account_keeps_a_name() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let id = verified(&server, &admin).await;
    let path = format!("{USERS}/{id}");
    let refused = async |changes: Value, broken: &str| {
        let answer = server.patch(&path).bearer(&admin.access).json(changes.clone());
        assert_eq!(answer.expect_problem(422, "validation_failed").await.broken(), [broken], "{changes}");
    };
    refused(json!({ "username": null, "email": null }), "email required").await;
    change(&server, &admin, &id, json!({ "email": null })).await;
    refused(json!({ "username": null }), "username required").await;
    refused(json!({ "email_verified": true }), "email_verified invalid").await;
    change(&server, &admin, &id, json!({ "email": "a@example.com", "username": null })).await;
    refused(json!({ "email": null }), "email required").await;
    refused(json!({ "email": null, "email_verified": true, "username": "a b" }), "username invalid").await;
}

#[actix_web::test]
async fn another_password_ends_all_sessions_and_is_the_only_one() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let id = verified(&server, &admin).await;
    let sessions = [server.login("ada").await, server.login("ada").await];
    change(&server, &admin, &id, json!({ "password": NEW })).await;
    for tokens in &sessions {
        server.get("/api/v1/me").bearer(&tokens.access).expect_problem(401, "revoked_token").await;
        let refresh = server.post("/api/v1/refresh").json(json!({ "refresh_token": tokens.refresh }));
        refresh.expect_problem(401, "invalid_refresh_token").await;
    }
    let login =
        |password: &str| server.post("/api/v1/login").json(json!({ "login": "ada", "password": password }));
    login(PASSWORD).expect_problem(401, "invalid_credentials").await;
    login(NEW).expect(200).await;
    let told = history(&server, &admin, &id).await;
    assert_eq!(told.iter().filter(|(name, _)| name == "password_changed").count(), 1, "{told:?}");
    let path = format!("/api/v1/admin/audit?user={id}&event=password_changed");
    let event = server.get(&path).bearer(&admin.access).expect(200).await.json()["items"][0].clone();
    assert_eq!(event["actor_id"], json!(id_of(&server, &admin).await));
    assert!(!event.to_string().contains(NEW));
    let told = server.get("/api/v1/revocations?since=0").bearer(&admin.access).expect(200).await.json();
    let reasons: Vec<_> = told["items"].as_array().unwrap().iter().map(|item| &item["reason"]).collect();
    assert_eq!(reasons, ["password_changed", "password_changed"]);
}

#[actix_web::test]
async fn an_admin_may_change_himself() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let id = id_of(&server, &admin).await;
    let user =
        change(&server, &admin, &id, json!({ "username": "chief", "roles": ["admin", "introspect"] })).await;
    assert_eq!(json!([user["username"], user["roles"]]), json!(["chief", ["admin", "introspect"]]));
    change(&server, &admin, &id, json!({ "password": NEW })).await;
    server.get(USERS).bearer(&admin.access).expect_problem(401, "revoked_token").await;
}

#[actix_web::test]
async fn it_all_happens_or_nothing() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let id = verified(&server, &admin).await;
    let ada = server.login("ada").await;
    let other = json!({ "username": "bob", "email": "bob@example.com", "password": PASSWORD });
    server.post("/api/v1/register").json(other).expect(201).await;
    server.clock.advance(Duration::from_secs(1));
    let path = format!("{USERS}/{id}");
    let before = server.get(&path).bearer(&admin.access).expect(200).await.json();
    let told = history(&server, &admin, &id).await;
    let all = |field: &str, value: Value| {
        let mut all = json!({
            "username": "eve", "email": "eve@example.com", "display_name": "Eve", "disabled": true,
            "password": NEW, "roles": ["introspect"],
        });
        all[field] = value;
        all
    };
    for (changes, status, code) in [
        (all("username", json!("BOB")), 409, "username_taken"),
        (all("email", json!("Bob@Example.com")), 409, "email_taken"),
        (all("roles", json!(["introspect", "no-such-role"])), 422, "validation_failed"),
        (all("password", json!("Eve@Example.com")), 422, "validation_failed"),
        (all("password", json!("short")), 422, "validation_failed"),
        (all("password", json!(null)), 422, "validation_failed"),
        (all("password", json!("")), 422, "validation_failed"),
        (all("display_name", json!("a\nb")), 422, "validation_failed"),
    ] {
        let answer = server.patch(&path).bearer(&admin.access).json(changes.clone());
        answer.expect_problem(status, code).await;
        assert_eq!(server.get(&path).bearer(&admin.access).expect(200).await.json(), before, "{changes}");
    }
    assert_eq!(history(&server, &admin, &id).await, told);
    server.get("/api/v1/me").bearer(&ada.access).expect(200).await;
    server.login("ada").await;

    let user = change(&server, &admin, &id, all("disabled", json!(true))).await;
    assert_eq!(names(&user), json!(["eve", "eve@example.com", false, "Eve"]));
    assert_eq!(json!([user["disabled"], user["roles"]]), json!([true, ["introspect"]]));
    let since = history(&server, &admin, &id).await.split_off(told.len() + 1);
    let since: Vec<_> = since.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(since, ["user_updated", "role_granted", "user_disabled", "password_changed"]);
}

/// A name is the account's as long as it is, for whoever asks at the same time.
#[actix_web::test]
async fn of_two_who_take_a_name_at_once_one_gets_it() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let ids = [server.register("ada").await, server.register("bob").await];
    for round in 0..8 {
        let body = json!({ "username": format!("name{round}"), "email": format!("mail{round}@example.com") });
        let take =
            |id: &str| server.patch(&format!("{USERS}/{id}")).bearer(&admin.access).json(body.clone()).send();
        let (first, second) = futures_util::future::join(take(&ids[0]), take(&ids[1])).await;
        let mut statuses = [first.status, second.status];
        statuses.sort();
        assert_eq!(statuses, [200, 409], "{} {}", first.text, second.text);
    }
}
