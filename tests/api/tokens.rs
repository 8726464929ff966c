//! Access tokens: what is accepted, and what an attacker is told.

use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use serde_json::{Value, json};

use crate::api::support::{Server, Tokens};

const HS256: [&str; 2] = ["--jwt-algorithm=HS256", "--jwt-secret=test-secret-not-secret-0123456789"];

async fn me(server: &Server, authorization: &str) -> (u16, String, String) {
    let answer = server.get("/api/v1/me").header("authorization", authorization).send().await;
    let code =
        if answer.status == 200 { String::new() } else { answer.json()["code"].as_str().unwrap().to_owned() };
    (answer.status, code, answer.header("www-authenticate").to_owned())
}

fn part(token: &str, n: usize) -> Value {
    let part = token.split('.').nth(n).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encoded(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The token with its header or claims changed, and its old signature.
fn forged(token: &str, header: &Value, claims: &Value) -> String {
    format!("{}.{}.{}", encoded(header), encoded(claims), token.split('.').nth(2).unwrap())
}

/// A token under the HS256 secret of these tests, with any header and claims.
fn signed(header: &Value, claims: &str) -> String {
    let message = format!("{}.{}", encoded(header), BASE64_URL_SAFE_NO_PAD.encode(claims));
    let key = EncodingKey::from_secret(HS256[1].split_once('=').unwrap().1.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

#[actix_web::test]
async fn a_token_can_be_checked_with_the_published_key_alone() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let answer = server.get("/.well-known/jwks.json").expect(200).await;
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let keys: JwkSet = serde_json::from_value(answer.json()).unwrap();
    let key = keys.find(part(&tokens.access, 0)["kid"].as_str().unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&["http://localhost:8080"]);
    validation.set_issuer(&["http://localhost:8080"]);
    jsonwebtoken::decode::<Value>(&tokens.access, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap();
    assert!(answer.json()["keys"][0].get("d").is_none());
}

#[actix_web::test]
async fn replicas_that_start_at_once_share_one_key() {
    let server = Server::start().await;
    let replicas = futures_util::future::join_all((0..4).map(|_| server.replica(&[]))).await;
    let tokens = server.user("ada").await;
    for replica in &replicas {
        replica.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
    }
    let keys = server.get("/.well-known/jwks.json").expect(200).await.json();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn hs256_publishes_no_key() {
    let server = Server::with(&HS256).await;
    let tokens = server.user("ada").await;
    server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
    assert_eq!(part(&tokens.access, 0)["alg"], "HS256");
    assert_eq!(server.get("/.well-known/jwks.json").expect(200).await.json(), json!({ "keys": [] }));
}

#[actix_web::test]
async fn a_token_expires_when_it_says() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let left = part(&tokens.access, 1)["exp"].as_i64().unwrap() - server.clock.now().timestamp();
    server.clock.advance(Duration::from_secs(left as u64 - 1));
    server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
    server.clock.advance(Duration::from_secs(1));
    let answer = server.get("/api/v1/me").bearer(&tokens.access).expect_problem(401, "expired_token").await;
    assert_eq!(
        answer.header("www-authenticate"),
        r#"Bearer realm="portcullis", error="invalid_token", error_description="The access token has expired""#
    );
}

#[actix_web::test]
async fn the_scheme_is_taken_in_any_case_and_nothing_else_is_a_token() {
    let server = Server::start().await;
    let Tokens { access, .. } = server.user("ada").await;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR", "Bearer  "] {
        assert_eq!(me(&server, &format!("{scheme} {access}")).await.0, 200, "{scheme}");
    }
    for none in ["Bearer", "Bearer ", "", access.as_str(), "Basic YWRhOngK", "Token x", "Bearer,x"] {
        let told = me(&server, none).await;
        assert_eq!(told, (401, "missing_token".into(), r#"Bearer realm="portcullis""#.into()), "{none:?}");
    }
    for bad in
        ["x", "a.b", "a.b.c", "..", "ü", "\u{1F600}", "a b c", &format!("{access} x"), &format!("{access}=")]
    {
        let (status, code, challenge) = me(&server, &format!("Bearer {bad}")).await;
        assert_eq!((status, code.as_str()), (401, "invalid_token"), "{bad:?}");
        assert!(challenge.contains(r#", error="invalid_token", error_description=""#), "{challenge}");
    }
    let twice = server.get("/api/v1/me").bearer(&access).bearer(&access);
    twice.expect_problem(400, "invalid_request").await;
    server.get(&format!("/api/v1/me?access_token={access}")).expect_problem(401, "missing_token").await;
}

#[actix_web::test]
async fn a_token_that_was_altered_or_made_by_another_is_refused() {
    let server = Server::start().await;
    let token = server.user("ada").await.access;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let with = |value: &Value, name: &str, new: Value| {
        let mut value = value.clone();
        value[name] = new;
        value
    };
    let public = server.get("/.well-known/jwks.json").expect(200).await.text;
    let public_as_secret = |key: &[u8]| {
        let message = format!("{}.{}", encoded(&with(&header, "alg", json!("HS256"))), encoded(&claims));
        let key = EncodingKey::from_secret(key);
        format!(
            "{message}.{}",
            jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap()
        )
    };
    let unsigned =
        |alg: &str| format!("{}.{}.", encoded(&with(&header, "alg", json!(alg))), encoded(&claims));
    let other = Server::with(&["--secret-key=another-key-not-secret-0123456789"]).await;
    let foreign = other.user("ada").await.access;
    let signature = token.split('.').nth(2).unwrap();
    let zeros = BASE64_URL_SAFE_NO_PAD.encode([0; 64]);
    for bad in [
        forged(&token, &header, &with(&claims, "roles", json!(["admin"]))),
        forged(&token, &with(&header, "kid", json!("../../etc/passwd")), &claims),
        forged(&token, &with(&header, "kid", json!("' or 1=1 --")), &claims),
        forged(&token, &with(&header, "kid", json!(null)), &claims),
        forged(&token, &with(&header, "alg", json!("RS256")), &claims),
        forged(&token, &with(&header, "jwk", json!({"kty": "oct", "k": "AA"})), &claims),
        unsigned("none"),
        unsigned("None"),
        unsigned("NONE"),
        unsigned("ES256"),
        public_as_secret(public.as_bytes()),
        public_as_secret(b""),
        foreign,
        token.replace(signature, &zeros),
        format!("{token}."),
        format!("{token}AA"),
        format!("{}.", token.rsplit_once('.').unwrap().0),
        "a".repeat(7000),
    ] {
        let (status, code, _) = me(&server, &format!("Bearer {bad}")).await;
        assert_eq!((status, code.as_str()), (401, "invalid_token"), "{bad}");
    }
    assert_eq!(me(&server, &format!("Bearer {token}")).await.0, 200);
}

#[actix_web::test]
async fn a_good_signature_is_not_enough() {
    let server = Server::with(&HS256).await;
    let token = server.user("ada").await.access;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    assert_eq!(me(&server, &format!("Bearer {}", signed(&header, &claims.to_string()))).await.0, 200);

    for (name, value) in [
        ("typ", json!("JWT")),
        ("typ", json!(null)),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("alg", json!("HS512")),
        ("alg", json!("none")),
        ("kid", json!("other")),
    ] {
        let mut header = header.clone();
        header[name] = value.clone();
        let told = me(&server, &format!("Bearer {}", signed(&header, &claims.to_string()))).await;
        assert_eq!((told.0, told.1.as_str()), (401, "invalid_token"), "{name}: {value}");
    }
    let now = server.clock.now().timestamp();
    for (name, value) in [
        ("iss", json!("http://evil.example")),
        ("iss", json!(["http://localhost:8080"])),
        ("iss", json!(null)),
        ("aud", json!("other")),
        ("aud", json!(["other", "http://localhost:8080"])),
        ("aud", json!(42)),
        ("sub", json!("01900000-0000-7000-8000-000000000000")),
        ("sub", json!("ada")),
        ("sid", json!("x")),
        ("exp", json!("9999999999")),
        ("exp", json!(9999999999.5)),
        ("exp", json!(null)),
        ("exp", json!(1e300)),
        ("nbf", json!(now + 60)),
        ("iat", json!(now + 60)),
        ("gen", json!("1")),
    ] {
        let mut claims = claims.clone();
        claims[name] = value.clone();
        let told = me(&server, &format!("Bearer {}", signed(&header, &claims.to_string()))).await;
        assert_eq!((told.0, told.1.as_str()), (401, "invalid_token"), "{name}: {value}");
    }
    for (name, value) in [("exp", json!(-1)), ("exp", json!(0)), ("exp", json!(now))] {
        let mut claims = claims.clone();
        claims[name] = value.clone();
        let told = me(&server, &format!("Bearer {}", signed(&header, &claims.to_string()))).await;
        assert_eq!((told.0, told.1.as_str()), (401, "expired_token"), "{name}: {value}");
    }
    let twice = claims.to_string().replacen('{', r#"{"sub":"01900000-0000-7000-8000-000000000000","#, 1);
    assert_eq!(me(&server, &format!("Bearer {}", signed(&header, &twice))).await.1, "invalid_token");
}

#[actix_web::test]
async fn header_parameters_that_name_keys_are_not_obeyed() {
    let server = Server::with(&HS256).await;
    let token = server.user("ada").await.access;
    let (mut header, claims) = (part(&token, 0), part(&token, 1));
    let evil = "http://127.0.0.1:1/keys";
    header["jku"] = json!(evil);
    header["x5u"] = json!(evil);
    header["b64"] = json!(false);
    header["zip"] = json!("DEF");
    let (status, _, _) = me(&server, &format!("Bearer {}", signed(&header, &claims.to_string()))).await;
    assert_eq!(status, 200);
}

#[actix_web::test]
async fn a_session_or_user_that_is_gone_is_revoked() {
    let server = Server::start().await;
    let disabled = server.user("disabled").await;
    let deleted = server.user("deleted").await;
    let pruned = server.user("pruned").await;
    server
        .sql("update users set disabled = $1 where username = 'disabled'")
        .bind(true)
        .execute()
        .await
        .unwrap();
    server.sql("delete from users where username = 'deleted'").execute().await.unwrap();
    let sql = "delete from sessions where user_id = (select id from users where username = 'pruned')";
    server.sql(sql).execute().await.unwrap();
    for tokens in [disabled, deleted, pruned] {
        server.get("/api/v1/me").bearer(&tokens.access).expect_problem(401, "revoked_token").await;
        let refresh = server.post("/api/v1/refresh").json(json!({ "refresh_token": tokens.refresh }));
        refresh.expect_problem(401, "invalid_refresh_token").await;
    }
}
