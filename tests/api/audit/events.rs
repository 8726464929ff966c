//! Every security event, as an admin reads it.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{AUDIT, events};
use crate::api::support::{PASSWORD, Server, Tokens};

/// The newest event of this name, to this user where one is named.
async fn newest(server: &Server, admin: &Tokens, event: &str, user: Option<&str>) -> Value {
    let user = user.map(|user| format!("&user={user}")).unwrap_or_default();
    let found = events(server, admin, &format!("event={event}&limit=1{user}")).await;
    found.into_iter().next().unwrap_or_else(|| panic!("no {event} {user}"))
}

/// Who did something, to whom, from which address, and what else is told.
fn summary(event: &Value) -> Value {
    json!([event["actor_id"], event["user_id"], event["ip"], event["details"]])
}

async fn id_of(server: &Server, tokens: &Tokens) -> String {
    let me = server.get("/api/v1/me").bearer(&tokens.access).expect(200).await.json();
    me["id"].as_str().unwrap().to_owned()
}

async fn session_of(server: &Server, tokens: &Tokens) -> String {
    let sessions = server.get("/api/v1/me/sessions").bearer(&tokens.access).expect(200).await.json();
    let current = sessions["items"].as_array().unwrap().iter().find(|session| session["current"] == true);
    current.unwrap()["id"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn each_is_kept_with_who_did_it_to_whom_and_from_where() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let root = id_of(&server, &admin).await;
    let here = json!("127.0.0.1");
    let check = async |event: &str, user: &str, expected: Value| {
        assert_eq!(summary(&newest(&server, &admin, event, Some(user)).await), expected, "{event}");
    };
    // On the command line there is nobody to name.
    check("user_created", &root, json!([null, root, null, {}])).await;
    check("role_granted", &root, json!([null, root, null, { "role": "admin" }])).await;

    let ada = server.register("ada").await;
    check("user_registered", &ada, json!([ada, ada, here, {}])).await;
    let tokens = server.login("ada").await;
    let session = session_of(&server, &tokens).await;
    check("login_succeeded", &ada, json!([ada, ada, here, { "session_id": session }])).await;

    let login = |name: &str, password: &str| {
        server.post("/api/v1/login").json(json!({ "login": name, "password": password }))
    };
    login("ada", "wrong-lantern-42").expect_problem(401, "invalid_credentials").await;
    let refused = |user: Value, code: &str| json!([null, user, here, { "code": code }]);
    check("login_failed", &ada, refused(json!(ada), "invalid_credentials")).await;
    login("nobody-of-that-name", PASSWORD).expect_problem(401, "invalid_credentials").await;
    let unknown = newest(&server, &admin, "login_failed", None).await;
    assert_eq!(summary(&unknown), refused(json!(null), "invalid_credentials"));
    assert!(!unknown.to_string().contains("nobody-of-that-name"), "{unknown}");

    let body = json!({ "display_name": "Countess" });
    server.patch("/api/v1/me").bearer(&tokens.access).json(body).expect(200).await;
    check("user_updated", &ada, json!([ada, ada, here, { "fields": ["display_name"] }])).await;
    let body = json!({ "current_password": PASSWORD, "new_password": "another-lantern-77" });
    server.put("/api/v1/me/password").bearer(&tokens.access).json(body).expect(204).await;
    check("password_changed", &ada, json!([ada, ada, here, {}])).await;

    let phone = Tokens::of(&login("ada", "another-lantern-77").expect(200).await.json());
    let on_phone = session_of(&server, &phone).await;
    let path = format!("/api/v1/me/sessions/{on_phone}");
    server.delete(&path).bearer(&tokens.access).expect(204).await;
    check("session_ended", &ada, json!([ada, ada, here, { "session_id": on_phone }])).await;
    for (scope, sessions) in [("others", 2), ("all", 1)] {
        join_all((1..sessions + 1).map(|_| login("ada", "another-lantern-77").expect(200))).await;
        let last = Tokens::of(&login("ada", "another-lantern-77").expect(200).await.json());
        let session = session_of(&server, &last).await;
        server.post("/api/v1/logout").bearer(&last.access).json(json!({ "scope": scope })).expect(204).await;
        // The one that began all this, too, and after that it is gone.
        let ended = if scope == "others" { sessions + 1 } else { sessions + 2 };
        let expected = json!({ "scope": scope, "sessions": ended, "session_id": session });
        check("logged_out", &ada, json!([ada, ada, here, expected])).await;
    }

    let patch = |body: Value| {
        server.patch(&format!("/api/v1/admin/users/{ada}")).bearer(&admin.access).json(body).expect(200)
    };
    let by_root = |details: Value| json!([root, ada, here, details]);
    patch(json!({ "roles": ["introspect"] })).await;
    check("role_granted", &ada, by_root(json!({ "role": "introspect" }))).await;
    patch(json!({ "roles": [] })).await;
    check("role_revoked", &ada, by_root(json!({ "role": "introspect" }))).await;
    patch(json!({ "disabled": true })).await;
    check("user_disabled", &ada, by_root(json!({}))).await;
    login("ada", "another-lantern-77").expect_problem(403, "account_disabled").await;
    check("login_failed", &ada, refused(json!(ada), "account_disabled")).await;
    patch(json!({ "disabled": false })).await;
    check("user_enabled", &ada, by_root(json!({}))).await;

    let last = Tokens::of(&login("ada", "another-lantern-77").expect(200).await.json());
    let body = json!({ "password": "another-lantern-77" });
    server.delete("/api/v1/me").bearer(&last.access).json(body).expect(204).await;
    check("user_deleted", &ada, json!([ada, ada, here, {}])).await;
    // It outlives the account.
    check("user_registered", &ada, json!([ada, ada, here, {}])).await;
}

#[actix_web::test]
async fn a_reused_refresh_token_is_kept_though_the_request_is_refused() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let ada = server.user("ada").await;
    let (id, session) = (id_of(&server, &ada).await, session_of(&server, &ada).await);
    let refresh = |token: &str| server.post("/api/v1/refresh").json(json!({ "refresh_token": token }));
    let next = Tokens::of(&refresh(&ada.refresh).expect(200).await.json());
    server.get("/api/v1/me").bearer(&next.access).expect(200).await;
    server.clock.advance(Duration::from_secs(31));
    for _ in 0..2 {
        refresh(&ada.refresh).expect_problem(401, "invalid_refresh_token").await;
    }
    let reused = events(&server, &admin, "event=refresh_token_reused").await;
    assert_eq!(reused.len(), 1, "once for the session: {reused:?}");
    assert_eq!(summary(&reused[0]), json!([null, id, "127.0.0.1", { "session_id": session }]));
}

