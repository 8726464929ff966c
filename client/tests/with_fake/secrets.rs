//! What is shown to people.

use crate::fake::{Fake, PASSWORD, id};

#[actix_web::test]
async fn debug_shows_neither_password_nor_tokens() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    verifier.verify(&fake.token(id(5), id(51))).unwrap();
    let shown = format!("{:?} {verifier:?} {verifier:#?}", fake.settings());
    assert!(shown.contains(&fake.url) && shown.contains("orders"), "{shown}");
    let state = fake.state();
    assert!(!state.tokens.is_empty());
    assert!(!shown.contains(PASSWORD) && state.tokens.iter().all(|token| !shown.contains(token)), "{shown}");
}
