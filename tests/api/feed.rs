//! The feed of changes on a real database: whatever the order of commits, it leaves nothing out.

use std::cell::Cell;

use futures_util::future::{join, join_all};
use portcullis::id::{SessionId, UserId};
use portcullis::store::changes::{self, Reason};
use portcullis::store::{Db, Feed};

use crate::api::support::Server;

const WRITERS: u64 = 12;
const ROUNDS: u64 = 25;

/// Adds changes, dawdles, and commits or gives up; returns the sessions that were committed.
async fn write(db: &Db, writer: u64) -> Vec<SessionId> {
    let mut committed = Vec::new();
    // As good as random, and the same in each run.
    let mut state = writer + 1;
    let mut dice = |sides: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % sides
    };
    for round in 0..ROUNDS {
        let mut tx = db.begin().await.unwrap();
        for _ in 0..dice(20) {
            tokio::task::yield_now().await;
        }
        let sessions: Vec<_> = (0..=dice(3))
            .map(|n| SessionId::from((u128::from(writer * 1000 + round) << 8 | u128::from(n)).to_be_bytes()))
            .collect();
        let noted: Vec<_> = sessions.iter().copied().map(Some).collect();
        let now = chrono::DateTime::UNIX_EPOCH;
        changes::insert(&mut tx, Reason::LoggedOut, Some(UserId::from([7; 16])), &noted, now).await.unwrap();
        for _ in 0..dice(20) {
            tokio::task::yield_now().await;
        }
        if dice(4) == 0 {
            drop(tx);
        } else {
            tx.commit().await.unwrap();
            committed.extend(sessions);
        }
    }
    committed
}

#[actix_web::test]
async fn every_change_is_read_once_and_in_order_whoever_commits_first() {
    let server = Server::with(&["--database-max-connections=20"]).await;
    let done = Cell::new(false);
    let writers = async {
        let committed = join_all((0..WRITERS).map(|writer| write(&server.app.db, writer))).await;
        done.set(true);
        committed.concat()
    };
    let reader = async {
        let mut feed = Feed::new(&server.app.db);
        let (mut read, mut last_round) = (Vec::new(), false);
        loop {
            let news = feed.read(Some(read.len() as i64)).await.unwrap();
            for change in news.changes {
                assert_eq!(change.seq, read.len() as i64 + 1, "there is a gap");
                read.push(change.session_id.unwrap());
            }
            if last_round {
                return read;
            }
            last_round = done.get();
        }
    };
    let (mut committed, mut read) = join(writers, reader).await;
    assert!(committed.len() > 300);
    committed.sort();
    read.sort();
    assert_eq!(read, committed);
}