#[actix_web::test]
async fn what_becomes_of_the_signing_keys_is_kept() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let (app, now) = (&server.app, server.app.clock.now());
    let (next, _) = app.keyring.rotate(&app.db, &app.changes, now).await.unwrap();
    let why = async || {
        let event = newest(&server, &admin, "signing_key_rotated", None).await;
        assert_eq!(summary(&event).as_array().unwrap()[..3], [json!(null), json!(null), json!(null)]);
        event["details"].clone()
    };
    assert_eq!(why().await, json!({ "why": "by hand", "kid": next.kid }));
    app.keyring.revoke(&app.db, &app.changes, &next.kid, now).await.unwrap();
    assert_eq!(why().await, json!({ "why": "revoked", "revoked": next.kid }));
    server.replica(&["--jwt-algorithm=EdDSA"]).await;
    assert_eq!(why().await["why"], "another kind");
    server.clock.advance(Duration::from_secs(60 * 60));
    let due = app.keyring.rotate_if_due(&app.db, &app.changes, Duration::from_secs(60 * 60), app.clock.now());
    due.await.unwrap();
    let admin = server.login("root").await;
    assert_eq!(newest(&server, &admin, "signing_key_rotated", None).await["details"]["why"], "its time");
    // The first key replaced none.
    assert_eq!(events(&server, &admin, "event=signing_key_rotated").await.len(), 4);
}

#[actix_web::test]
async fn the_address_is_the_one_behind_the_proxy() {
    let server = Server::with(&["--trusted-proxies=127.0.0.1"]).await;
    let admin = server.admin("root").await;
    let body = json!({ "login": "root", "password": "wrong-lantern-42" });
    let login = server.post("/api/v1/login").json(body);
    let login = login.header("x-forwarded-for", "198.51.100.9").header("user-agent", "a \"browser\" ä");
    login.expect_problem(401, "invalid_credentials").await;
    let failed = newest(&server, &admin, "login_failed", None).await;
    assert_eq!((&failed["ip"], &failed["user_agent"]), (&json!("198.51.100.9"), &json!("a \"browser\" ä")));
    assert_eq!(super::verify(&server).await.broken, None);
}

