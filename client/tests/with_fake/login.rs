//! The client's own login: refreshed, made again, and what a person must mend.

use std::time::Duration;

use portcullis_client::{Error, Settings, Verifier};

use crate::fake::{Fake, Mode, PASSWORD, id, ready, until};

const SECOND: Duration = Duration::from_secs(1);

#[actix_web::test]
async fn the_token_is_refreshed_before_it_expires() {
    let fake = Fake::start().await;
    fake.set(|state| state.expires_in = 2);
    let verifier = fake.verifier().await;
    until(10 * SECOND, || fake.state().refreshes >= 2).await;
    assert_eq!(fake.state().logins, 1);
    verifier.verify(&fake.token(id(5), id(51))).unwrap();
}

#[actix_web::test]
async fn a_refused_token_is_refreshed_and_a_refused_refresh_logs_in_again() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    fake.set(|state| state.tokens.retain(|token| token.starts_with("pc_rt_")));
    until(5 * SECOND, || fake.state().refreshes == 1).await;
    assert_eq!(fake.state().logins, 1);
    // Its session has ended.
    fake.set(|state| state.tokens.clear());
    until(5 * SECOND, || fake.state().logins == 2).await;
    ready(&verifier).await;
    verifier.verify(&fake.token(id(5), id(51))).unwrap();
}

#[actix_web::test]
async fn a_refresh_that_does_not_get_through_leaves_the_old_token_in_use() {
    let fake = Fake::start().await;
    fake.set(|state| (state.expires_in, state.refresh) = (6, Mode::Status(503, "unavailable")));
    let verifier = fake.verifier().await;
    until(10 * SECOND, || fake.state().refreshes >= 1).await;
    verifier.verify(&fake.token(id(5), id(51))).unwrap();
    assert_eq!(fake.state().logins, 1);
}

/// With these settings it never gets ready, says why, and does not insist.
async fn is_in_the_way(fake: &Fake, settings: Settings, word: &str) {
    let verifier = Verifier::connect(settings).unwrap();
    until(5 * SECOND, || verifier.problem().is_some_and(|problem| problem.contains(word))).await;
    let problem = verifier.problem().unwrap();
    println!("{problem}");
    assert!(!problem.contains(PASSWORD) && !problem.contains("not-the-password"));
    tokio::time::sleep(SECOND).await;
    assert!(!verifier.is_ready());
    let unavailable = verifier.verify(&fake.token(id(5), id(51)));
    assert!(matches!(unavailable, Err(Error::Unavailable { .. })), "{unavailable:?}");
}

#[actix_web::test]
async fn a_wrong_password_is_told_and_not_tried_without_pause() {
    let fake = Fake::start().await;
    let settings = Settings { password: "not-the-password".into(), ..fake.settings() };
    is_in_the_way(&fake, settings, "invalid_credentials").await;
    assert_eq!(fake.state().logins, 1);
}

#[actix_web::test]
async fn a_missing_role_is_told() {
    let fake = Fake::start().await;
    fake.set(|state| state.feed = Mode::Status(403, "forbidden"));
    is_in_the_way(&fake, fake.settings(), "introspect").await;
    assert_eq!(fake.state().polls.len(), 1);
}

#[actix_web::test]
async fn settings_that_do_not_fit_the_tokens_are_told() {
    let fake = Fake::start().await;
    let issuer = Settings { issuer: Some("https://elsewhere".into()), ..fake.settings() };
    is_in_the_way(&fake, issuer, "`issuer`").await;
    let audience = Settings { audience: Some("https://elsewhere".into()), ..fake.settings() };
    is_in_the_way(&fake, audience, "`audience`").await;
    let remember = Settings { remember: 60 * SECOND, ..fake.settings() };
    is_in_the_way(&fake, remember, "`remember`").await;
    assert_eq!(fake.state().logins, 3, "each begins a session at Portcullis");
}

#[actix_web::test]
async fn a_portcullis_that_is_not_there_is_told() {
    let fake = Fake::start().await;
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let settings = Settings { url: format!("http://127.0.0.1:{port}"), ..fake.settings() };
    is_in_the_way(&fake, settings, "can't be reached").await;
}
