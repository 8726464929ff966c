//! `/api/v1/me/keys`, and what an API key opens.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::api::support::{PASSWORD, Server, Tokens};

const KEYS: &str = "/api/v1/me/keys";

/// Makes a key, and returns the whole answer.
async fn create(server: &Server, tokens: &Tokens, body: Value) -> Value {
    server.post(KEYS).bearer(&tokens.access).json(body).expect(201).await.json()
}

/// Makes a key, and returns its text.
async fn key(server: &Server, tokens: &Tokens, body: Value) -> String {
    create(server, tokens, body).await["key"].as_str().unwrap().to_owned()
}

async fn list(server: &Server, tokens: &Tokens) -> Vec<Value> {
    let list = server.get(KEYS).bearer(&tokens.access).expect(200).await.json();
    list["items"].as_array().unwrap().clone()
}

async fn id_of(server: &Server, token: &str) -> String {
    let me = server.get("/api/v1/me").bearer(token).expect(200).await.json();
    me["id"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn a_key_is_shown_once_and_stands_for_its_user() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let made = create(&server, &ada, json!({ "name": "backup" })).await;
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with(made["prefix"].as_str().unwrap()) && key.len() == 50, "{made}");
    assert_eq!(
        (&made["name"], &made["roles"], &made["expires_at"]),
        (&json!("backup"), &json!(null), &json!(null))
    );
    let me = server.get("/api/v1/me").bearer(&ada.access).expect(200).await.json();
    for _ in 0..2 {
        assert_eq!(server.get("/api/v1/me").bearer(key).expect(200).await.json(), me);
    }
    let answer = server.get("/forward-auth").bearer(key).expect(200).await;
    assert_eq!(answer.header("x-auth-user-id"), me["id"].as_str().unwrap());

    // Neither the list nor the database has it.
    let listed = server.get(KEYS).bearer(&ada.access).expect(200).await;
    assert!(!listed.text.contains(key) && listed.json()["items"][0]["id"] == made["id"]);
    let rows: Vec<(Vec<u8>, String)> =
        server.sql("select digest, prefix from api_keys").fetch_all().await.unwrap();
    assert_eq!(rows, [(portcullis::secret::sha256(key.as_bytes()).to_vec(), key[..13].to_owned())]);

    let other = create(&server, &ada, json!({ "name": "backup" })).await;
    assert_ne!(other["key"], made["key"]);
    let names: Vec<_> = list(&server, &ada).await.into_iter().map(|key| key["id"].clone()).collect();
    assert_eq!(names, [other["id"].clone(), made["id"].clone()]);
    let page = server.get(&format!("{KEYS}?limit=1")).bearer(&ada.access).expect(200).await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let page = server.get(&format!("{KEYS}?cursor={cursor}")).bearer(&ada.access).expect(200).await.json();
    assert_eq!((&page["items"][0]["id"], &page["next_cursor"]), (&made["id"], &json!(null)));
}

#[actix_web::test]
async fn what_is_no_key_is_no_token_either() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let key = key(&server, &ada, json!({ "name": "k" })).await;
    let mut altered = key.clone().into_bytes();
    altered[20] = if altered[20] == b'A' { b'B' } else { b'A' };
    let altered = String::from_utf8(altered).unwrap();
    for none in [altered.as_str(), &key[..49], "pc_key_", &format!("{key}A"), &key.to_uppercase()] {
        server.get("/api/v1/me").bearer(none).expect_problem(401, "invalid_token").await;
    }
    // Nor is a key taken anywhere but where a token is.
    server.get("/api/v1/me").header("x-api-key", &key).expect_problem(401, "missing_token").await;
    server.get(&format!("/api/v1/me?access_token={key}")).expect_problem(401, "missing_token").await;
    let refresh = server.post("/api/v1/refresh").json(json!({ "refresh_token": key }));
    refresh.expect_problem(401, "invalid_refresh_token").await;
}

