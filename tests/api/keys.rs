//! The keys of access tokens: each algorithm, and what becomes of a key.

use std::time::{Duration, Instant};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use futures_util::future::join_all;
use jsonwebtoken::jwk::{JwkSet, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use portcullis::tokens::KeyState;
use serde_json::{Value, json};

use crate::api::support::{Server, Tokens};

const TTL: Duration = Duration::from_secs(15 * 60);
const LEAD: Duration = Duration::from_secs(10 * 60);
const LEEWAY: Duration = Duration::from_secs(5);

const JWT_SECRET: &str = "--jwt-secret=test-secret-not-secret-0123456789";

fn header(token: &str) -> Value {
    let part = token.split('.').next().unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn kid(token: &str) -> String {
    header(token)["kid"].as_str().unwrap().to_owned()
}

async fn published(server: &Server) -> Vec<String> {
    let keys = server.get("/.well-known/jwks.json").expect(200).await.json();
    let keys = keys["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn rotate(server: &Server) -> (String, bool) {
    let app = &server.app;
    let (key, made) = app.keyring.rotate(&app.db, &app.changes, app.clock.now()).await.unwrap();
    (key.kid, made)
}

async fn revoke(server: &Server, kid: &str) -> Result<(), String> {
    let app = &server.app;
    let revoked = app.keyring.revoke(&app.db, &app.changes, kid, app.clock.now()).await;
    revoked.map_err(|error| error.to_string())
}

async fn accepts(server: &Server, tokens: &Tokens) {
    server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
}

/// Waits until the server publishes this key, as it must within a second of its being made.
async fn knows(server: &Server, kid: &str) {
    within_a_second(async || published(server).await.iter().any(|known| known == kid)).await;
}

/// Asks until it is so. What was asked a second after the beginning, whenever the answer came, must find it so.
async fn within_a_second(is_so: impl AsyncFn() -> bool) {
    let began = Instant::now();
    loop {
        let asked = Instant::now();
        if is_so().await {
            return;
        }
        assert!(asked - began < Duration::from_secs(1), "it is not so after a second");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[actix_web::test]
async fn every_algorithm_can_be_checked_with_the_published_key_alone() {
    for (name, algorithm, private) in [
        ("ES256", Algorithm::ES256, &["d"][..]),
        ("EdDSA", Algorithm::EdDSA, &["d"]),
        ("RS256", Algorithm::RS256, &["d", "p", "q", "dp", "dq", "qi"]),
    ] {
        let server = Server::with(&[&format!("--jwt-algorithm={name}")]).await;
        let tokens = server.user("ada").await;
        accepts(&server, &tokens).await;
        assert_eq!(
            header(&tokens.access),
            json!({ "typ": "at+jwt", "alg": name, "kid": kid(&tokens.access) })
        );

        let answer = server.get("/.well-known/jwks.json").expect(200).await.json();
        let keys: JwkSet = serde_json::from_value(answer.clone()).unwrap();
        let key = keys.find(&kid(&tokens.access)).unwrap();
        assert_eq!(key.thumbprint(ThumbprintHash::SHA256).unwrap(), kid(&tokens.access), "RFC 7638");
        assert!(private.iter().all(|part| answer["keys"][0].get(part).is_none()), "{name}: a private key");
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&["http://localhost:8080"]);
        validation.set_issuer(&["http://localhost:8080"]);
        let decoding = DecodingKey::from_jwk(key).unwrap();
        jsonwebtoken::decode::<Value>(&tokens.access, &decoding, &validation).unwrap();

        // Started anew, it has the same key.
        let again = server.replica(&[&format!("--jwt-algorithm={name}")]).await;
        accepts(&again, &tokens).await;
        assert_eq!(published(&again).await, [kid(&tokens.access)]);
    }
}

#[actix_web::test]
async fn an_unchanged_set_is_not_sent_again() {
    let server = Server::start().await;
    let first = server.get("/.well-known/jwks.json").expect(200).await;
    let tag = first.header("etag").to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let answer = server.get("/.well-known/jwks.json").header("if-none-match", &known).expect(304).await;
        assert_eq!((answer.header("etag"), answer.text.as_str()), (tag.as_str(), ""), "{known}");
    }
    for other in ["\"other\"", "nonsense", ""] {
        server.get("/.well-known/jwks.json").header("if-none-match", other).expect(200).await;
    }
    rotate(&server).await;
    let changed = server.get("/.well-known/jwks.json").header("if-none-match", &tag).expect(200).await;
    assert_ne!(changed.header("etag"), tag);
}

#[actix_web::test]
async fn a_next_key_is_published_ten_minutes_before_it_signs() {
    let server = Server::start().await;
    let before = server.user("ada").await;
    let (next, made) = rotate(&server).await;
    assert!(made);
    assert_eq!(published(&server).await, [kid(&before.access), next.clone()]);
    assert_eq!(rotate(&server).await, (next.clone(), false), "one next key is enough");

    server.clock.advance(LEAD - Duration::from_secs(1));
    assert_eq!(kid(&server.login("ada").await.access), kid(&before.access));
    server.clock.advance(Duration::from_secs(1));
    let after = server.login("ada").await;
    assert_eq!(kid(&after.access), next);
    accepts(&server, &before).await;
    accepts(&server, &after).await;

    // The last token that the old key may have signed was made a moment before.
    server.clock.advance(TTL + LEEWAY - Duration::from_secs(1));
    assert_eq!(published(&server).await, [kid(&before.access), next.clone()]);
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(published(&server).await, std::slice::from_ref(&next));
    portcullis::background::prune(&server.app).await.unwrap();
    let (left,): (i64,) = server.sql("select count(*) from signing_keys").fetch_one().await.unwrap();
    assert_eq!(left, 1, "a private key that nothing needs is kept");
    accepts(&server, &server.login("ada").await).await;
}

#[actix_web::test]
async fn all_replicas_follow_a_rotation_without_a_restart() {
    let server = Server::start().await;
    let other = server.replica(&[]).await;
    let before = server.user("ada").await;
    let (next, _) = rotate(&server).await;
    knows(&other, &next).await;
    server.clock.advance(LEAD);
    for tokens in [server.login("ada").await, other.login("ada").await] {
        assert_eq!(kid(&tokens.access), next);
        accepts(&server, &tokens).await;
        accepts(&other, &tokens).await;
    }
    accepts(&other, &before).await;
}

#[actix_web::test]
async fn replicas_that_rotate_at_once_make_one_key() {
    let server = Server::start().await;
    let replicas = join_all((0..3).map(|_| server.replica(&[]))).await;
    for round in 2..5 {
        let made = join_all(replicas.iter().chain(&replicas).map(rotate)).await;
        assert_eq!(made.iter().filter(|(_, made)| *made).count(), 1, "{made:?}");
        assert!(made.iter().all(|(kid, _)| *kid == made[0].0), "{made:?}");
        let (keys,): (i64,) = server.sql("select count(*) from signing_keys").fetch_one().await.unwrap();
        assert_eq!(keys, round);
        server.clock.advance(LEAD);
    }
}

#[actix_web::test]
async fn a_key_that_has_signed_for_long_enough_is_replaced_by_itself() {
    let server = Server::start().await;
    let app = &server.app;
    let hour = Duration::from_secs(3600);
    let due = async || app.keyring.rotate_if_due(&app.db, &app.changes, hour, app.clock.now()).await.unwrap();
    let states = || app.keyring.list(app.clock.now()).iter().map(|key| key.state).collect::<Vec<_>>();
    server.clock.advance(hour - LEAD - Duration::from_secs(1));
    due().await;
    assert_eq!(states(), [KeyState::Active]);
    server.clock.advance(Duration::from_secs(1));
    due().await;
    due().await;
    assert_eq!(states(), [KeyState::Active, KeyState::Next]);
    server.clock.advance(LEAD);
    assert_eq!(states(), [KeyState::Retired, KeyState::Active]);
    due().await;
    assert_eq!(states().len(), 2);
    // One that was away for a day does not skip the publishing.
    server.clock.advance(24 * hour);
    due().await;
    assert_eq!(states(), [KeyState::Gone, KeyState::Active, KeyState::Next]);
}

#[actix_web::test]
async fn another_algorithm_signs_at_once_and_the_old_tokens_stay_good() {
    let server = Server::start().await;
    let mut tokens = vec![server.user("ada").await];
    for settings in [
        &["--jwt-algorithm=EdDSA"][..],
        &["--jwt-algorithm=RS256"],
        &["--jwt-algorithm=HS256", JWT_SECRET],
        &["--jwt-algorithm=HS256", "--jwt-secret=another-secret-not-secret-0123456789"],
        &["--jwt-algorithm=HS256", JWT_SECRET],
        &["--jwt-algorithm=ES256"],
    ] {
        let replica = server.replica(settings).await;
        let new = replica.login("ada").await;
        assert_eq!(header(&new.access)["alg"], settings[0].split_once('=').unwrap().1);
        accepts(&replica, &new).await;
        // Also on the replica with the old setting, as soon as the feed brings the key there.
        let asked = async || server.get("/api/v1/me").bearer(&new.access).send().await.status == 200;
        within_a_second(asked).await;
        for old in &tokens {
            accepts(&replica, old).await;
        }
        tokens.push(new);
    }
    let last = tokens.pop().unwrap();
    assert_ne!(kid(&last.access), kid(&tokens[0].access), "a new key, not the first one's");
    // Started once more with the same settings, it makes no other.
    let again = server.replica(&["--jwt-algorithm=ES256"]).await;
    assert_eq!(kid(&again.login("ada").await.access), kid(&last.access));
}

#[actix_web::test]
async fn what_a_revoked_key_signed_is_refused_everywhere() {
    let server = Server::start().await;
    let other = server.replica(&[]).await;
    let tokens = server.user("ada").await;
    // Both know the token from memory.
    for replica in [&server, &other] {
        accepts(replica, &tokens).await;
        accepts(replica, &tokens).await;
    }
    let revoked = kid(&tokens.access);
    revoke(&server, &revoked).await.unwrap();
    server.get("/api/v1/me").bearer(&tokens.access).expect_problem(401, "invalid_token").await;
    // The session lives on, with a key that signs at once; the other replica takes its token at once, too.
    let body = json!({ "refresh_token": tokens.refresh });
    let renewed = Tokens::of(&server.post("/api/v1/refresh").json(body).expect(200).await.json());
    assert_ne!(kid(&renewed.access), revoked);
    accepts(&other, &renewed).await;
    within_a_second(async || other.get("/api/v1/me").bearer(&tokens.access).send().await.status == 401).await;
    assert!(!published(&other).await.contains(&revoked));
    assert!(revoke(&server, &revoked).await.unwrap_err().contains("keys list"));
}

#[actix_web::test]
async fn the_secret_of_hs256_is_replaced_by_hand() {
    let server = Server::with(&["--jwt-algorithm=HS256", JWT_SECRET]).await;
    let old = server.user("ada").await;
    let app = &server.app;
    let rotated = app.keyring.rotate(&app.db, &app.changes, app.clock.now()).await;
    assert!(rotated.unwrap_err().to_string().contains("JWT_SECRET"));
    assert!(revoke(&server, &kid(&old.access)).await.unwrap_err().contains("JWT_SECRET"));
    let replica =
        server.replica(&["--jwt-algorithm=HS256", "--jwt-secret=another-secret-not-secret-0123456789"]).await;
    accepts(&replica, &old).await;
    revoke(&replica, &kid(&old.access)).await.unwrap();
    replica.get("/api/v1/me").bearer(&old.access).expect_problem(401, "invalid_token").await;
    accepts(&replica, &replica.login("ada").await).await;
}

#[actix_web::test]
async fn the_secret_can_be_changed_without_logging_anyone_out() {
    const NEW: &str = "--secret-key=new-key-not-secret-0123456789abc";
    const BEFORE: &str = "--secret-key-previous=test-key-not-secret-0123456789ab";
    let server = Server::with(&["--jwt-algorithm=EdDSA"]).await;
    let tokens = server.user("ada").await;
    assert!(server.start_again(&[NEW]).await.unwrap_err().contains("SECRET_KEY_PREVIOUS"));
    let wrong = "--secret-key-previous=wrong-key-not-secret-0123456789ab";
    assert!(server.start_again(&[NEW, wrong]).await.unwrap_err().contains("another SECRET_KEY"));

    let changed = server.replica(&["--jwt-algorithm=EdDSA", NEW, BEFORE]).await;
    accepts(&changed, &tokens).await;
    assert_eq!(kid(&changed.login("ada").await.access), kid(&tokens.access));
    let body = json!({ "refresh_token": tokens.refresh });
    let renewed = Tokens::of(&changed.post("/api/v1/refresh").json(body).expect(200).await.json());
    accepts(&changed, &renewed).await;

    // All is encrypted under the new one: the old one is not needed any more, and does not do any more.
    let alone = server.replica(&["--jwt-algorithm=EdDSA", NEW]).await;
    assert_eq!(kid(&alone.login("ada").await.access), kid(&tokens.access));
    let body = json!({ "refresh_token": renewed.refresh });
    alone.post("/api/v1/refresh").json(body).expect(200).await;
    assert!(server.start_again(&[]).await.unwrap_err().contains("another SECRET_KEY"));
}

/// In three steps: first all know both, then all use the new one, then it is the only one.
#[actix_web::test]
async fn the_secret_can_be_changed_one_replica_at_a_time() {
    const OLD: [&str; 2] = [
        "--secret-key=test-key-not-secret-0123456789ab",
        "--secret-key-previous=new-key-not-secret-0123456789abc",
    ];
    const NEW: [&str; 2] = [
        "--secret-key=new-key-not-secret-0123456789abc",
        "--secret-key-previous=test-key-not-secret-0123456789ab",
    ];
    let server = Server::with(&OLD).await;
    let tokens = server.user("ada").await;
    let changed = server.replica(&NEW).await;
    let refreshed = async |server: &Server, tokens: &Tokens| {
        let body = json!({ "refresh_token": tokens.refresh });
        Tokens::of(&server.post("/api/v1/refresh").json(body).expect(200).await.json())
    };
    let tokens = refreshed(&changed, &tokens).await;
    accepts(&server, &tokens).await;
    let tokens = refreshed(&server, &tokens).await;
    // The one that has not changed yet can make and read keys, too.
    let (next, _) = rotate(&server).await;
    knows(&changed, &next).await;
    let (left, right) = (server.replica(&OLD).await, changed.replica(&NEW).await);
    for replica in [&left, &right, &changed] {
        accepts(replica, &tokens).await;
    }
    server.clock.advance(LEAD);
    assert_eq!(kid(&changed.login("ada").await.access), next);
}

/// Each replica and command may have another lifetime set.
#[actix_web::test]
async fn a_key_stays_for_as_long_as_any_of_its_tokens_lives() {
    let server = Server::with(&["--access-token-ttl=1d"]).await;
    let long = server.user("ada").await;
    let short = server.replica(&["--access-token-ttl=1m"]).await;
    let (next, _) = rotate(&short).await;
    server.clock.advance(LEAD + Duration::from_secs(23 * 3600));
    portcullis::background::prune(&short.app).await.unwrap();
    accepts(&short, &long).await;
    assert_eq!(published(&short).await, [kid(&long.access), next.clone()]);
    // A longer one counts for the keys that are there, too.
    let longer = server.replica(&["--access-token-ttl=12h"]).await;
    let until = |server: &Server| {
        let keys = server.app.keyring.list(server.clock.now());
        keys.iter().find(|key| key.kid == next).unwrap().verifies_until
    };
    let (after, _) = rotate(&longer).await;
    knows(&short, &after).await;
    assert_eq!(until(&short), until(&longer));
    let expected = server.clock.now() + LEAD + Duration::from_secs(12 * 3600) + LEEWAY;
    assert_eq!(until(&short), Some(expected));
}

/// Its key may be the newest there is, and must keep nobody from making another.
#[actix_web::test]
async fn a_key_that_a_wrong_clock_made_stands_in_nobodys_way() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let app = &server.app;
    let next_year = app.clock.now() + Duration::from_secs(365 * 24 * 3600);
    let (wrong, made) = app.keyring.rotate(&app.db, &app.changes, next_year).await.unwrap();
    assert!(made);
    let (next, made) = rotate(&server).await;
    assert!(made && next != wrong.kid);
    server.clock.advance(LEAD);
    let after = server.login("ada").await;
    assert_eq!(kid(&after.access), next);
    accepts(&server, &tokens).await;
    let again = server.replica(&["--jwt-algorithm=EdDSA"]).await;
    assert_eq!(header(&again.login("ada").await.access)["alg"], "EdDSA");
}

#[actix_web::test]
async fn of_two_that_revoke_at_once_one_does() {
    let server = Server::start().await;
    let other = server.replica(&[]).await;
    server.register("ada").await;
    for _ in 0..3 {
        let active = kid(&server.login("ada").await.access);
        let outcomes =
            join_all([&server, &other, &server, &other].map(|server| revoke(server, &active))).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        let (keys,): (i64,) = server.sql("select count(*) from signing_keys").fetch_one().await.unwrap();
        assert_eq!(keys, 1);
        let after = server.login("ada").await;
        within_a_second(async || other.get("/api/v1/me").bearer(&after.access).send().await.status == 200)
            .await;
    }
}
