//! What is over is deleted, and nothing else.

use std::time::Duration;

use futures_util::future::join_all;
use portcullis::background::prune;
use portcullis::store::schedule;

use crate::api::support::Server;

const HOUR: Duration = Duration::from_secs(60 * 60);

async fn count(server: &Server, sql: &'static str) -> i64 {
    let (count,): (i64,) = server.sql(sql).fetch_one().await.unwrap();
    count
}

#[actix_web::test]
async fn sessions_go_a_day_after_their_end_and_open_ones_stay() {
    let server = Server::with(&["--refresh-token-ttl=2d"]).await;
    let sessions = async || count(&server, "select count(*) from sessions").await;
    let ended = server.user("ada").await;
    server.login("ada").await;
    server.post("/api/v1/logout").bearer(&ended.access).expect(204).await;
    for (hours, left) in [(0, 2), (23, 2), (2, 1), (24, 1), (23, 1), (1, 0)] {
        server.clock.advance(HOUR * hours);
        prune(&server.app).await.unwrap();
        assert_eq!(sessions().await, left, "{hours} hours later");
    }
    let tokens = server.login("ada").await;
    prune(&server.app).await.unwrap();
    server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
    server.get("/api/v1/me").bearer(&ended.access).expect_problem(401, "expired_token").await;
}

#[actix_web::test]
async fn more_sessions_than_a_batch_are_walked_through() {
    let server = Server::start().await;
    let kept = server.user("ada").await;
    let copy = "insert into sessions (id, user_id, generation, arrived, rotations, created_at, last_used_at, expires_at, \
                ends_by, ended_at) select $1, user_id, 1, 0, '', created_at, created_at, expires_at, ends_by, $2 \
                from sessions limit 1";
    for n in 0..1100_u32 {
        let id = portcullis::id::SessionId::new(server.clock.now() - Duration::from_secs(n.into()));
        let ended = (n % 11 != 0).then(|| server.clock.now() - HOUR * 25);
        server.sql(copy).bind(id).bind(ended).execute().await.unwrap();
    }
    prune(&server.app).await.unwrap();
    assert_eq!(count(&server, "select count(*) from sessions").await, 101);
    server.get("/api/v1/me").bearer(&kept.access).expect(200).await;
}

#[actix_web::test]
async fn changes_stay_while_a_token_that_they_concern_can_live() {
    let server = Server::with(&["--access-token-ttl=15m"]).await;
    for name in ["ada", "bob"] {
        let tokens = server.user(name).await;
        server.post("/api/v1/logout").bearer(&tokens.access).expect(204).await;
        server.clock.advance(Duration::from_secs(10 * 60));
    }
    for (minutes, left) in [(0, 2), (1, 1), (10, 0)] {
        server.clock.advance(Duration::from_secs(60 * minutes));
        prune(&server.app).await.unwrap();
        assert_eq!(server.changes().await, left, "{minutes} minutes later");
    }
    // The order goes on where it was.
    let tokens = server.login("ada").await;
    server.post("/api/v1/logout").bearer(&tokens.access).expect(204).await;
    assert_eq!(count(&server, "select max(seq) from changes").await, 3);
}

#[actix_web::test]
async fn of_replicas_that_find_a_task_due_one_does_it() {
    let server = Server::start().await;
    let replica = server.replica(&[]).await;
    let now = server.clock.now();
    // At the end a clock that was ahead has been set back.
    for (turn, at) in [now, now + HOUR, now + HOUR * 2, now - HOUR * 24].into_iter().enumerate() {
        let take = |server: &Server| {
            let db = server.app.db.clone();
            async move { schedule::spend_turn(&db, "test", at, at + HOUR).await.unwrap() }
        };
        let taken = join_all([&server, &replica].into_iter().cycle().take(12).map(take)).await;
        assert_eq!(taken.into_iter().filter(|taken| *taken).count(), 1, "turn {turn}");
    }
}