#[actix_web::test]
async fn a_key_does_not_touch_the_account_whatever_its_roles() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let made = create(&server, &admin, json!({ "name": "k" })).await;
    let key = made["key"].as_str().unwrap();
    let session = server.get("/api/v1/me/sessions").bearer(&admin.access).expect(200).await.json();
    let session = session["items"][0]["id"].as_str().unwrap();
    let password = json!({ "current_password": PASSWORD, "new_password": "another-lantern-77" });
    for (method, path, body) in [
        ("PATCH", "/api/v1/me", json!({ "display_name": "X" })),
        ("DELETE", "/api/v1/me", json!({ "password": PASSWORD })),
        ("PUT", "/api/v1/me/password", password),
        ("PUT", "/api/v1/me/email", json!({ "email": "new@example.com", "password": PASSWORD })),
        ("POST", "/api/v1/email/verify/resend", json!({})),
        ("POST", "/api/v1/logout", json!({ "scope": "all" })),
        ("GET", "/api/v1/me/sessions", json!({})),
        ("DELETE", &format!("/api/v1/me/sessions/{session}"), json!({})),
        ("GET", KEYS, json!({})),
        ("POST", KEYS, json!({ "name": "another" })),
        ("DELETE", &format!("{KEYS}/{}", made["id"].as_str().unwrap()), json!({})),
        // Told before what else is wrong.
        ("PATCH", "/api/v1/me", json!({ "username": "" })),
        ("DELETE", &format!("{KEYS}/none"), json!({})),
    ] {
        let request = server.request(method, path).bearer(key).json(body);
        request.expect_problem(403, "session_required").await;
    }
    assert_eq!(list(&server, &admin).await.len(), 1);
    server.get("/api/v1/admin/users").bearer(key).expect(200).await;
    server.get("/api/v1/revocations").bearer(key).expect(200).await;
}

#[actix_web::test]
async fn a_keys_roles_are_those_of_its_own_that_the_user_still_has() {
    let server = Server::start().await;
    let (root, admin) = (server.admin("root").await, server.admin("ada").await);
    server
        .sql("insert into user_roles (user_id, role) select id, 'introspect' from users where username = 'ada'")
        .execute()
        .await
        .unwrap();
    server.app.changes.cache().forget_all();
    let id = id_of(&server, &admin.access).await;
    let all = key(&server, &admin, json!({ "name": "all", "roles": null })).await;
    let some = key(&server, &admin, json!({ "name": "some", "roles": ["introspect", "introspect"] })).await;
    let none = key(&server, &admin, json!({ "name": "none", "roles": [] })).await;
    let listed: Vec<_> = list(&server, &admin).await.into_iter().map(|key| key["roles"].clone()).collect();
    assert_eq!(listed, [json!([]), json!(["introspect"]), json!(null)]);
    let roles = async |key: &str| {
        let me = server.get("/api/v1/me").bearer(key).expect(200).await.json()["roles"].clone();
        let told =
            server.get("/forward-auth").bearer(key).expect(200).await.header("x-auth-roles").to_owned();
        let me: Vec<_> =
            me.as_array().unwrap().iter().map(|role| role.as_str().unwrap().to_owned()).collect();
        assert_eq!(me.join(","), told);
        told
    };
    for _ in 0..2 {
        assert_eq!(roles(&all).await, "admin,introspect");
        assert_eq!(roles(&some).await, "introspect");
        assert_eq!(roles(&none).await, "");
    }
    // What is answered to the session and to the next login is not what the keys have.
    assert_eq!(roles(&admin.access).await, "admin,introspect");
    let refresh = server.post("/api/v1/refresh").json(json!({ "refresh_token": admin.refresh }));
    assert_eq!(refresh.expect(200).await.json()["user"]["roles"], json!(["admin", "introspect"]));
    server.get("/api/v1/admin/users").bearer(&some).expect_problem(403, "forbidden").await;
    server.get("/api/v1/revocations").bearer(&some).expect(200).await;
    server.get("/api/v1/revocations").bearer(&none).expect_problem(403, "forbidden").await;
    server.get("/forward-auth?role=admin").bearer(&some).expect_problem(403, "forbidden").await;

    let change = server.patch(&format!("/api/v1/admin/users/{id}")).bearer(&root.access);
    change.json(json!({ "roles": ["admin"] })).expect(200).await;
    assert_eq!(
        (roles(&all).await, roles(&some).await, roles(&none).await),
        ("admin".into(), "".into(), "".into())
    );
}

