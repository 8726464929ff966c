//! `DELETE /api/v1/me`.

use futures_util::future::join;
use serde_json::json;

use super::{ME, REGISTER, me};
use crate::api::support::{Answer, PASSWORD, Server, Tokens};

/// How often two race: connections are opened in the first rounds, and requests meet in the later ones.
const ROUNDS: usize = 8;

/// Tries to delete one's account.
async fn leave(server: &Server, tokens: &Tokens, password: &str) -> Answer {
    server.delete(ME).bearer(&tokens.access).json(json!({ "password": password })).send().await
}

#[actix_web::test]
async fn a_wrong_password_deletes_nothing() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    for (body, broken) in [
        (json!({ "password": "another-lantern-77" }), "password incorrect"),
        (json!({ "password": PASSWORD.to_uppercase() }), "password incorrect"),
        (json!({ "password": "" }), "password required"),
        (json!({ "password": null }), "password required"),
        (json!({ "password": [PASSWORD] }), "password wrong_type"),
        (json!({}), "password required"),
    ] {
        let answer = server.delete(ME).bearer(&tokens.access).json(body).expect(422).await;
        assert_eq!(answer.broken(), [broken]);
    }
    assert_eq!(me(&server, &tokens).await["username"], "ada");
    server.login("ada").await;
}

#[actix_web::test]
async fn a_deleted_account_is_gone_with_all_that_belongs_to_it() {
    let server = Server::start().await;
    let (tokens, other) = (server.user("ada").await, server.login("ada").await);
    assert_eq!(leave(&server, &tokens, PASSWORD).await.status, 204);
    for tokens in [&tokens, &other] {
        server.get(ME).bearer(&tokens.access).expect_problem(401, "revoked_token").await;
        let body = json!({ "refresh_token": tokens.refresh });
        server.post("/api/v1/refresh").json(body).expect_problem(401, "invalid_refresh_token").await;
    }
    let body = json!({ "username": "ada", "password": PASSWORD });
    server.post("/api/v1/login").json(body).expect_problem(401, "invalid_credentials").await;
    let left: (i64, i64) = server
        .sql("select (select count(*) from users), (select count(*) from sessions)")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(left, (0, 0));
}

#[actix_web::test]
async fn a_deleted_accounts_names_are_free_again() {
    let server = Server::start().await;
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
    let first = server.post(REGISTER).json(body.clone()).expect(201).await.json();
    let tokens = server.login("ada").await;
    let form = format!("password={PASSWORD}");
    server.delete(ME).bearer(&tokens.access).form(&form).expect(204).await;
    let second = server.post(REGISTER).json(body).expect(201).await.json();
    assert_ne!(first["id"], second["id"]);
    server.get(ME).bearer(&tokens.access).expect_problem(401, "revoked_token").await;
}

#[actix_web::test]
async fn the_last_admin_stays() {
    let server = Server::start().await;
    let (ada, bob) = (server.admin("ada").await, server.user("bob").await);
    let refused = leave(&server, &ada, PASSWORD).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (409, Some("last_admin")));
    assert_eq!(me(&server, &ada).await["roles"], json!(["admin"]));
    assert_eq!(leave(&server, &bob, PASSWORD).await.status, 204);
    server.admin("eve").await;
    assert_eq!(leave(&server, &ada, PASSWORD).await.status, 204);
}

#[actix_web::test]
async fn a_disabled_admin_does_not_count() {
    let server = Server::start().await;
    let ada = server.admin("ada").await;
    server.admin("eve").await;
    let disable = server.sql("update users set disabled = $1 where username_key = 'eve'").bind(true);
    disable.execute().await.unwrap();
    assert_eq!(leave(&server, &ada, PASSWORD).await.status, 409);
}

#[actix_web::test]
async fn of_two_admins_who_leave_at_once_one_stays() {
    let server = Server::start().await;
    for _ in 0..ROUNDS {
        let (ada, eve) = (server.admin("ada").await, server.admin("eve").await);
        let (first, second) = join(leave(&server, &ada, PASSWORD), leave(&server, &eve, PASSWORD)).await;
        let (left, refused) = if first.status == 204 { (first, second) } else { (second, first) };
        assert_eq!((left.status, refused.status), (204, 409), "{}", left.text);
        assert_eq!(refused.json()["code"], "last_admin");
        server.sql("delete from users").execute().await.unwrap();
    }
}
