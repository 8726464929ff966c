//! Access tokens: what is accepted, and what an attacker is told.

use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use jsonwebtoken::{Algorithm, EncodingKey};
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
    signed_message(&format!("{}.{}", encoded(header), BASE64_URL_SAFE_NO_PAD.encode(claims)))
}

fn signed_message(message: &str) -> String {
    let key = EncodingKey::from_secret(HS256[1].split_once('=').unwrap().1.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
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
    for algorithm in ["ES256", "EdDSA", "RS256", "HS256"] {
        altered(algorithm).await;
    }
}

async fn altered(algorithm: &str) {
    let settings = [&format!("--jwt-algorithm={algorithm}"), HS256[1]];
    let server = Server::with(&settings).await;
    let token = server.user("ada").await.access;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    let with = |value: &Value, name: &str, new: Value| {
        let mut value = value.clone();
        value[name] = new;
        value
    };
    let set = server.get("/.well-known/jwks.json").expect(200).await;
    // The public key as the secret of an HMAC, in each form that one could think of.
    let as_secret = |alg: &str, key: &[u8]| {
        let message = format!("{}.{}", encoded(&with(&header, "alg", json!(alg))), encoded(&claims));
        let key = EncodingKey::from_secret(key);
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("{message}.{signature}")
    };
    let mut public: Vec<Vec<u8>> = vec![Vec::new(), set.text.clone().into_bytes()];
    if let Some(key) = set.json()["keys"].get(0) {
        public.push(key.to_string().into_bytes());
        let texts = key.as_object().unwrap().values().filter_map(Value::as_str);
        public.extend(texts.flat_map(|text| {
            [text.as_bytes().to_vec(), BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default()]
        }));
    }
    let unsigned =
        |alg: &str| format!("{}.{}.", encoded(&with(&header, "alg", json!(alg))), encoded(&claims));
    let other = Server::with(&["--secret-key=another-key-not-secret-0123456789"]).await;
    let foreign = other.user("ada").await.access;
    let (message, signature) = token.rsplit_once('.').unwrap();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let signed_by = |bytes: &[u8]| format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    let mut bad: Vec<_> =
        public.iter().flat_map(|key| ["HS256", "HS512"].map(|alg| as_secret(alg, key))).collect();
    bad.extend([
        forged(&token, &header, &with(&claims, "roles", json!(["admin"]))),
        forged(&token, &with(&header, "kid", json!("../../etc/passwd")), &claims),
        forged(&token, &with(&header, "kid", json!("' or 1=1 --")), &claims),
        forged(&token, &with(&header, "kid", json!(null)), &claims),
        forged(&token, &with(&header, "kid", json!(["x"])), &claims),
        forged(&token, &with(&header, "kid", json!("x".repeat(5000))), &claims),
        forged(&token, &with(&header, "alg", json!("ES384")), &claims),
        forged(&token, &with(&header, "alg", json!(algorithm.to_lowercase())), &claims),
        forged(&token, &with(&header, "jwk", json!({"kty": "oct", "k": "AA"})), &claims),
        unsigned("none"),
        unsigned("None"),
        unsigned("NONE"),
        unsigned("nOnE"),
        unsigned(""),
        unsigned(algorithm),
        foreign,
        signed_by(&vec![0; bytes.len()]),
        signed_by(&vec![0xff; bytes.len()]),
        signed_by(&[0; 64]),
        signed_by(&flipped(0)),
        signed_by(&flipped(bytes.len() - 1)),
        signed_by(&bytes[1..]),
        signed_by(&bytes[..bytes.len() - 1]),
        signed_by(&[&bytes[..], &[0]].concat()),
        // Five parts, as encryption has (RFC 7516).
        format!("{}.{}.AA.AA.AA", encoded(&json!({"alg": "dir", "enc": "A256GCM"})), encoded(&claims)),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!("{token}AA"),
        format!("{token}="),
        format!("{message}.{signature}=="),
        format!("{message}."),
        message.to_owned(),
        format!(".{token}"),
        token.replace('.', ".."),
        "a".repeat(7000),
    ]);
    for bad in bad {
        let (status, code, _) = me(&server, &format!("Bearer {bad}")).await;
        assert_eq!((status, code.as_str()), (401, "invalid_token"), "{algorithm}: {bad}");
    }
    assert_eq!(me(&server, &format!("Bearer {token}")).await.0, 200);
}

/// What the HTTP parser refuses never gets here; what it lets through is answered, and the service goes on.
#[actix_web::test]
async fn a_token_of_a_megabyte_or_of_any_bytes_breaks_nothing() {
    use std::io::{Read, Write};
    let server = Server::start().await;
    let address = server.url.strip_prefix("http://").unwrap().to_owned();
    let ask = move |token: Vec<u8>| {
        let address = address.clone();
        tokio::task::spawn_blocking(move || {
            let mut line = std::net::TcpStream::connect(address).unwrap();
            line.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let head = b"GET /api/v1/me HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer ";
            // It may hang up before it has read all.
            let _ = line.write_all(&[head, &token[..], b"\r\n\r\n"].concat());
            let mut answer = Vec::new();
            let _ = line.read_to_end(&mut answer);
            String::from_utf8_lossy(&answer).into_owned()
        })
    };
    for (token, statuses) in [
        (vec![b'a'; 1 << 20], &["400", "413", "431", ""][..]),
        (vec![0xff; 100], &["401"]),
        (vec![0x80, b'.', 0xfe, b'.', 0xc0], &["401"]),
        (b"a\0b".to_vec(), &["400"]),
    ] {
        let answer = ask(token.clone()).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(statuses.contains(&status), "{:?}: {answer:?}", &token[..3]);
        assert!(status != "401" || answer.contains("invalid_token"), "{answer}");
    }
    server.user("ada").await;
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
        ("iat", json!("0")),
        ("gen", json!("1")),
    ] {
        let mut claims = claims.clone();
        claims[name] = value.clone();
        let told = me(&server, &format!("Bearer {}", signed(&header, &claims.to_string()))).await;
        assert_eq!((told.0, told.1.as_str()), (401, "invalid_token"), "{name}: {value}");
    }
    // Signed before the clock was set back.
    let mut ahead = claims.clone();
    ahead["iat"] = json!(now + 3600);
    assert_eq!(me(&server, &format!("Bearer {}", signed(&header, &ahead.to_string()))).await.0, 200);
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
async fn a_header_says_nothing_but_type_algorithm_and_key() {
    let server = Server::with(&HS256).await;
    let token = server.user("ada").await.access;
    let (header, claims) = (part(&token, 0), part(&token, 1));
    assert_eq!(me(&server, &format!("Bearer {}", signed(&header, &claims.to_string()))).await.0, 200);
    let evil = "http://127.0.0.1:1/keys";
    for (name, value) in [
        ("jku", json!(evil)),
        ("x5u", json!(evil)),
        ("jwk", json!({ "kty": "oct", "k": "AA" })),
        ("x5c", json!(["AA"])),
        ("x5t", json!("AA")),
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("cty", json!("JWT")),
        ("unknown", json!(1)),
    ] {
        let mut header = header.clone();
        header[name] = value;
        let told = me(&server, &format!("Bearer {}", signed(&header, &claims.to_string()))).await;
        assert_eq!((told.0, told.1.as_str()), (401, "invalid_token"), "{name}");
    }
    let list = json!([header["typ"], header["alg"], header["kid"]]);
    assert_eq!(
        me(&server, &format!("Bearer {}", signed(&list, &claims.to_string()))).await.1,
        "invalid_token"
    );
    let twice = header.to_string().replacen('{', r#"{"alg":"HS256","#, 1);
    let message = format!(
        "{}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(twice),
        BASE64_URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    assert_eq!(me(&server, &format!("Bearer {}", signed_message(&message))).await.1, "invalid_token");
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
