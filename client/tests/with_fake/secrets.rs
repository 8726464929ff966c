//! What is shown to people.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portcullis_client::{Settings, Verifier};
use tracing_subscriber::filter::LevelFilter;

use crate::fake::{Fake, Mode, PASSWORD, id, until};

const SECOND: Duration = Duration::from_secs(1);

/// Whether a text holds the password or a token that was ever issued or shown.
fn leaks(fake: &Fake, token: &str, text: &str) -> bool {
    text.contains(PASSWORD)
        || text.contains(token)
        || fake.state().tokens.iter().any(|token| text.contains(token))
}

#[actix_web::test]
async fn debug_shows_neither_password_nor_tokens() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let token = fake.token(id(5), id(51));
    verifier.verify(&token).unwrap();
    let shown = format!("{:?} {verifier:?} {verifier:#?}", fake.settings());
    assert!(shown.contains(&fake.url) && shown.contains("orders"), "{shown}");
    assert_eq!(fake.state().tokens.len(), 2);
    assert!(!leaks(&fake, &token, &shown), "{shown}");
}

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[actix_web::test]
async fn no_log_line_at_any_level_has_them_either() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(move || writer.clone());
    // For this thread, on which the client's task runs, too.
    let _guard = tracing::subscriber::set_default(subscriber.finish());

    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let token = fake.token(id(5), id(51));
    verifier.verify(&token).unwrap();
    let first = fake.state().tokens.clone();
    // A refresh, a bad answer with a token in it, a refused login.
    fake.set(|state| state.tokens.retain(|token| token.starts_with("pc_rt_")));
    until(5 * SECOND, || fake.state().refreshes == 1).await;
    fake.set(|state| state.feed = Mode::Says(format!(r#"{{"items":"{token}"}}"#)));
    until(5 * SECOND, || verifier.problem().is_some()).await;
    let refused = Settings { login: "nobody".into(), ..fake.settings() };
    let refused = Verifier::connect(refused).unwrap();
    until(5 * SECOND, || refused.problem().is_some()).await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("all of Portcullis' revocations are known") && log.contains("invalid_credentials"),
        "{log}"
    );
    assert!(!leaks(&fake, &token, &log) && first.iter().all(|token| !log.contains(token)), "{log}");
}
