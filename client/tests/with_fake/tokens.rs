//! Which tokens are taken, and which attacks are not.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use portcullis_client::Error;
use serde_json::{Value, json};

use crate::fake::{Fake, id, now};
use crate::signer::Signer;

fn with(base: &Value, name: &str, value: Value) -> String {
    let mut changed = base.clone();
    changed[name] = value;
    changed.to_string()
}

fn without(base: &Value, name: &str) -> String {
    let mut changed = base.clone();
    changed.as_object_mut().unwrap().remove(name);
    changed.to_string()
}

#[actix_web::test]
async fn the_claims_are_those_of_the_token() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let claims = verifier.verify(&fake.token(id(5), id(51))).unwrap();
    assert_eq!((claims.sub, claims.sid, claims.jti), (id(5), id(51), id(7)));
    assert_eq!((claims.iss.as_str(), claims.aud.as_str()), (fake.url.as_str(), fake.url.as_str()));
    assert_eq!(claims.exp - claims.iat, 900);
    assert!(claims.has_role("editor") && !claims.has_role("edit") && !claims.has_role("admin"));
}

#[actix_web::test]
async fn headers_of_attackers_are_refused() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let (header, claims) = (fake.state().keys[0].header(), fake.claims(id(5), id(51)).to_string());
    let sign = |header: &str| fake.state().keys[0].sign(header, &claims);
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        verifier.verify(&sign(&with(&header, "typ", json!(typ)))).unwrap();
    }
    // What a header says about keys is not obeyed, so it does no harm either.
    let mallory = Signer::es256("first");
    verifier.verify(&sign(&with(&header, "jwk", mallory.jwk()))).unwrap();
    let own_key = mallory.sign(&with(&header, "jwk", mallory.jwk()), &claims);
    assert_eq!(verifier.verify(&own_key), Err(Error::InvalidToken));

    for bad in [
        with(&header, "typ", json!("JWT")),
        with(&header, "typ", json!("rt+jwt")),
        with(&header, "typ", Value::Null),
        without(&header, "typ"),
        with(&header, "crit", json!(["exp"])),
        with(&header, "crit", json!(["b64"])),
        with(&header, "crit", json!([])),
        with(&header, "alg", json!("none")),
        with(&header, "alg", json!("None")),
        with(&header, "alg", json!("HS256")),
        with(&header, "alg", json!("ES384")),
        with(&header, "alg", json!("RS256")),
        with(&header, "alg", Value::Null),
        without(&header, "alg"),
        without(&header, "kid"),
        with(&header, "kid", json!(1)),
        with(&header, "kid", json!("")),
        with(&header, "kid", json!("../first")),
        header.to_string().replacen('{', r#"{"kid":"first","#, 1),
        header.to_string().replacen('{', r#"{"alg":"ES256","#, 1),
        "[]".to_owned(),
        "null".to_owned(),
        String::new(),
        "{".repeat(5000),
    ] {
        let told = verifier.verify_or_wait(&sign(&bad)).await;
        assert!(told.is_err(), "{bad}");
        let unknown = bad.contains("..") || bad.contains(r#""kid":"""#);
        assert!(unknown || told == Err(Error::InvalidToken), "{bad}: {told:?}");
    }
}

#[actix_web::test]
async fn a_public_key_is_no_secret_and_a_missing_signature_is_none() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let (jwk, claims) = (fake.state().keys[0].jwk(), fake.claims(id(5), id(51)));
    let point: Vec<u8> = ["x", "y"]
        .iter()
        .flat_map(|name| BASE64_URL_SAFE_NO_PAD.decode(jwk[*name].as_str().unwrap()).unwrap())
        .collect();
    let uncompressed = [&[4], point.as_slice()].concat();
    for secret in
        [jwk.to_string().as_bytes(), &point, &uncompressed, jwk["x"].as_str().unwrap().as_bytes(), b""]
    {
        assert_eq!(verifier.verify(&Signer::hs256("first", secret).token(&claims)), Err(Error::InvalidToken));
    }
    let token = fake.token(id(5), id(51));
    let (message, signature) = token.rsplit_once('.').unwrap();
    let none = BASE64_URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt","kid":"first"}"#);
    let body = message.split_once('.').unwrap().1;
    for bad in [
        format!("{message}."),
        message.to_owned(),
        format!("{message}.{signature}="),
        format!("{message}.{signature}.{signature}"),
        format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode([0; 64])),
        format!("{none}.{body}."),
        format!("{none}.{body}.{signature}"),
        format!(" {token}"),
        format!("{token}\n"),
        token.to_uppercase(),
        ".".repeat(20_000),
        "..".to_owned(),
        String::new(),
        "ü.\u{1F600}.\0".to_owned(),
        "pc_rt_0123456789".to_owned(),
        format!("{token}{}", "A".repeat(100_000)),
    ] {
        assert_eq!(verifier.verify(&bad), Err(Error::InvalidToken), "{bad:.80}");
    }
    // Any other letter of the signature, one at a time.
    for at in (0..signature.len()).step_by(5) {
        let mut letters = signature.as_bytes().to_vec();
        letters[at] = if letters[at] == b'A' { b'B' } else { b'A' };
        let altered = format!("{message}.{}", String::from_utf8(letters).unwrap());
        assert_eq!(verifier.verify(&altered), Err(Error::InvalidToken));
    }
}

