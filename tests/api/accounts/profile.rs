//! `GET` and `PATCH /api/v1/me`.

use std::time::Duration;

use serde_json::json;

use super::{ME, REGISTER, me};
use crate::api::support::{PASSWORD, Server};

#[actix_web::test]
async fn a_user_changes_its_names() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let before = me(&server, &tokens).await;
    server.clock.advance(Duration::from_secs(5));
    let body = json!({ "username": "Countess", "display_name": "Ada L." });
    let changed = server.patch(ME).bearer(&tokens.access).json(body).expect(200).await.json();
    assert_eq!((&changed["username"], &changed["display_name"]), (&json!("Countess"), &json!("Ada L.")));
    assert_eq!((&changed["id"], &changed["created_at"]), (&before["id"], &before["created_at"]));
    assert!(changed["updated_at"].as_str() > before["updated_at"].as_str());
    assert_eq!(me(&server, &tokens).await, changed);
    server.login("countess").await;
    server.register("ada").await;
}

#[actix_web::test]
async fn what_is_not_named_in_a_change_stays() {
    let server = Server::start().await;
    let body =
        json!({ "username": "ada", "email": "ada@example.com", "display_name": "Ada", "password": PASSWORD });
    let user = server.post(REGISTER).json(body).expect(201).await.json();
    let tokens = server.login("ada").await;
    for (change, username, display_name) in [
        (json!({ "display_name": "Countess" }), json!("ada"), json!("Countess")),
        (json!({ "username": "countess" }), json!("countess"), json!("Countess")),
        (json!({ "username": null }), json!(null), json!("Countess")),
        (json!({ "username": "ada" }), json!("ada"), json!("Countess")),
    ] {
        let changed = server.patch(ME).bearer(&tokens.access).json(change).expect(200).await.json();
        assert_eq!((&changed["username"], &changed["display_name"]), (&username, &display_name));
        assert_eq!((&changed["email"], &changed["id"]), (&user["email"], &user["id"]));
    }
}

#[actix_web::test]
async fn an_empty_change_changes_nothing() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let before = me(&server, &tokens).await;
    server.clock.advance(Duration::from_secs(5));
    let changed = server.patch(ME).bearer(&tokens.access).json(json!({})).expect(200).await.json();
    assert_eq!(changed, before);
}

#[actix_web::test]
async fn null_or_an_empty_value_in_a_form_clears() {
    let server = Server::start().await;
    let body =
        json!({ "username": "ada", "email": "ada@example.com", "display_name": "Ada", "password": PASSWORD });
    server.post(REGISTER).json(body).expect(201).await;
    let tokens = server.login("ada").await;
    let patch = || server.patch(ME).bearer(&tokens.access);
    let user = patch().json(json!({ "display_name": null })).expect(200).await.json();
    assert_eq!(user["display_name"], json!(null));
    patch().form("display_name=Ada").expect(200).await;
    let user = patch().form("display_name=&username=").expect(200).await.json();
    assert_eq!((&user["display_name"], &user["username"]), (&json!(null), &json!(null)));
}

#[actix_web::test]
async fn a_change_that_leaves_no_name_is_refused() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    for request in [
        server.patch(ME).json(json!({ "username": null, "display_name": "Ada" })),
        server.patch(ME).form("username=&display_name=Ada"),
    ] {
        let answer = request.bearer(&tokens.access).expect_problem(422, "validation_failed").await;
        assert_eq!(answer.broken(), ["username required"]);
    }
    let user = me(&server, &tokens).await;
    assert_eq!((&user["username"], &user["display_name"]), (&json!("ada"), &json!(null)));
}

#[actix_web::test]
async fn anothers_name_is_taken_and_ones_own_in_another_case_is_not() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    server.register("Bob").await;
    let change = async |name: &str| {
        server.patch(ME).bearer(&tokens.access).json(json!({ "username": name })).send().await
    };
    for taken in ["Bob", "bOB"] {
        let answer = change(taken).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (409, Some("username_taken")));
    }
    assert_eq!(me(&server, &tokens).await["username"], "ada");
    assert_eq!(change("ADA").await.json()["username"], "ADA");
}

#[actix_web::test]
async fn a_change_binds_nothing_but_names() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let before = me(&server, &tokens).await;
    let body = json!({
        "id": "019a96b3-0400-7000-8000-000000000001", "email": "ada@example.com", "roles": ["admin"],
        "email_verified": true, "disabled": true, "password": "another-lantern-77", "display_name": "Ada",
    });
    let mut changed = server.patch(ME).bearer(&tokens.access).json(body).expect(200).await.json();
    assert_eq!(changed["display_name"], "Ada");
    changed["display_name"] = json!(null);
    assert_eq!(changed, before);
    server.login("ada").await;
}

#[actix_web::test]
async fn a_change_is_held_to_the_rules_of_names() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    for (body, broken) in [
        (json!({ "username": "a" }), vec!["username too_short"]),
        (
            json!({ "username": 7, "display_name": ["x"] }),
            vec!["username wrong_type", "display_name wrong_type"],
        ),
        (
            json!({ "username": "a b", "display_name": "\u{1b}[2J" }),
            vec!["username invalid", "display_name invalid"],
        ),
        (json!({ "username": "countess", "display_name": "x".repeat(101) }), vec!["display_name too_long"]),
    ] {
        let answer = server.patch(ME).bearer(&tokens.access).json(body).expect(422).await;
        assert_eq!(answer.broken(), broken);
    }
    assert_eq!(me(&server, &tokens).await["username"], "ada");
}