#[actix_web::test]
async fn what_a_key_can_not_be_is_told_by_field() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let past = (server.clock.now() - TimeDelta::seconds(1)).to_rfc3339();
    for (body, broken) in [
        (json!({}), &["name required"][..]),
        (json!({ "name": " " }), &["name required"]),
        (json!({ "name": "x".repeat(101) }), &["name too_long"]),
        (json!({ "name": "a\u{7}" }), &["name invalid"]),
        (json!({ "name": 7 }), &["name wrong_type"]),
        (json!({ "name": "k", "expires_at": "tomorrow" }), &["expires_at invalid"]),
        (json!({ "name": "k", "expires_at": past }), &["expires_at invalid"]),
        // In UTC it is of the year 10000, which RFC 3339 can't write.
        (json!({ "name": "k", "expires_at": "9999-12-31T23:59:59-23:59" }), &["expires_at invalid"]),
        (json!({ "name": "k", "expires_at": 7 }), &["expires_at wrong_type"]),
        (json!({ "name": "k", "roles": ["admin"] }), &["roles invalid"]),
        (json!({ "name": "k", "roles": ["A,B"] }), &["roles invalid"]),
        (json!({ "name": "k", "roles": [7] }), &["roles wrong_type"]),
        (
            json!({ "roles": 7, "expires_at": "x" }),
            &["name required", "expires_at invalid", "roles wrong_type"],
        ),
    ] {
        let answer = server.post(KEYS).bearer(&ada.access).json(body.clone());
        assert_eq!(answer.expect_problem(422, "validation_failed").await.broken(), broken, "{body}");
    }
    assert!(list(&server, &ada).await.is_empty());
    let last = create(&server, &ada, json!({ "name": "k", "expires_at": "9999-12-31T23:59:59Z" })).await;
    assert_eq!(last["expires_at"], "9999-12-31T23:59:59Z");
    let form =
        server.post(KEYS).bearer(&ada.access).form("name=by+form&expires_at=&roles=").expect(201).await;
    assert_eq!((&form.json()["name"], &form.json()["roles"]), (&json!("by form"), &json!(null)));
    server.get(KEYS).expect_problem(401, "missing_token").await;
    server.post(KEYS).json(json!({})).expect_problem(401, "missing_token").await;
}

#[actix_web::test]
async fn an_expired_key_says_so() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let at = server.clock.now() + TimeDelta::milliseconds(60_500);
    let made = create(&server, &ada, json!({ "name": "k", "expires_at": at.to_rfc3339() })).await;
    let key = made["key"].as_str().unwrap();
    for millis in [0, 60_000, 499] {
        server.clock.advance(Duration::from_millis(millis));
        server.get("/api/v1/me").bearer(key).expect(200).await;
    }
    server.clock.advance(Duration::from_millis(1));
    server.get("/api/v1/me").bearer(key).expect_problem(401, "expired_token").await;
    assert_eq!(list(&server, &ada).await[0]["expires_at"], made["expires_at"]);
}

