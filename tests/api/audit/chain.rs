//! No row is changed, removed or added unseen.

use std::time::Duration;

use futures_util::future::{join, join_all};
use portcullis::audit::{Actor, Broken, Damage, Event, Verdict};
use portcullis::background::prune;
use portcullis::id::EventId;
use portcullis::store::Executor;
use serde_json::json;

use super::{AUDIT, note, seal, verify};
use crate::DATABASE;
use crate::api::support::{Database, Server};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The row in this place.
async fn at(server: &Server, seq: i64) -> EventId {
    let (id,) = server.sql("select id from audit_events where seq = $1").bind(seq).fetch_one().await.unwrap();
    id
}

async fn count(server: &Server, sql: &'static str) -> i64 {
    let (count,): (i64,) = server.sql(sql).fetch_one().await.unwrap();
    count
}

async fn rows(server: &Server) -> u64 {
    count(server, "select count(*) from audit_events").await.try_into().unwrap()
}

/// Where what was done shows: a place in the chain, or the row that was put there.
enum Shows {
    At(i64),
    AtTheNewRow,
}
use Shows::{At, AtTheNewRow};

/// A row that is not the service's own, where `$1` is its id.
macro_rules! insert {
    ($seq:literal, $hash:literal) => {
        concat!(
            "insert into audit_events (id, at, event, actor_id, user_id, ip, user_agent, details, seq, hash) \
             select $1, at, event, actor_id, user_id, ip, user_agent, details, ",
            $seq,
            ", ",
            $hash,
            " from audit_events where seq = 3"
        )
    };
}

/// What a hand can do to a log of eight sealed rows and their head, and what is then found.
const TAMPERING: &[(&[&str], Shows, Damage)] = &[
    (&["update audit_events set event = 'user_deleted' where seq = 3"], At(3), Damage::Changed),
    (&["update audit_events set user_id = id where seq = 3"], At(3), Damage::Changed),
    (&["update audit_events set actor_id = id where seq = 1"], At(1), Damage::Changed),
    (&["update audit_events set ip = '192.0.2.1' where seq = 8"], At(8), Damage::Changed),
    (&["update audit_events set user_agent = '' where seq = 3"], At(3), Damage::Changed),
    (&["update audit_events set details = '{}' where seq = 3"], At(3), Damage::Changed),
    (&["update audit_events set details = '[1]' where seq = 3"], At(3), Damage::Changed),
    (
        &["update audit_events set at = (select at from audit_events where seq = 8) where seq = 3"],
        At(3),
        Damage::Changed,
    ),
    (
        &["update audit_events set hash = (select hash from audit_events where seq = 2) where seq = 3"],
        At(3),
        Damage::Changed,
    ),
    // Removed.
    (&["delete from audit_events where seq = 1"], At(2), Damage::MissingBefore),
    (&["delete from audit_events where seq in (3, 4)"], At(5), Damage::MissingBefore),
    (&["update audit_events set seq = null where seq = 3"], At(4), Damage::MissingBefore),
    (&["delete from audit_events where seq = 8"], At(8), Damage::End),
    (&["delete from audit_events"], At(8), Damage::End),
    // Removed, and the rest made to fit.
    (
        &[
            "delete from audit_events where seq = 3",
            "update audit_events set seq = seq - 1 where seq = 4",
            "update audit_events set seq = seq - 1 where seq = 5",
            "update audit_events set seq = seq - 1 where seq = 6",
            "update audit_events set seq = seq - 1 where seq = 7",
            "update audit_events set seq = seq - 1 where seq = 8",
        ],
        At(4),
        Damage::Changed,
    ),
    (
        &[
            "delete from audit_events where seq = 8",
            "update audit_head set seq = 7, last_id = (select id from audit_events where seq = 7), \
             hash = (select hash from audit_events where seq = 7)",
        ],
        At(7),
        Damage::Head,
    ),
    (
        &[
            "update audit_head set anchor_seq = 3, anchor_hash = (select hash from audit_events where seq = 3)",
            "delete from audit_events where seq <= 3",
        ],
        At(8),
        Damage::Head,
    ),
    // Inserted.
    (&[insert!("null", "hash")], AtTheNewRow, Damage::Inserted),
    (&[insert!("9", "hash")], AtTheNewRow, Damage::Inserted),
    (&[insert!("0", "hash")], AtTheNewRow, Damage::Inserted),
    (&[insert!("-9", "hash")], AtTheNewRow, Damage::Inserted),
    (&["update audit_events set seq = 9 where seq = 8", insert!("8", "hash")], AtTheNewRow, Damage::Changed),
    // Another in its place.
    (&["delete from audit_events where seq = 5", insert!("5", "hash")], AtTheNewRow, Damage::Changed),
    (
        &[
            "update audit_events set seq = 99 where seq = 3",
            "update audit_events set seq = 3 where seq = 4",
            "update audit_events set seq = 4 where seq = 99",
        ],
        At(4),
        Damage::Changed,
    ),
];

