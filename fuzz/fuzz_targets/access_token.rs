//! No text that the service did not sign is accepted as an access token, and none panics.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use portcullis::app::App;
use portcullis::clock::Clock;
use portcullis::id::{SessionId, UserId};
use portcullis::secret::base64url;
use portcullis::tokens::Grant;

/// One service for each algorithm, each with a token of its own.
static SERVICES: LazyLock<[(App, String); 4]> =
    LazyLock::new(|| ["ES256", "EdDSA", "RS256", "HS256"].map(service));

fn service(algorithm: &str) -> (App, String) {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("--database-url=sqlite://{}", folder.path().join("fuzz.db").display());
    let flags = ["portcullis", "--bcrypt-cost=4", &database, &format!("--jwt-algorithm={algorithm}")]
        .map(str::to_owned)
        .into_iter()
        .chain(
            ["--secret-key", "--jwt-secret"]
                .map(|flag| format!("{flag}={}", base64url(&portcullis::secret::random::<32>()))),
        );
    let flags: Vec<_> = flags.collect();
    let config = portcullis::cli::config_from(flags.iter().map(String::as_str), []).expect("sound settings");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let app = runtime.block_on(App::start(config, Clock::system())).expect("the service starts");
    // The key is in memory now.
    runtime.block_on(app.db.close());
    let now = app.clock.now();
    let grant = Grant {
        user: UserId::new(now),
        client_id: "fuzz",
        session: SessionId::new(now),
        generation: 1,
        roles: &[],
        issued_at: now,
        expires_at: now + std::time::Duration::from_secs(24 * 60 * 60),
    };
    let token = app.keyring.sign(&grant).unwrap();
    assert!(app.keyring.verify(&token, now).is_ok());
    (app, token)
}

fuzz_target!(|bytes: &[u8]| {
    for (app, token) in &*SERVICES {
        let refused =
            |text: &str| assert!(app.keyring.verify(text, app.clock.now()).is_err(), "accepted {text}");
        let parts: Vec<_> = token.split('.').collect();
        let [header, claims, signature] = parts[..] else { unreachable!() };
        if let Ok(text) = str::from_utf8(bytes) {
            refused(text);
            // One part of a good token replaced, as it is.
            for (n, part) in parts.iter().enumerate() {
                let mut altered = parts.clone();
                altered[n] = text;
                if text != *part {
                    refused(&altered.join("."));
                }
            }
        }
        // A header, claims or signature of any bytes, in a form that gets further.
        let encoded = base64url(bytes);
        for (altered, part) in [
            (format!("{encoded}.{claims}.{signature}"), header),
            (format!("{header}.{encoded}.{signature}"), claims),
            (format!("{header}.{claims}.{encoded}"), signature),
            (format!("{encoded}.{claims}."), header),
        ] {
            if encoded != part {
                refused(&altered);
            }
        }
        // Header and claims of any bytes together, parted at the first NUL.
        if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
            let (header, claims) = (base64url(&bytes[..at]), base64url(&bytes[at + 1..]));
            refused(&format!("{header}.{claims}.{signature}"));
            refused(&format!("{header}.{claims}."));
        }
    }
});