#[actix_web::test]
async fn only_ones_own_key_is_deleted_and_only_once() {
    let server = Server::start().await;
    let (ada, eve) = (server.user("ada").await, server.user("eve").await);
    let made = create(&server, &ada, json!({ "name": "k" })).await;
    let (key, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
    server.get("/api/v1/me").bearer(key).expect(200).await;
    let delete = |tokens: &Tokens, id: &str| server.delete(&format!("{KEYS}/{id}")).bearer(&tokens.access);
    for unknown in ["x", "%00", "019a96b3-0400-7000-8000-000000000001"] {
        delete(&ada, unknown).expect_problem(404, "not_found").await;
    }
    delete(&eve, id).expect_problem(404, "not_found").await;
    server.get("/api/v1/me").bearer(key).expect(200).await;
    delete(&ada, id).expect(204).await;
    for _ in 0..2 {
        server.get("/api/v1/me").bearer(key).expect_problem(401, "revoked_token").await;
    }
    delete(&ada, id).expect_problem(404, "not_found").await;
    assert!(list(&server, &ada).await.is_empty());
    server.get("/api/v1/me").bearer(&ada.access).expect(200).await;
}

#[actix_web::test]
async fn a_key_outlives_sessions_and_passwords_but_not_its_user() {
    let server = Server::start().await;
    let (root, ada) = (server.admin("root").await, server.user("ada").await);
    let key = key(&server, &ada, json!({ "name": "k" })).await;
    let id = id_of(&server, &key).await;
    let body = json!({ "current_password": PASSWORD, "new_password": "another-lantern-77" });
    server.put("/api/v1/me/password").bearer(&ada.access).json(body).expect(204).await;
    server.post("/api/v1/logout").bearer(&ada.access).json(json!({ "scope": "all" })).expect(204).await;
    server.get("/api/v1/me").bearer(&key).expect(200).await;

    let disable = |disabled: bool| {
        let change = server.patch(&format!("/api/v1/admin/users/{id}")).bearer(&root.access);
        change.json(json!({ "disabled": disabled })).expect(200)
    };
    disable(true).await;
    server.get("/api/v1/me").bearer(&key).expect_problem(401, "revoked_token").await;
    disable(false).await;
    server.get("/api/v1/me").bearer(&key).expect(200).await;

    let login = json!({ "username": "ada", "password": "another-lantern-77" });
    let ada = Tokens::of(&server.post("/api/v1/login").json(login).expect(200).await.json());
    let delete = server.delete("/api/v1/me").bearer(&ada.access);
    delete.json(json!({ "password": "another-lantern-77" })).expect(204).await;
    server.get("/api/v1/me").bearer(&key).expect_problem(401, "invalid_token").await;
    let (rows,): (i64,) = server.sql("select count(*) from api_keys").fetch_one().await.unwrap();
    assert_eq!(rows, 0);
}

#[actix_web::test]
async fn a_deleted_key_is_refused_on_another_replica_within_a_second() {
    let here = Server::start().await;
    let there = here.replica(&[]).await;
    let (root, ada) = (here.admin("root").await, here.user("ada").await);
    for n in 0..10 {
        let made = create(&here, &ada, json!({ "name": "k" })).await;
        let (key, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
        for server in [&here, &there, &here, &there] {
            server.get("/api/v1/me").bearer(key).expect(200).await;
        }
        if n % 2 == 0 {
            here.delete(&format!("{KEYS}/{id}")).bearer(&ada.access).expect(204).await;
        } else {
            let user = id_of(&here, key).await;
            let change = here.patch(&format!("/api/v1/admin/users/{user}")).bearer(&root.access);
            change.json(json!({ "disabled": true })).expect(200).await;
        }
        let made = Instant::now();
        here.get("/api/v1/me").bearer(key).expect_problem(401, "revoked_token").await;
        loop {
            let asked = made.elapsed();
            let answer = there.get("/api/v1/me").bearer(key).send().await;
            if answer.status == 401 {
                break;
            }
            assert!(asked < Duration::from_secs(1), "it still opens after {asked:?}");
        }
        if n % 2 == 1 {
            break;
        }
    }
}

#[actix_web::test]
async fn a_key_seen_before_needs_no_database() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let key = key(&server, &ada, json!({ "name": "k" })).await;
    let me = server.get("/api/v1/me").bearer(&key).expect(200).await.json();
    server.sql("alter table users rename to users_away").execute().await.unwrap();
    assert_eq!(server.get("/api/v1/me").bearer(&key).expect(200).await.json(), me);
}

#[actix_web::test]
async fn a_keys_use_is_noted_beside_the_requests() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let key = key(&server, &ada, json!({ "name": "k" })).await;
    let last_used = async || list(&server, &ada).await[0]["last_used_at"].clone();
    assert_eq!(last_used().await, json!(null));
    server.get("/api/v1/me").bearer(&key).expect(200).await;
    let first = last_used().await;
    assert!(first.is_string());
    server.clock.advance(Duration::from_secs(60));
    server.get("/api/v1/me").bearer(&key).expect(200).await;
    assert_eq!(last_used().await, first);
    portcullis::sessions::note_uses(&server.app).await.unwrap();
    assert_ne!(last_used().await, first);
}

