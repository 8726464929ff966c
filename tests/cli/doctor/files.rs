//! Secrets that can be guessed or read by everyone: what is found of them, and that the service refuses them.

use std::fs;

use super::{Found, HTTPS, RANDOM, chmod, place, used_place};

#[test]
fn the_service_does_not_start_in_production_with_a_secret_that_can_be_guessed() {
    let guessed = "test-key-not-secret-0123456789ab";
    let production = place().with(HTTPS.0, HTTPS.1);
    for (flags, name) in [
        (&["--secret-key=test-key-not-secret-0123456789ab"][..], "SECRET_KEY"),
        (&["--jwt-algorithm=HS256", "--jwt-secret=test-key-not-secret-0123456789ab"], "JWT_SECRET"),
    ] {
        let done = production.run(flags).expect(2).says(&[name, "can be guessed", "openssl rand -hex 32"]);
        assert!(!done.stderr.contains(guessed));
        assert!(production.files().is_empty());
        // In development it is told.
        let place = place();
        place.serve(flags).stop().expect(0).says(&["WARN", name, "can be guessed"]);
    }
    // Also where it is in the file.
    let place = used_place().with(HTTPS.0, HTTPS.1);
    fs::write(place.path("data/secret.key"), guessed).unwrap();
    place.run(&[]).expect(1).says(&["data/secret.key can be guessed"]);
    Found::of(&place).has("files", "problem", &["data/secret.key can be guessed"]);
}

#[test]
fn secrets_that_everyone_may_read_are_problems_and_the_services_own_is_refused() {
    let place = used_place();
    let secret = place.path("data/secret.key");
    chmod(&secret, 0o604);
    Found::of(&place).has("files", "problem", &["every user", "data/secret.key", "chmod 600"]);
    place.run(&[]).expect(1).says(&["every user", "data/secret.key", "chmod 600"]);
    chmod(&secret, 0o640);
    Found::of(&place).well();
    place.serve(&[]).stop().expect(0);

    chmod(place.path("data/portcullis.db"), 0o644);
    Found::of(&place).well();
    chmod(place.path("data"), 0o755);
    let found = Found::of(&place).has("files", "problem", &["data/portcullis.db", "password hashes"]);
    let found = found.has("files", "warning", &["data/", "chmod 700 data"]);
    // What is not there has no mode.
    assert!(!found.done.stdout.contains("portcullis.db-"), "{}", found.done.stdout);
    let server = place.serve(&[]);
    let all = "chmod 600 data/portcullis.db data/portcullis.db-wal data/portcullis.db-shm";
    Found::of(&place).has("files", "problem", &[all]);
    server.stop().expect(0);

    let place = super::place();
    fs::write(place.path(".env"), format!("SECRET_KEY={RANDOM}\n")).unwrap();
    chmod(place.path(".env"), 0o644);
    Found::of(&place).has("files", "warning", &[".env", "SECRET_KEY"]);
    let found = Found::with(&place, &["--public-url=https://auth.example.com"]);
    let found = found.has("files", "problem", &[".env", "SECRET_KEY", "chmod 600"]);
    assert!(!found.done.stdout.contains(RANDOM));
    chmod(place.path(".env"), 0o600);
    Found::of(&place).well();
}
