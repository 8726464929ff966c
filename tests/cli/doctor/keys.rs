//! What is found of the keys.

use std::fs;

use super::{Found, RANDOM, sql, used_place};

#[tokio::test]
async fn keys_that_no_secret_opens_are_told() {
    let place = used_place();
    Found::with(&place, &["--jwt-algorithm=EdDSA"]).has(
        "keys",
        "warning",
        &["JWT_ALGORITHM is EdDSA", "ES256"],
    );
    Found::with(&place, &["--key-rotation=off"]).has("keys", "ok", &["KEY_ROTATION=off"]);
    Found::with(&place, &[&format!("--secret-key={RANDOM}")]).has(
        "keys",
        "problem",
        &["another SECRET_KEY", "SECRET_KEY_PREVIOUS"],
    );
    fs::rename(place.path("data/secret.key"), place.path("kept")).unwrap();
    Found::of(&place).has("keys", "problem", &["data/secret.key is not here"]);
    fs::rename(place.path("kept"), place.path("data/secret.key")).unwrap();

    sql(&place, "update signing_keys set signs_from = '2001-02-03T04:05:06.000000+00:00'").await;
    Found::of(&place).has("keys", "warning", &["should have been replaced", "keys rotate"]);
    sql(&place, "update signing_keys set private_key = x'00'").await;
    Found::of(&place).has("keys", "problem", &["can't be decrypted", "keys revoke"]);
}
