//! A request that is under way while what let it in is taken away: what it does would outlast that.

use portcullis::store::Executor;
use serde_json::{Value, json};

use crate::api::admin::{USERS, id_of};
use crate::api::support::{Begun, PASSWORD, Server, Tokens};

const OTHER: &str = "copper-harbour-violet-77";

/// All that an admin can do for good, by requests that wait for nothing but their bodies.
async fn admins_requests(server: &Server, token: &str, admin: &str, other: &str) -> Vec<Begun> {
    let mut begun = Vec::new();
    for (method, path, body) in [
        ("POST", USERS.to_owned(), json!({ "username": "eve", "password": PASSWORD, "roles": ["admin"] })),
        ("PATCH", format!("{USERS}/{admin}"), json!({ "disabled": false, "roles": ["admin"] })),
        ("PATCH", format!("{USERS}/{other}"), json!({ "roles": ["admin"] })),
        ("PUT", format!("{USERS}/{other}/quota"), json!({ "requests": 1, "per": "day" })),
        ("POST", "/api/v1/admin/roles".to_owned(), json!({ "name": "mole" })),
    ] {
        begun.push(server.begin(method, &path, token, body).await);
    }
    begun
}

/// None of them may be done, and none of it is.
async fn are_refused(server: &Server, root: &Tokens, begun: Vec<Begun>, status: u16, code: &str) {
    let audit = async || -> Value {
        server.get("/api/v1/admin/audit?limit=1").bearer(&root.access).expect(200).await.json()["items"][0]
            .take()
    };
    let last = audit().await;
    for request in begun {
        let answer = request.end().await;
        assert_eq!((answer.status, &answer.json()["code"]), (status, &json!(code)));
    }
    assert_eq!(audit().await, last);
}

#[actix_web::test]
async fn who_is_an_admin_no_more_makes_no_one_an_admin() {
    let server = Server::start().await;
    let (root, mal) = (server.admin("root").await, server.admin("mal").await);
    let ada = id_of(&server, &server.user("ada").await).await;
    let id = id_of(&server, &mal).await;
    let key = server.post("/api/v1/me/keys").bearer(&mal.access).json(json!({ "name": "k" }));
    let key = key.expect(201).await.json()["key"].as_str().unwrap().to_owned();

    for (changes, status, code) in [
        (json!({ "roles": [] }), 403, "forbidden"),
        (json!({ "disabled": true, "roles": ["admin"] }), 401, "revoked_token"),
    ] {
        let grant = json!({ "roles": ["admin"], "disabled": false });
        server.patch(&format!("{USERS}/{id}")).bearer(&root.access).json(grant).expect(200).await;
        let mal = server.login("mal").await;
        let by_session = admins_requests(&server, &mal.access, &id, &ada).await;
        let by_key = admins_requests(&server, &key, &id, &ada).await;
        server.patch(&format!("{USERS}/{id}")).bearer(&root.access).json(changes).expect(200).await;
        are_refused(&server, &root, by_session, status, code).await;
        are_refused(&server, &root, by_key, status, code).await;
    }
}

#[actix_web::test]
async fn who_is_logged_out_leaves_nothing_behind() {
    let server = Server::start().await;
    let (root, ada) = (server.admin("root").await, server.user("ada").await);
    let thief = server.login("ada").await;
    let mut begun = Vec::new();
    for (method, path, body) in [
        ("POST", "/api/v1/me/keys", json!({ "name": "k" })),
        ("PATCH", "/api/v1/me", json!({ "username": "mine" })),
        ("PUT", "/api/v1/me/password", json!({ "current_password": PASSWORD, "new_password": OTHER })),
        ("PUT", "/api/v1/me/email", json!({ "email": "mine@example.com", "password": PASSWORD })),
        ("DELETE", "/api/v1/me", json!({ "password": PASSWORD })),
        ("POST", "/api/v1/logout", json!({ "scope": "others" })),
    ] {
        begun.push(server.begin(method, path, &thief.access, body).await);
    }
    let out = server.post("/api/v1/logout").bearer(&ada.access).json(json!({ "scope": "others" }));
    out.expect(204).await;
    are_refused(&server, &root, begun, 401, "revoked_token").await;
}

/// Who waits for an account is let in no more if what they wait for has put them out.
#[actix_web::test]
async fn who_is_put_out_right_now_does_not_come_after_it() {
    let server = Server::start().await;
    let (root, mal) = (server.admin("root").await, server.admin("mal").await);
    let id = id_of(&server, &mal).await;
    for (method, path, body) in [
        ("POST", "/api/v1/me/keys".to_owned(), json!({ "name": "k" })),
        ("PATCH", "/api/v1/me".to_owned(), json!({ "username": "mine" })),
        (
            "PUT",
            "/api/v1/me/password".to_owned(),
            json!({ "current_password": PASSWORD, "new_password": OTHER }),
        ),
        ("DELETE", "/api/v1/me".to_owned(), json!({ "password": PASSWORD })),
        ("PATCH", format!("{USERS}/{id}"), json!({ "disabled": false })),
        ("PUT", format!("{USERS}/{id}/quota"), json!({ "requests": 9, "per": "day" })),
        ("DELETE", format!("{USERS}/{id}/sessions"), json!(null)),
        ("DELETE", format!("{USERS}/{id}"), json!(null)),
    ] {
        let mal = server.login("mal").await;
        server.get("/api/v1/me").bearer(&mal.access).expect(200).await;
        let mut tx = server.app.db.begin().await.unwrap();
        let held = Executor::query(&mut tx, "update users set disabled = $1 where username = 'mal'");
        held.bind(true).execute().await.unwrap();
        let request = server.request(method, &path).bearer(&mal.access).json(body);
        let refused = request.expect_problem(401, "revoked_token");
        futures_util::future::join(refused, server.commit_once_waited_for(tx)).await;
        let again = json!({ "disabled": false });
        server.patch(&format!("{USERS}/{id}")).bearer(&root.access).json(again).expect(200).await;
    }
}
