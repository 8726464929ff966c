//! Keys: other kinds, new ones, withdrawn ones, and who may make them be fetched.

use std::time::Duration;

use jsonwebtoken::Algorithm;
use portcullis_client::{Error, Settings, Verifier};

use crate::fake::{Fake, Mode, id, ready, until};
use crate::signer::Signer;

const SECOND: Duration = Duration::from_secs(1);

#[actix_web::test]
async fn each_key_is_good_for_its_own_algorithm() {
    let fake = Fake::start().await;
    fake.set(|state| state.keys = vec![Signer::es256("es"), Signer::rs256("rs"), Signer::eddsa("ed")]);
    let verifier = fake.verifier().await;
    let claims = fake.claims(id(5), id(51));
    for signer in &fake.state().keys {
        verifier.verify(&signer.token(&claims)).unwrap();
        for other in ["es", "rs", "ed"].into_iter().filter(|other| *other != signer.kid) {
            let mut header = signer.header();
            header["kid"] = other.into();
            let forged = signer.sign(&header.to_string(), &claims.to_string());
            assert_eq!(verifier.verify(&forged), Err(Error::InvalidToken), "{} as {other}", signer.kid);
        }
    }
}

#[actix_web::test]
async fn a_new_key_is_fetched_for_its_first_token() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let old = fake.token(id(5), id(51));
    tokio::time::sleep(SECOND).await;
    fake.set(|state| state.keys.push(Signer::es256("second")));
    let new = fake.token(id(5), id(51));
    verifier.verify_or_wait(&new).await.unwrap();
    verifier.verify(&new).unwrap();
    verifier.verify(&old).unwrap();

    // Right after a fetch the next one has to wait. Its tokens are not called invalid: they may be good.
    fake.set(|state| state.keys.push(Signer::es256("third")));
    let newest = fake.token(id(5), id(51));
    assert!(matches!(verifier.verify_or_wait(&newest).await, Err(Error::Unavailable { .. })));
    until(3 * SECOND, || {
        let told = verifier.verify(&newest);
        assert!(matches!(told, Ok(_) | Err(Error::Unavailable { .. })), "{told:?}");
        told.is_ok()
    })
    .await;
    assert_eq!(fake.state().fetches, 3);
}

#[actix_web::test]
async fn unknown_key_ids_do_not_make_it_fetch_without_limit() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let (good, claims) = (fake.token(id(5), id(51)), fake.claims(id(5), id(51)));
    let attacker = Signer::es256("attacker");
    let start = tokio::time::Instant::now();
    let mut sent = 0;
    while start.elapsed() < 3 * SECOND + SECOND / 2 {
        let mut header = attacker.header();
        header["kid"] = format!("unknown-{sent}").into();
        verifier.verify(&attacker.sign(&header.to_string(), &claims.to_string())).unwrap_err();
        verifier.verify(&good).unwrap();
        sent += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let fetches = fake.state().fetches;
    assert!((2..=4).contains(&fetches), "{fetches} fetches in 3.5 s for {sent} tokens");
}

#[actix_web::test]
async fn tokens_that_would_be_refused_anyway_fetch_nothing_and_an_absent_key_is_invalid() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    tokio::time::sleep(SECOND + SECOND / 10).await;
    let stranger = Signer::es256("stranger");
    for (name, value) in [("iss", "https://elsewhere".into()), ("exp", 1.into()), ("sub", 1.into())] {
        let mut claims = fake.claims(id(5), id(51));
        claims[name] = value;
        assert!(!matches!(
            verifier.verify_or_wait(&stranger.token(&claims)).await,
            Err(Error::Unavailable { .. })
        ));
    }
    assert_eq!(fake.state().fetches, 1);
    // This one could be good, so it is asked for: once.
    let unknown = stranger.token(&fake.claims(id(5), id(51)));
    assert_eq!(verifier.verify_or_wait(&unknown).await, Err(Error::InvalidToken));
    assert_eq!(verifier.verify_or_wait(&unknown).await, Err(Error::InvalidToken));
    assert_eq!(fake.state().fetches, 2);
}

#[actix_web::test]
async fn a_key_is_not_used_for_another_algorithm_of_its_kind() {
    let fake = Fake::start().await;
    fake.set(|state| state.keys.push(Signer::rs256("rs")));
    let verifier = fake.verifier().await;
    let claims = fake.claims(id(5), id(51));
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS512] {
        let token = fake.state().keys[1].misused(algorithm).token(&claims);
        assert_eq!(verifier.verify(&token), Err(Error::InvalidToken), "{algorithm:?}");
    }
}

fn every_second(fake: &Fake) -> Settings {
    Settings { keys_every: SECOND, ..fake.settings() }
}

#[actix_web::test]
async fn a_withdrawn_key_is_no_longer_taken() {
    let fake = Fake::start().await;
    let verifier = Verifier::connect(every_second(&fake)).unwrap();
    ready(&verifier).await;
    let old = fake.token(id(5), id(51));
    verifier.verify(&old).unwrap();
    fake.set(|state| state.keys = vec![Signer::es256("second")]);
    until(3 * SECOND, || verifier.verify(&old).is_err()).await;
    verifier.verify(&fake.token(id(5), id(51))).unwrap();
}

#[actix_web::test]
async fn keys_that_can_not_be_fetched_for_long_are_used_no_more() {
    let fake = Fake::start().await;
    let verifier = Verifier::connect(every_second(&fake)).unwrap();
    ready(&verifier).await;
    let good = fake.token(id(5), id(51));
    for bad in
        [Mode::Status(500, "internal"), Mode::Says(r#"{"keys":[]}"#.to_owned()), Mode::Says("?".to_owned())]
    {
        fake.set(|state| state.jwks = bad);
        tokio::time::sleep(SECOND + SECOND / 2).await;
        verifier.verify(&good).unwrap();
        until(4 * SECOND, || matches!(verifier.verify(&good), Err(Error::Unavailable { .. }))).await;
        assert!(
            verifier.problem().is_some_and(|problem| problem.contains("keys")),
            "{:?}",
            verifier.problem()
        );
        fake.set(|state| state.jwks = Mode::Works);
        until(4 * SECOND, || verifier.verify(&good).is_ok()).await;
    }
}
