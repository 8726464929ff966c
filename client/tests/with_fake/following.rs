//! The first sync, what is revoked after it, and a feed that was set back.

use std::time::Duration;

use portcullis_client::{Error, Verifier};

use crate::fake::{Fake, Mode, id, item, ready, until};

const SECOND: Duration = Duration::from_secs(1);

fn is_unavailable<T>(told: &Result<T, Error>) -> bool {
    matches!(told, Err(Error::Unavailable { .. }))
}

#[actix_web::test]
async fn nothing_is_accepted_before_all_revocations_are_known() {
    let fake = Fake::start().await;
    fake.set(|state| {
        state.items = (1..=2500).map(|seq| item(seq, id(5), Some(id(seq.into())))).collect();
        state.feed = Mode::WorksFor(2);
    });
    let (good, bad) = (fake.token(id(5), id(9999)), fake.token(id(5), id(2500)));
    let verifier = Verifier::connect(fake.settings()).unwrap();
    assert!(is_unavailable(&verifier.verify(&good)), "before anything is known");

    // Two pages have come, and the third does not.
    until(5 * SECOND, || fake.state().polls.len() == 3).await;
    assert_eq!(fake.state().polls, [(0, 0), (1000, 0), (2000, 0)]);
    for token in [&good, &bad] {
        assert!(is_unavailable(&verifier.verify(token)));
    }
    assert!(!verifier.is_ready());

    fake.set(|state| state.feed = Mode::Works);
    ready(&verifier).await;
    assert_eq!(verifier.verify(&good).unwrap().sid, id(9999));
    for sid in [1, 1000, 1001, 2000, 2500] {
        assert_eq!(verifier.verify(&fake.token(id(5), id(sid))), Err(Error::RevokedToken), "{sid}");
    }
}

#[actix_web::test]
async fn what_is_revoked_is_refused_at_once_and_nothing_else() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let (phone, laptop, other) =
        (fake.token(id(5), id(51)), fake.token(id(5), id(52)), fake.token(id(6), id(61)));
    for token in [&phone, &laptop, &other] {
        verifier.verify(token).unwrap();
    }
    fake.revoke(id(5), Some(id(51)));
    let took = until(SECOND, || verifier.verify(&phone) == Err(Error::RevokedToken)).await;
    println!("refused after {took:?}");
    verifier.verify(&laptop).unwrap();

    // Without a session: all of the user's, later ones too.
    fake.revoke(id(5), None);
    until(SECOND, || verifier.verify(&laptop) == Err(Error::RevokedToken)).await;
    assert_eq!(verifier.verify(&fake.token(id(5), id(53))), Err(Error::RevokedToken));
    verifier.verify(&other).unwrap();
}

#[actix_web::test]
async fn a_busy_feed_is_heard_though_none_of_its_answers_is_empty() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let good = fake.token(id(6), id(61));
    // Longer than the silence that is allowed, and never a moment without news.
    let mut n = 1000;
    let start = tokio::time::Instant::now();
    while start.elapsed() < 5 * SECOND {
        n += 1;
        fake.revoke(id(5), Some(id(n)));
        verifier.verify(&good).unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[actix_web::test]
async fn a_database_that_was_set_back_is_read_anew_and_nothing_is_forgotten() {
    let fake = Fake::start().await;
    (1..=100).for_each(|n| fake.revoke(id(5), Some(id(n))));
    let verifier = fake.verifier().await;
    fake.set(|state| state.items.truncate(5));
    until(5 * SECOND, || fake.state().polls.iter().filter(|(since, _)| *since == 0).count() > 1).await;
    // Its number was given before, to another one.
    fake.revoke(id(6), Some(id(61)));
    until(5 * SECOND, || verifier.verify(&fake.token(id(6), id(61))) == Err(Error::RevokedToken)).await;
    assert_eq!(verifier.verify(&fake.token(id(5), id(100))), Err(Error::RevokedToken));
    ready(&verifier).await;
    verifier.verify(&fake.token(id(6), id(662))).unwrap();
}

#[actix_web::test]
async fn requests_are_held_and_end_with_the_last_clone() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let clone = verifier.clone();
    drop(verifier);
    tokio::time::sleep(4 * SECOND).await;
    clone.verify(&fake.token(id(6), id(61))).unwrap();
    let polls = fake.state().polls.len();
    assert!(polls <= 7, "{polls} requests in 4 seconds, each of which may be held for one");

    drop(clone);
    tokio::time::sleep(SECOND / 2).await;
    let polls = fake.state().polls.len();
    tokio::time::sleep(2 * SECOND).await;
    assert_eq!(fake.state().polls.len(), polls);
}

#[test]
fn without_a_runtime_it_says_so() {
    let error =
        Verifier::connect(portcullis_client::Settings::new("http://localhost", "orders", "x")).unwrap_err();
    assert!(error.to_string().contains("tokio runtime"), "{error}");
}
