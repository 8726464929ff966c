//! `/api/v1/refresh`: no healthy client is logged out, and no thief stays in.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::{join, join_all};
use portcullis::sessions::note_uses;
use portcullis::store::Executor;
use serde_json::json;

use crate::DATABASE;
use crate::api::support::{Database, Server, Tokens};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Refreshes with this token, and demands that it works.
async fn refresh(server: &Server, token: &str) -> Tokens {
    let body = json!({ "refresh_token": token });
    Tokens::of(&server.post("/api/v1/refresh").json(body).expect(200).await.json())
}

/// Refreshes with this token, and demands that it is refused.
async fn refused(server: &Server, token: &str) {
    let body = json!({ "refresh_token": token });
    let answer = server.post("/api/v1/refresh").json(body).expect_problem(401, "invalid_refresh_token").await;
    assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="portcullis""#);
}

/// Uses an access token, which proves that it arrived.
async fn use_it(server: &Server, tokens: &Tokens) {
    server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
}

async fn session_is_over(server: &Server, tokens: &Tokens) {
    server.get("/api/v1/me").bearer(&tokens.access).expect_problem(401, "revoked_token").await;
    refused(server, &tokens.refresh).await;
}

#[actix_web::test]
async fn each_use_gives_the_next_token_and_moves_the_end() {
    let server = Server::start().await;
    let mut tokens = server.user("ada").await;
    let mut seen = HashSet::from([tokens.refresh.clone()]);
    for _ in 0..5 {
        server.clock.advance(16 * DAY);
        let answer = server
            .post("/api/v1/refresh")
            .form(&format!("refresh_token={}", tokens.refresh))
            .expect(200)
            .await;
        assert_eq!(answer.json()["expires_in"], 900);
        tokens = Tokens::of(&answer.json());
        use_it(&server, &tokens).await;
        assert!(seen.insert(tokens.refresh.clone()), "a refresh token came twice");
    }
    // 80 days after login ten are left, however often it was refreshed.
    let answer =
        server.post("/api/v1/refresh").json(json!({ "refresh_token": tokens.refresh })).expect(200).await;
    assert_eq!(answer.json()["refresh_expires_in"], 10 * 24 * 60 * 60);
    let tokens = Tokens::of(&answer.json());
    server.clock.advance(10 * DAY);
    server.get("/api/v1/me").bearer(&tokens.access).expect_problem(401, "expired_token").await;
    refused(&server, &tokens.refresh).await;
}

#[actix_web::test]
async fn an_unused_session_ends_after_thirty_days() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    server.clock.advance(30 * DAY - MINUTE);
    let tokens = refresh(&server, &tokens.refresh).await;
    server.clock.advance(30 * DAY);
    refused(&server, &tokens.refresh).await;
}

#[actix_web::test]
async fn a_lost_answer_is_given_again_after_a_minute_and_after_a_day() {
    for wait in [MINUTE, DAY] {
        let server = Server::start().await;
        let tokens = server.user("ada").await;
        let lost = refresh(&server, &tokens.refresh).await;
        server.clock.advance(wait);
        let again = refresh(&server, &tokens.refresh).await;
        assert_eq!(again.refresh, lost.refresh);
        use_it(&server, &again).await;
        use_it(&server, &refresh(&server, &again.refresh).await).await;
    }
}

#[actix_web::test]
async fn a_successor_given_again_is_a_use_of_the_session() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    refresh(&server, &tokens.refresh).await;
    server.clock.advance(29 * DAY);
    let again =
        server.post("/api/v1/refresh").json(json!({ "refresh_token": tokens.refresh })).expect(200).await;
    assert_eq!(again.json()["refresh_expires_in"], 30 * 24 * 60 * 60);
    server.clock.advance(29 * DAY);
    use_it(&server, &refresh(&server, &Tokens::of(&again.json()).refresh).await).await;
}