/// What changes nothing is no event: an admin who sets what is set already, and who comes with the token of an ended session.
#[actix_web::test]
async fn what_did_not_happen_is_not_kept() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let ada = server.user("ada").await;
    let id = id_of(&server, &ada).await;
    let revoke = || server.post("/oauth/revoke").form(&format!("token={}", ada.refresh)).expect(200);
    revoke().await;
    let before = events(&server, &admin, "limit=200").await;
    revoke().await;
    let body = json!({ "disabled": false, "roles": [] });
    server.patch(&format!("/api/v1/admin/users/{id}")).bearer(&admin.access).json(body).expect(200).await;
    let body = json!({ "disabled": true, "roles": ["emperor"] });
    let unknown = server.patch(&format!("/api/v1/admin/users/{id}")).bearer(&admin.access).json(body);
    unknown.expect_problem(422, "validation_failed").await;
    server.get(AUDIT).bearer(&admin.access).expect(200).await;
    assert_eq!(events(&server, &admin, "limit=200").await, before);
    assert_eq!(before[0]["event"], "logged_out");
}

/// Not the one without the other.
#[actix_web::test]
async fn what_can_not_be_kept_does_not_happen() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let patch = || server.patch("/api/v1/me").bearer(&ada.access).json(json!({ "display_name": "Countess" }));
    let logout = || server.post("/api/v1/logout").bearer(&ada.access);
    let end = async || {
        let session = session_of(&server, &ada).await;
        server.delete(&format!("/api/v1/me/sessions/{session}")).bearer(&ada.access)
    };
    let delete = || server.delete("/api/v1/me").bearer(&ada.access).json(json!({ "password": PASSWORD }));
    let account = |name: &str| json!({ "username": name, "password": PASSWORD });
    let register = || server.post("/api/v1/register").json(account("bob"));
    let login = |name: &str| server.post("/api/v1/login").json(account(name));
    let body = json!({ "current_password": PASSWORD, "new_password": "another-lantern-77" });
    let password = || server.put("/api/v1/me/password").bearer(&ada.access).json(body.clone());

    server.sql("alter table audit_events rename to audit_events_away").execute().await.unwrap();
    for request in [patch(), logout(), end().await, delete(), register(), login("ada"), password()] {
        request.expect_problem(500, "internal").await;
    }
    login("nobody").expect_problem(500, "internal").await;
    server.sql("alter table audit_events_away rename to audit_events").execute().await.unwrap();

    let me = server.get("/api/v1/me").bearer(&ada.access).expect(200).await.json();
    assert_eq!(me["display_name"], json!(null));
    let sessions = server.get("/api/v1/me/sessions").bearer(&ada.access).expect(200).await.json();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
    register().expect(201).await;
    login("ada").expect(200).await;
}

/// Nor what an admin does.
#[actix_web::test]
async fn what_an_admin_does_and_can_not_be_kept_does_not_happen() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin("root").await, server.user("ada").await);
    let user = format!("/api/v1/admin/users/{}", id_of(&server, &ada).await);
    let roles = "/api/v1/admin/roles";
    server.post(roles).bearer(&admin.access).json(json!({ "name": "auditor" })).expect(201).await;
    server.patch(&user).bearer(&admin.access).json(json!({ "roles": ["auditor"] })).expect(200).await;
    let state = async || {
        let users = server.get("/api/v1/admin/users").bearer(&admin.access).expect(200).await.json();
        let roles = server.get(roles).bearer(&admin.access).expect(200).await.json();
        json!([users["items"], roles["items"]])
    };
    let before = state().await;

    server.sql("alter table audit_events rename to audit_events_away").execute().await.unwrap();
    for request in [
        server.post("/api/v1/admin/users").json(json!({ "username": "eve", "password": PASSWORD })),
        server.patch(&user).json(json!({ "username": "eve" })),
        server.patch(&user).json(json!({ "disabled": true })),
        server.patch(&user).json(json!({ "password": "another-lantern-77" })),
        server.patch(&user).json(json!({ "roles": ["introspect"] })),
        server.delete(&format!("{user}/sessions")),
        server.delete(&user),
        server.post(roles).json(json!({ "name": "new" })),
        server.delete(&format!("{roles}/auditor")),
    ] {
        request.bearer(&admin.access).expect_problem(500, "internal").await;
    }
    server.sql("alter table audit_events_away rename to audit_events").execute().await.unwrap();
    assert_eq!(state().await, before);
    server.get("/api/v1/me").bearer(&ada.access).expect(200).await;
    server.login("ada").await;
}
