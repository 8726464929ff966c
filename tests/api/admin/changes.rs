//! `PATCH /api/v1/admin/users/{id}`.

use serde_json::json;

use super::{USERS, change, id_of};
use crate::api::support::{PASSWORD, Server};

#[actix_web::test]
async fn a_disabled_user_is_out_for_good_and_may_log_in_again_once_enabled() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin("root").await, server.user("ada").await);
    let id = id_of(&server, &ada).await;
    server.clock.advance(std::time::Duration::from_secs(1));

    let disabled = change(&server, &admin, &id, json!({ "disabled": true })).await;
    assert_eq!((&disabled["disabled"], &disabled["id"]), (&json!(true), &json!(id)));
    assert!(disabled["updated_at"].as_str() > disabled["created_at"].as_str());
    server.get("/api/v1/me").bearer(&ada.access).expect_problem(401, "revoked_token").await;
    let login = || server.post("/api/v1/login").json(json!({ "username": "ada", "password": PASSWORD }));
    login().expect_problem(403, "account_disabled").await;

    assert_eq!(change(&server, &admin, &id, json!({ "disabled": false })).await["disabled"], false);
    server.get("/api/v1/me").bearer(&ada.access).expect_problem(401, "revoked_token").await;
    let refresh = server.post("/api/v1/refresh").json(json!({ "refresh_token": ada.refresh }));
    refresh.expect_problem(401, "invalid_refresh_token").await;
    login().expect(200).await;
}

#[actix_web::test]
async fn roles_are_set_as_a_whole_and_count_at_once() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin("root").await, server.user("ada").await);
    let id = id_of(&server, &ada).await;
    server.get(USERS).bearer(&ada.access).expect_problem(403, "forbidden").await;
    for (roles, then, status) in [
        (json!(["admin", "introspect", "admin"]), json!(["admin", "introspect"]), 200),
        (json!(["introspect"]), json!(["introspect"]), 403),
        (json!([]), json!([]), 403),
        (json!(["admin"]), json!(["admin"]), 200),
        (json!(null), json!([]), 403),
    ] {
        assert_eq!(change(&server, &admin, &id, json!({ "roles": roles })).await["roles"], then);
        let me = server.get("/api/v1/me").bearer(&ada.access).expect(200).await.json();
        assert_eq!(me["roles"], then);
        server.get(USERS).bearer(&ada.access).expect(status).await;
    }
    let form = |text: &str| server.patch(&format!("{USERS}/{id}")).bearer(&admin.access).form(text);
    let roles = form("roles=introspect&roles=admin&disabled=false").expect(200).await.json()["roles"].clone();
    assert_eq!(roles, json!(["admin", "introspect"]));
    assert_eq!(form("roles=").expect(200).await.json()["roles"], json!([]));
    assert_eq!(form("").expect(200).await.json()["roles"], json!([]));
}

#[actix_web::test]
async fn what_is_wrong_changes_nothing() {
    let server = Server::start().await;
    let (admin, ada) = (server.admin("root").await, server.user("ada").await);
    let id = id_of(&server, &ada).await;
    let path = format!("{USERS}/{id}");
    let before = server.get(&path).bearer(&admin.access).expect(200).await.json();
    for (body, broken) in [
        (json!({"disabled": "true"}), vec!["disabled wrong_type"]),
        (json!({"roles": "admin"}), vec!["roles wrong_type"]),
        (json!({"disabled": 1}), vec!["disabled wrong_type"]),
        (json!({"roles": ["admin", 7]}), vec!["roles wrong_type"]),
        (json!({"roles": {"admin": true}}), vec!["roles wrong_type"]),
        (json!({"roles": ["Admin"]}), vec!["roles invalid"]),
        (json!({"roles": ["a\0b"]}), vec!["roles invalid"]),
        (json!({"roles": [""]}), vec!["roles invalid"]),
        (json!({"roles": ["no-such-role", "admin"], "disabled": true}), vec!["roles invalid"]),
        (json!({"roles": ["x y"], "disabled": []}), vec!["disabled wrong_type", "roles invalid"]),
    ] {
        let answer = server.patch(&path).bearer(&admin.access).json(body.clone());
        assert_eq!(answer.expect_problem(422, "validation_failed").await.broken(), broken, "{body}");
    }
    for unknown in ["00000000-0000-7000-8000-000000000000", "x"] {
        for body in [json!({}), json!({"disabled": true}), json!({"roles": []})] {
            let answer = server.patch(&format!("{USERS}/{unknown}")).bearer(&admin.access).json(body);
            answer.expect_problem(404, "not_found").await;
        }
    }
    server
        .patch(&path)
        .bearer(&ada.access)
        .json(json!({"roles": ["admin"]}))
        .expect_problem(403, "forbidden")
        .await;
    server.patch(&path).json(json!({"roles": ["admin"]})).expect_problem(401, "missing_token").await;
    assert_eq!(
        change(&server, &admin, &id, json!({ "created_at": "2020-01-01T00:00:00Z", "id": "x" })).await,
        before
    );
    assert_eq!(server.get(&path).bearer(&admin.access).expect(200).await.json(), before);
    assert_eq!(server.changes().await, 0);
}

#[actix_web::test]
async fn the_last_enabled_admin_stays_one() {
    let server = Server::start().await;
    let (admin, other) = (server.admin("root").await, server.admin("eve").await);
    let (id, other_id) = (id_of(&server, &admin).await, id_of(&server, &other).await);
    assert_eq!(change(&server, &admin, &other_id, json!({ "disabled": true })).await["disabled"], true);
    for changes in
        [json!({"disabled": true}), json!({"roles": []}), json!({"roles": ["introspect"], "disabled": false})]
    {
        let answer = server.patch(&format!("{USERS}/{id}")).bearer(&admin.access).json(changes);
        answer.expect_problem(409, "last_admin").await;
    }
    change(&server, &admin, &other_id, json!({ "disabled": false })).await;
    assert_eq!(change(&server, &admin, &id, json!({ "roles": [] })).await["roles"], json!([]));
    server.get(USERS).bearer(&admin.access).expect_problem(403, "forbidden").await;
}