#[actix_web::test]
async fn ten_parallel_refreshes_of_one_token_all_get_the_same_successor() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let answers = join_all((0..10).map(|_| refresh(&server, &tokens.refresh))).await;
    let successors: HashSet<_> = answers.iter().map(|answer| &answer.refresh).collect();
    assert_eq!(successors.len(), 1);
    for answer in &answers {
        use_it(&server, answer).await;
    }
    let next = refresh(&server, &answers[3].refresh).await;
    use_it(&server, &next).await;
}

#[actix_web::test]
async fn within_thirty_seconds_a_replaced_token_works_even_if_its_successor_was_used() {
    let server = Server::start().await;
    let first = server.user("ada").await;
    let second = refresh(&server, &first.refresh).await;
    use_it(&server, &second).await;
    let third = refresh(&server, &second.refresh).await;
    use_it(&server, &third).await;
    server.clock.advance(Duration::from_secs(30));
    assert_eq!(refresh(&server, &first.refresh).await.refresh, second.refresh);
    assert_eq!(refresh(&server, &second.refresh).await.refresh, third.refresh);
    server.clock.advance(Duration::from_secs(1));
    refused(&server, &first.refresh).await;
    session_is_over(&server, &third).await;
}

#[actix_web::test]
async fn sixty_rotations_within_the_grace_are_remembered() {
    let server = Server::start().await;
    let mut chain = vec![server.user("ada").await];
    for n in 0..60 {
        chain.push(refresh(&server, &chain[n].refresh).await);
    }
    assert_eq!(refresh(&server, &chain[0].refresh).await.refresh, chain[1].refresh);
}

#[actix_web::test]
async fn thief_first_victim_second_ends_the_session() {
    let server = Server::start().await;
    let victim = server.user("ada").await;
    let thief = refresh(&server, &victim.refresh).await;
    use_it(&server, &thief).await;
    server.clock.advance(MINUTE);
    refused(&server, &victim.refresh).await;
    session_is_over(&server, &thief).await;
    use_it(&server, &server.login("ada").await).await;
}

#[actix_web::test]
async fn victim_first_thief_second_ends_the_session() {
    let server = Server::start().await;
    let stolen = server.user("ada").await;
    let victim = refresh(&server, &stolen.refresh).await;
    let victim = refresh(&server, &victim.refresh).await;
    server.clock.advance(MINUTE);
    refused(&server, &stolen.refresh).await;
    session_is_over(&server, &victim).await;
}

#[actix_web::test]
async fn a_thief_who_got_in_within_the_grace_is_out_at_the_next_refresh() {
    let server = Server::start().await;
    let victim = server.user("ada").await;
    let thief = refresh(&server, &victim.refresh).await;
    let victim = refresh(&server, &victim.refresh).await;
    assert_eq!(victim.refresh, thief.refresh);
    server.clock.advance(15 * MINUTE);
    let thief = refresh(&server, &thief.refresh).await;
    use_it(&server, &thief).await;
    server.clock.advance(MINUTE);
    refused(&server, &victim.refresh).await;
    session_is_over(&server, &thief).await;
}

#[actix_web::test]
async fn reuse_ends_one_session_and_notes_it_once() {
    let server = Server::start().await;
    let stolen = server.user("ada").await;
    let other = server.login("ada").await;
    let next = refresh(&server, &stolen.refresh).await;
    use_it(&server, &next).await;
    server.clock.advance(MINUTE);
    join_all((0..5).map(|_| refused(&server, &stolen.refresh))).await;
    use_it(&server, &other).await;
    let rows: Vec<(String,)> = server.sql("select reason from changes").fetch_all().await.unwrap();
    assert_eq!(rows, [("refresh_token_reused".to_owned(),)]);
    let counted: Vec<_> = server.app.counts.refreshes.each().filter(|(_, count)| *count > 0).collect();
    assert!(counted.contains(&("reused", 1)), "{counted:?}");
}

