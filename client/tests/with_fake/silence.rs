//! Failing closed, and recovering.

use std::time::{Duration, Instant};

use portcullis_client::{Error, Verifier};
use serde_json::json;

use crate::fake::{Fake, Mode, id, item, until};

const SECOND: Duration = Duration::from_secs(1);

fn is_unavailable(verifier: &Verifier, token: &str) -> bool {
    matches!(verifier.verify(token), Err(Error::Unavailable { .. }))
}

/// The feed goes bad in this way, and good again. Meanwhile a session ends, of which the client must never accept a
/// token after the silence.
async fn closes_and_recovers(bad: Mode) {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let (good, ended) = (fake.token(id(5), id(51)), fake.token(id(5), id(52)));
    verifier.verify(&good).unwrap();

    let silent = Instant::now();
    fake.set(|state| state.feed = bad);
    until(4 * SECOND, || is_unavailable(&verifier, &good)).await;
    assert!(silent.elapsed() <= 4 * SECOND, "{:?}", silent.elapsed());
    assert!(!verifier.is_ready());
    fake.revoke(id(5), Some(id(52)));
    until(5 * SECOND, || verifier.problem().is_some()).await;

    fake.set(|state| state.feed = Mode::Works);
    until(10 * SECOND, || {
        assert!(verifier.verify(&ended).is_err(), "a token was accepted whose session had ended");
        verifier.verify(&good).is_ok()
    })
    .await;
    assert_eq!(verifier.verify(&ended), Err(Error::RevokedToken));
    assert_eq!(verifier.problem(), None);
}

#[actix_web::test]
async fn a_frozen_line() {
    closes_and_recovers(Mode::Frozen).await;
}

#[actix_web::test]
async fn answers_of_503() {
    closes_and_recovers(Mode::Status(503, "unavailable")).await;
}

#[actix_web::test]
async fn a_page_instead_of_an_answer() {
    closes_and_recovers(Mode::Says("<html>Log in to this network</html>".to_owned())).await;
}

#[actix_web::test]
async fn items_that_are_not_understood() {
    let mut unknown = item(1, id(5), None);
    unknown.as_object_mut().unwrap().remove("sid");
    closes_and_recovers(Mode::Says(json!({ "items": [unknown], "next": 1 }).to_string())).await;
}

#[actix_web::test]
async fn a_feed_that_does_not_go_forward() {
    let stuck = json!({ "items": [item(0, id(9), None)], "next": 0 });
    closes_and_recovers(Mode::Says(stuck.to_string())).await;
}

#[actix_web::test]
async fn an_answer_counts_from_when_it_was_asked_for() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let good = fake.token(id(5), id(51));
    // With the second for which it is held, one comes every 2.5 seconds, of the 3 that are allowed; but when it comes,
    // most of them are over.
    fake.set(|state| state.feed = Mode::Late(SECOND + SECOND / 2));
    until(5 * SECOND, || is_unavailable(&verifier, &good)).await;
    until(5 * SECOND, || verifier.verify(&good).is_ok()).await;
}

#[actix_web::test]
async fn a_feed_that_goes_back_and_forth_is_not_asked_without_pause() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    fake.revoke(id(5), Some(id(51)));
    until(SECOND, || verifier.verify(&fake.token(id(5), id(51))) == Err(Error::RevokedToken)).await;
    let before = fake.state().polls.len();
    fake.set(|state| state.feed = Mode::Says(json!({ "items": [], "next": 0 }).to_string()));
    tokio::time::sleep(2 * SECOND).await;
    let polls = fake.state().polls.len() - before;
    assert!(polls <= 45, "{polls} requests in 2 seconds");
}

#[actix_web::test]
async fn a_backup_that_has_gone_beyond_our_position_is_noticed_by_the_silence() {
    let fake = Fake::start().await;
    (1..=10).for_each(|n| fake.revoke(id(5), Some(id(n))));
    let verifier = fake.verifier().await;
    let good = fake.token(id(5), id(51));
    fake.set(|state| state.feed = Mode::Status(503, "unavailable"));
    until(4 * SECOND, || is_unavailable(&verifier, &good)).await;
    fake.set(|state| {
        state.items = (1..=20).map(|seq| item(seq, id(6), Some(id(600 + u128::from(seq))))).collect();
        state.feed = Mode::Works;
    });
    until(10 * SECOND, || verifier.verify(&good).is_ok()).await;
    for sid in [601, 610, 611, 620] {
        assert_eq!(verifier.verify(&fake.token(id(6), id(sid))), Err(Error::RevokedToken), "{sid}");
    }
    assert_eq!(verifier.verify(&fake.token(id(5), id(10))), Err(Error::RevokedToken));
}