#[actix_web::test]
async fn whatever_a_hand_does_to_it_is_found() {
    for (statements, shows, damage) in TAMPERING {
        let server = Server::start().await;
        let admin = server.admin("root").await;
        note(&server, 4).await;
        server.clock.advance(Duration::from_secs(1));
        note(&server, 1).await;
        seal(&server).await;
        let sound = verify(&server).await;
        assert_eq!((sound.verified, sound.unsealed, sound.broken), (8, 0, None));

        let new = EventId::new(server.clock.now());
        let expected = match shows {
            At(seq) => at(&server, *seq).await,
            AtTheNewRow => new,
        };
        for sql in *statements {
            let query = server.sql(sql);
            let query = if sql.contains("$1") { query.bind(new) } else { query };
            query.execute().await.unwrap();
        }
        let verdict = verify(&server).await;
        let broken = verdict.broken.unwrap_or_else(|| panic!("nothing is found after {statements:?}"));
        assert_eq!((broken.id, broken.what), (expected, *damage), "{statements:?}");
        assert!(verdict.verified <= 8, "{verdict:?}");
        let answer = server.get(&format!("{AUDIT}/verify")).bearer(&admin.access).expect(200).await.json();
        assert_eq!(answer, json!({ "verified": verdict.verified, "broken_at": expected }), "{statements:?}");

        // What is written and sealed after that does not hide it.
        note(&server, 2).await;
        let _ = server.app.audit.seal(&server.app.db).await;
        assert!(verify(&server).await.broken.is_some(), "{statements:?} is hidden");
    }
}

#[actix_web::test]
async fn a_log_that_is_sound_says_so() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    seal(&server).await;
    let rows = rows(&server).await;
    assert_eq!(rows, 3);
    let answer = server.get(&format!("{AUDIT}/verify")).bearer(&admin.access).expect(200).await.json();
    assert_eq!(answer, json!({ "verified": rows, "broken_at": null }));
}

#[actix_web::test]
async fn an_unsealed_row_that_was_changed_is_found_and_never_sealed() {
    let server = Server::start().await;
    note(&server, 2).await;
    let app = &server.app;
    // In one transaction, so that it can't be sealed before it is changed.
    let mut tx = app.db.begin().await.unwrap();
    let entry = Actor::service().did(Event::LoginFailed, None).with("n", "changed");
    app.audit.note(&mut tx, entry, app.clock.now()).await.unwrap();
    let change = "update audit_events set event = 'user_deleted' where seq is null and cast(details as text) like '%changed%'";
    assert_eq!(tx.query(change).execute().await.unwrap(), 1);
    tx.commit().await.unwrap();
    note(&server, 2).await;
    for _ in 0..2 {
        seal(&server).await;
        let verdict = verify(&server).await;
        let (changed,) =
            server.sql("select id from audit_events where event = 'user_deleted'").fetch_one().await.unwrap();
        assert_eq!(verdict.broken, Some(Broken { id: changed, what: Damage::Inserted }));
        assert_eq!((verdict.verified, verdict.unsealed), (4, 0));
        assert_eq!(count(&server, "select count(*) from audit_events where seq is null").await, 1);
    }
}

#[actix_web::test]
async fn a_head_that_is_gone_is_found() {
    let server = Server::start().await;
    server.register("ada").await;
    seal(&server).await;
    server.sql("delete from audit_head").execute().await.unwrap();
    let broken = verify(&server).await.broken.unwrap();
    assert_eq!((broken.id, broken.what), (EventId::NIL, Damage::Head));
    // A new one has another key: what was sealed before is not of it.
    let again = server.replica(&[]).await;
    assert!(verify(&again).await.broken.is_some());
    // What happens goes on to be kept.
    again.login("ada").await;
}

/// In SQLite a column takes what is no time; Postgres does not.
#[actix_web::test]
async fn a_row_that_can_not_be_read_is_found() {
    if DATABASE == Database::Postgres {
        return;
    }
    for change in [
        "update audit_events set at = 'yesterday' where seq = 3",
        "update audit_events set id = x'00' where seq = 3",
        "update audit_events set ip = cast(x'ff' as text) where seq = 3",
    ] {
        let server = Server::start().await;
        note(&server, 5).await;
        seal(&server).await;
        server.sql(change).execute().await.unwrap();
        assert_eq!(
            verify(&server).await.broken.map(|broken| broken.what),
            Some(Damage::Unreadable),
            "{change}"
        );
    }
}