#[actix_web::test]
async fn replicas_agree_on_the_successor_and_on_what_arrived() {
    let one = Server::start().await;
    let two = one.replica(&[]).await;
    let tokens = one.user("ada").await;
    let here = (0..5).map(|_| refresh(&one, &tokens.refresh));
    let there = (0..5).map(|_| refresh(&two, &tokens.refresh));
    let (here, there) = join(join_all(here), join_all(there)).await;
    let successors: HashSet<_> = here.iter().chain(&there).map(|answer| &answer.refresh).collect();
    assert_eq!(successors.len(), 1);
    use_it(&two, &here[0]).await;
    one.clock.advance(MINUTE);
    refused(&one, &tokens.refresh).await;
    session_is_over(&two, &there[0]).await;
}

/// Who can be read is answered, and does not wait each time for what can't be written; it is written when it can be, also if the token
/// never comes back.
#[actix_web::test]
async fn while_writes_hang_a_new_token_is_good_and_its_arrival_is_noted_afterwards() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let next = refresh(&server, &tokens.refresh).await;
    let mut writer = server.app.db.begin().await.unwrap();
    let lock = writer.query_either("lock table sessions in share mode", "select 1");
    lock.execute().await.unwrap();
    let uses = async {
        for _ in 0..10 {
            use_it(&server, &next).await;
        }
    };
    // Less than one statement may take that a request can't do without.
    tokio::time::timeout(Duration::from_secs(3), uses).await.expect("all but the first come at once");
    drop(writer);
    note_uses(&server.app).await.unwrap();
    server.clock.advance(MINUTE);
    refused(&server, &tokens.refresh).await;
    session_is_over(&server, &next).await;
}

/// What is wrong with the service itself is no outage.
#[actix_web::test]
async fn an_arrival_that_can_never_be_noted_is_an_error() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let broken = match DATABASE {
        Database::Sqlite => {
            "create trigger broken before update on sessions begin select raise(abort, 'on purpose'); end"
        }
        Database::Postgres => "alter table sessions add constraint broken check (arrived = 0) not valid",
    };
    server.sql(broken).execute().await.unwrap();
    server.get("/api/v1/me").bearer(&tokens.access).expect_problem(500, "internal").await;
}

#[actix_web::test]
async fn what_is_no_refresh_token_of_ours_is_refused() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let altered = format!("{}A", &tokens.refresh[..tokens.refresh.len() - 1]);
    let altered =
        if altered == tokens.refresh { tokens.refresh.replace("pc_rt_A", "pc_rt_B") } else { altered };
    for bad in [
        "x",
        "pc_rt_",
        &altered,
        &tokens.access,
        &tokens.refresh.to_uppercase(),
        "pc_rt_\0",
        &"a".repeat(9000),
    ] {
        refused(&server, bad).await;
    }
    use_it(&server, &refresh(&server, &tokens.refresh).await).await;

    // A refresh token is no access token.
    server.get("/api/v1/me").bearer(&tokens.refresh).expect_problem(401, "invalid_token").await;
    for (body, broken) in
        [(json!({}), "refresh_token required"), (json!({"refresh_token": 1}), "refresh_token wrong_type")]
    {
        let answer = server.post("/api/v1/refresh").json(body).expect_problem(422, "validation_failed").await;
        assert_eq!(answer.broken(), [broken]);
    }
}

#[actix_web::test]
async fn an_ended_session_can_not_be_refreshed() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    server.post("/api/v1/logout").bearer(&tokens.access).expect(204).await;
    refused(&server, &tokens.refresh).await;
}

#[actix_web::test]
async fn a_refresh_shows_the_roles_of_now() {
    let server = Server::start().await;
    let tokens = server.admin("ada").await;
    server.sql("delete from user_roles").execute().await.unwrap();
    let answer =
        server.post("/api/v1/refresh").json(json!({ "refresh_token": tokens.refresh })).expect(200).await;
    assert_eq!(answer.json()["user"]["roles"], json!([]));
}