#[actix_web::test]
async fn claims_that_are_not_for_here_or_not_for_now_are_refused() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let (header, good, url) =
        (fake.state().keys[0].header().to_string(), fake.claims(id(5), id(51)), &fake.url);
    let verify = |claims: &str| verifier.verify(&fake.state().keys[0].sign(&header, claims));
    let elsewhere = || json!("https://elsewhere");
    for bad in [
        with(&good, "iss", elsewhere()),
        with(&good, "iss", json!([url])),
        with(&good, "iss", json!(format!("{url}/"))),
        with(&good, "iss", Value::Null),
        with(&good, "iss", json!(42)),
        without(&good, "iss"),
        with(&good, "aud", elsewhere()),
        with(&good, "aud", json!([url])),
        with(&good, "aud", json!([url, "https://elsewhere"])),
        without(&good, "aud"),
        with(&good, "sub", json!("ada")),
        with(&good, "sub", json!("")),
        without(&good, "sub"),
        with(&good, "sid", json!("x")),
        without(&good, "sid"),
        with(&good, "sid", Value::Null),
        with(&good, "exp", json!("9999999999")),
        with(&good, "exp", json!(1e300)),
        with(&good, "exp", Value::Null),
        without(&good, "exp"),
        without(&good, "iat"),
        with(&good, "iat", json!(now() + 60)),
        with(&good, "iat", json!(i64::MIN)),
        with(&good, "exp", json!(i64::MAX)),
        with(&good, "nbf", json!(now() + 60)),
        with(&good, "nbf", json!("0")),
        with(&good, "roles", json!("editor")),
        without(&good, "roles"),
        with(&good, "filler", json!("longer than any token ".repeat(1000))),
        // Longer than its revocation would be remembered.
        with(&good, "exp", json!(now() + 86_500)),
        good.to_string().replacen('{', r#"{"sub":"00000000-0000-0000-0000-000000000001","#, 1),
        "{}".to_owned(),
        "[]".to_owned(),
        "\"\"".to_owned(),
    ] {
        assert_eq!(verify(&bad), Err(Error::InvalidToken), "{bad}");
    }
    for over in [now(), now() - 1, 0] {
        assert_eq!(verify(&with(&good, "exp", json!(over))), Err(Error::ExpiredToken), "{over}");
    }
    for fine in [
        with(&good, "iat", json!(now() + 3)),
        with(&good, "nbf", json!(now() + 3)),
        with(&good, "nbf", Value::Null),
        with(&good, "email", json!("unknown claims are passed over")),
    ] {
        verify(&fine).unwrap();
    }
}