#[actix_web::test]
async fn what_is_older_than_the_retention_goes_and_the_rest_stays_sound() {
    let server = Server::with(&["--audit-retention=10d"]).await;
    let start = verify(&server).await.verified;
    assert_eq!(start, 0);
    for rows in [1200, 30, 5] {
        note(&server, rows).await;
        seal(&server).await;
        server.clock.advance(4 * DAY);
    }
    // After 12, 16, 20 and 24 days.
    for left in [35, 5, 0, 0] {
        prune(&server.app).await.unwrap();
        assert_eq!(rows(&server).await, left);
        let verdict = verify(&server).await;
        assert_eq!((verdict.verified, verdict.broken), (left, None));
        assert_eq!(verdict.end.map(|(seq, _)| seq), Some(1235), "the chain goes on where it was");
        server.clock.advance(4 * DAY);
    }
    note(&server, 3).await;
    seal(&server).await;
    assert_eq!(verify(&server).await.verified, 3);
    server.sql("delete from audit_events where seq = 1236").execute().await.unwrap();
    assert_eq!(verify(&server).await.broken.map(|broken| broken.what), Some(Damage::MissingBefore));
}

#[actix_web::test]
async fn what_is_not_sound_is_not_pruned_away() {
    let server = Server::with(&["--audit-retention=10d"]).await;
    note(&server, 10).await;
    seal(&server).await;
    server.sql("update audit_events set event = 'user_deleted' where seq = 4").execute().await.unwrap();
    let changed = at(&server, 4).await;
    server.clock.advance(20 * DAY);
    prune(&server.app).await.unwrap();
    assert_eq!(rows(&server).await, 7);
    let broken = verify(&server).await.broken.unwrap();
    assert_eq!((broken.id, broken.what), (changed, Damage::Changed));
}

/// A hand that dates rows back must not have them pruned.
#[actix_web::test]
async fn rows_that_were_dated_back_are_not_pruned_away() {
    let server = Server::start().await;
    note(&server, 10).await;
    seal(&server).await;
    let sql = "update audit_events set at = $1";
    server.sql(sql).bind(server.clock.now() - 1000 * DAY).execute().await.unwrap();
    prune(&server.app).await.unwrap();
    assert_eq!(rows(&server).await, 10);
    assert_eq!(verify(&server).await.broken.map(|broken| broken.what), Some(Damage::Changed));
}

#[actix_web::test]
async fn replicas_that_write_and_seal_at_once_lose_nothing() {
    let server = Server::start().await;
    let replicas = [server.replica(&[]).await, server.replica(&[]).await];
    let all = [&server, &replicas[0], &replicas[1]];
    // Files are not for several programs that write all the time.
    let each = if DATABASE == Database::Sqlite { 100 } else { 400 };
    let write = all.into_iter().cycle().take(9).map(|replica| note(replica, each));
    let seal = all.into_iter().cycle().take(6).map(async |replica| {
        for _ in 0..20 {
            seal(replica).await;
            let verdict = verify(replica).await;
            assert_eq!(verdict.broken, None, "{verdict:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    join(join_all(write), join_all(seal)).await;
    super::seal(&server).await;
    let Verdict { verified, unsealed, end, broken } = verify(&replicas[0]).await;
    let expected = 9 * each as u64;
    assert_eq!((verified, unsealed, broken), (expected, 0, None));
    assert_eq!(end.map(|(seq, _)| seq), Some(expected as i64));
    assert_eq!(rows(&server).await, expected);
}

/// The service does so by itself, within a second and a little.
#[actix_web::test]
async fn events_are_sealed_by_themselves() {
    let server = Server::start().await;
    note(&server, 3).await;
    let asked = std::time::Instant::now();
    while count(&server, "select count(*) from audit_events where seq is null").await > 0 {
        assert!(asked.elapsed() < Duration::from_secs(10), "nobody seals them");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(verify(&server).await.unsealed, 0);
}

#[actix_web::test]
async fn it_stays_sound_when_the_secret_is_changed() {
    const NEW: &str = "--secret-key=new-key-not-secret-0123456789abc";
    const BEFORE: &str = "--secret-key-previous=test-key-not-secret-0123456789ab";
    let server = Server::start().await;
    note(&server, 3).await;
    seal(&server).await;
    let changed = server.replica(&[NEW, BEFORE]).await;
    note(&changed, 3).await;
    seal(&changed).await;
    let alone = server.replica(&[NEW]).await;
    note(&alone, 3).await;
    note(&server, 1).await;
    seal(&alone).await;
    for replica in [&server, &changed, &alone] {
        let verdict = verify(replica).await;
        assert_eq!((verdict.verified, verdict.broken), (10, None));
    }
    alone.sql("update audit_events set event = 'user_deleted' where seq = 2").execute().await.unwrap();
    assert_eq!(verify(&alone).await.broken.map(|broken| broken.id), Some(at(&server, 2).await));
}