#[actix_web::test]
async fn a_user_has_a_hundred_keys_at_most_also_when_they_are_made_at_once() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let made =
        join_all((0..105).map(|_| server.post(KEYS).bearer(&ada.access).json(json!({ "name": "k" })).send()));
    let made = made.await;
    assert_eq!(made.iter().filter(|answer| answer.status == 201).count(), 100);
    let refused = made.iter().find(|answer| answer.status != 201).unwrap();
    assert_eq!(refused.broken(), ["name too_many"]);
    // Deleted ones make room, and are forgotten in the end.
    for made in made.iter().filter(|answer| answer.status == 201) {
        let id = made.json()["id"].as_str().unwrap().to_owned();
        server.delete(&format!("{KEYS}/{id}")).bearer(&ada.access).expect(204).await;
    }
    for _ in 0..3 {
        let id = create(&server, &ada, json!({ "name": "k" })).await["id"].as_str().unwrap().to_owned();
        server.delete(&format!("{KEYS}/{id}")).bearer(&ada.access).expect(204).await;
    }
    let (rows,): (i64,) = server.sql("select count(*) from api_keys").fetch_one().await.unwrap();
    assert_eq!(rows, 100);
}

#[actix_web::test]
async fn making_and_deleting_a_key_is_in_the_audit_log() {
    let server = Server::start().await;
    let (root, ada) = (server.admin("root").await, server.user("ada").await);
    let made = create(&server, &ada, json!({ "name": "a-name-of-ones-own" })).await;
    let id = made["id"].as_str().unwrap();
    server.delete(&format!("{KEYS}/{id}")).bearer(&ada.access).expect(204).await;
    let user = id_of(&server, &ada.access).await;
    for event in ["api_key_created", "api_key_deleted"] {
        let path = format!("/api/v1/admin/audit?event={event}");
        let told = server.get(&path).bearer(&root.access).expect(200).await.json()["items"].clone();
        assert_eq!(told.as_array().unwrap().len(), 1);
        let told = &told[0];
        assert_eq!(
            (&told["actor_id"], &told["user_id"], &told["details"]),
            (&json!(user), &json!(user), &json!({ "key_id": id }))
        );
    }
}

#[actix_web::test]
async fn a_key_can_be_introspected() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    let made = create(&server, &admin, json!({ "name": "k", "roles": [] })).await;
    let (key, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
    let asked = |token: &str| {
        server.post("/oauth/introspect").bearer(&admin.access).form(&format!("token={token}")).expect(200)
    };
    let user = id_of(&server, key).await;
    for _ in 0..2 {
        assert_eq!(
            asked(key).await.json(),
            json!({ "active": true, "token_type": "Bearer", "username": "root", "sub": user, "jti": id, "roles": [] })
        );
    }
    assert_eq!(asked(&format!("pc_key_{}", "A".repeat(43))).await.json(), json!({ "active": false }));
    // It is no session that could be ended.
    server.post("/oauth/revoke").form(&format!("token={key}")).expect(200).await;
    assert_eq!(asked(key).await.json()["active"], true);
    server.delete(&format!("{KEYS}/{id}")).bearer(&admin.access).expect(204).await;
    assert_eq!(asked(key).await.json(), json!({ "active": false }));
    // And a caller may be one.
    let caller = key_of(&server, &admin).await;
    let told = server.post("/oauth/introspect").bearer(&caller).form(&format!("token={}", admin.access));
    assert_eq!(told.expect(200).await.json()["active"], true);
}

async fn key_of(server: &Server, tokens: &Tokens) -> String {
    key(server, tokens, json!({ "name": "caller" })).await
}
