//! `/api/v1/logout` and `/api/v1/me/sessions`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::support::{Server, Tokens};

async fn sessions(server: &Server, tokens: &Tokens) -> Vec<Value> {
    let list = server.get("/api/v1/me/sessions").bearer(&tokens.access).expect(200).await.json();
    list["items"].as_array().unwrap().clone()
}

async fn lives(server: &Server, tokens: &Tokens) -> bool {
    let answer = server.get("/api/v1/me").bearer(&tokens.access).send().await;
    assert!(answer.status == 200 || answer.json()["code"] == "revoked_token");
    let refreshed =
        server.post("/api/v1/refresh").json(json!({ "refresh_token": tokens.refresh })).send().await;
    assert_eq!(answer.status, refreshed.status);
    answer.status == 200
}

#[actix_web::test]
async fn a_logout_ends_this_session_all_or_all_others() {
    for (scope, left) in [
        (json!(null), [false, true, true]),
        (json!({}), [false, true, true]),
        (json!({ "scope": null }), [false, true, true]),
        (json!({ "scope": "session" }), [false, true, true]),
        (json!({ "scope": "all" }), [false, false, false]),
        (json!({ "scope": "others" }), [true, false, false]),
    ] {
        let server = Server::start().await;
        let stranger = server.user("stranger").await;
        let mine = [server.user("ada").await, server.login("ada").await, server.login("ada").await];
        let request = server.post("/api/v1/logout").bearer(&mine[0].access);
        let request = if scope.is_null() { request } else { request.json(scope.clone()) };
        request.expect(204).await;
        for (tokens, lived) in mine.iter().zip(left) {
            assert_eq!(lives(&server, tokens).await, lived, "{scope}");
        }
        assert!(lives(&server, &stranger).await);
        let ended = left.iter().filter(|left| !**left).count() as i64;
        let sql = "select count(*), count(distinct session_id) from changes where reason = 'logged_out'";
        let rows: (i64, i64) = server.sql(sql).fetch_one().await.unwrap();
        assert_eq!(rows, (ended, ended), "{scope}");
    }
}

#[actix_web::test]
async fn a_logout_by_form_and_with_a_bad_scope() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let logout = || server.post("/api/v1/logout").bearer(&tokens.access);
    for (body, broken) in
        [(json!({"scope": "everyone"}), "scope invalid"), (json!({"scope": ["all"]}), "scope wrong_type")]
    {
        let answer = logout().json(body).expect_problem(422, "validation_failed").await;
        assert_eq!(answer.broken(), [broken]);
    }
    logout().json(json!([])).expect_problem(400, "malformed_body").await;
    logout().form("scope=all").expect(204).await;
    logout().expect_problem(401, "revoked_token").await;
}

#[actix_web::test]
async fn sessions_are_listed_newest_first_and_only_open_ones() {
    let server = Server::start().await;
    let first = server.user("ada").await;
    server.user("stranger").await;
    server.clock.advance(Duration::from_secs(60));
    let second = server.login("ada").await;
    let ended = server.login("ada").await;
    server.post("/api/v1/logout").bearer(&ended.access).expect(204).await;

    let list = sessions(&server, &first).await;
    assert_eq!(list.len(), 2);
    assert_eq!((&list[0]["current"], &list[1]["current"]), (&json!(false), &json!(true)));
    assert!(list[0]["created_at"].as_str() > list[1]["created_at"].as_str());
    assert_eq!(list[0]["ip"], "127.0.0.1");
    assert_eq!(sessions(&server, &second).await[0]["current"], true);
}

#[actix_web::test]
async fn the_list_is_paged() {
    let server = Server::start().await;
    let mut tokens = server.user("ada").await;
    for _ in 0..4 {
        tokens = server.login("ada").await;
    }
    let all: Vec<_> = sessions(&server, &tokens).await.iter().map(|session| session["id"].clone()).collect();
    let (mut paged, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/me/sessions?limit=2{cursor}");
        let list = server.get(&path).bearer(&tokens.access).expect(200).await.json();
        paged.extend(list["items"].as_array().unwrap().iter().map(|session| session["id"].clone()));
        let Some(next) = list["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(all.len(), 5);
    assert_eq!(paged, all);
    let list = |query: &str| server.get(&format!("/api/v1/me/sessions?{query}")).bearer(&tokens.access);
    for bad in ["limit=0", "limit=201", "limit=two", "limit=", "limit=1&limit=2"] {
        list(bad).expect_problem(400, "invalid_request").await;
    }
    for bad in ["cursor=x", "cursor=", "cursor=%00", "cursor=AAAA"] {
        list(bad).expect_problem(400, "invalid_cursor").await;
    }
}

#[actix_web::test]
async fn one_session_is_ended_by_its_id_and_only_ones_own() {
    let server = Server::start().await;
    let (mine, other) = (server.user("ada").await, server.login("ada").await);
    let stranger = server.user("stranger").await;
    let theirs = sessions(&server, &stranger).await[0]["id"].as_str().unwrap().to_owned();
    let id = sessions(&server, &mine).await[0]["id"].as_str().unwrap().to_owned();

    let end = |id: &str| server.delete(&format!("/api/v1/me/sessions/{id}")).bearer(&mine.access);
    end(&id).expect(204).await;
    assert!(!lives(&server, &other).await);
    for unknown in [&id, &theirs, "x", "00000000-0000-0000-0000-000000000000", "%00"] {
        end(unknown).expect_problem(404, "not_found").await;
    }
    assert!(lives(&server, &stranger).await && lives(&server, &mine).await);
}

#[actix_web::test]
async fn last_use_is_noted_at_most_once_a_minute() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let last_used = async || sessions(&server, &tokens).await[0]["last_used_at"].clone();
    let first = last_used().await;
    server.clock.advance(Duration::from_secs(59));
    assert_eq!(last_used().await, first);
    server.clock.advance(Duration::from_secs(60));
    // Answered from memory, and written down beside the requests.
    server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
    assert_eq!(last_used().await, first);
    portcullis::sessions::note_uses(&server.app).await.unwrap();
    assert_ne!(last_used().await, first);
}
