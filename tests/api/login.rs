//! `/api/v1/login`: who gets in, and what one gets.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};

use crate::api::support::{Answer, PASSWORD, Server};

const LOGIN: &str = "/api/v1/login";
const WRONG: &str = "another-lantern-77";

/// Registers Ada with both names; returns the id.
async fn register_ada(server: &Server) -> String {
    let body = json!({ "username": "Ada.L", "email": "Ada.Ünal@Example.com", "password": PASSWORD });
    let user = server.post("/api/v1/register").json(body).expect(201).await.json();
    user["id"].as_str().unwrap().to_owned()
}

async fn login(server: &Server, field: &str, name: &str, password: &str) -> Answer {
    server.post(LOGIN).json(json!({ field: name, "password": password })).send().await
}

async fn disable(server: &Server, key: &'static str) {
    let sql = "update users set disabled = $1 where username_key = $2";
    assert_eq!(server.sql(sql).bind(true).bind(key).execute().await.unwrap(), 1);
}

/// The header (0) or the claims (1) of an access token.
fn part(tokens: &Value, n: usize) -> Value {
    let part = tokens["access_token"].as_str().unwrap().split('.').nth(n).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// The headers of an answer that don't change with each request.
fn told(answer: &Answer) -> Vec<(String, String)> {
    // What counts requests counts on.
    let other = ["x-request-id", "date", "ratelimit"];
    let told = answer.headers.iter().filter(|(name, _)| !other.contains(&name.as_str()));
    told.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

/// The session that a login makes: its ip and user agent.
async fn session_of(server: &Server, headers: &[(&str, &str)]) -> (Value, Value) {
    let request = server.post(LOGIN).json(json!({ "login": "ada", "password": PASSWORD }));
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
    let tokens = request.expect(200).await.json();
    let access = tokens["access_token"].as_str().unwrap();
    let list = server.get("/api/v1/me/sessions").bearer(access).expect(200).await.json();
    (list["items"][0]["ip"].clone(), list["items"][0]["user_agent"].clone())
}

async fn stored_hash(server: &Server) -> String {
    let (hash,): (String,) = server.sql("select password_hash from users").fetch_one().await.unwrap();
    hash
}

#[actix_web::test]
async fn any_name_in_any_case_logs_in() {
    let server = Server::start().await;
    let id = register_ada(&server).await;
    for (field, name) in [
        ("username", "Ada.L"),
        ("username", "ADA.l"),
        ("email", "Ada.Ünal@Example.com"),
        ("email", "ada.ünal@example.com"),
        ("email", "ADA.ÜNAL@EXAMPLE.COM"),
        ("email", "ada.u\u{308}nal@example.com"),
        ("login", "Ada.L"),
        ("login", "ada.L"),
        ("login", "Ada.Ünal@Example.com"),
        ("login", "aDA.üNAL@eXAMPLE.com"),
    ] {
        let answer = login(&server, field, name, PASSWORD).await;
        assert_eq!(
            (answer.status, answer.json()["user"]["id"].as_str()),
            (200, Some(&*id)),
            "{field} {name}"
        );
    }
}

#[actix_web::test]
async fn a_form_logs_in_and_its_empty_names_do_not_count() {
    let server = Server::start().await;
    let id = register_ada(&server).await;
    for form in [
        format!("username=ada.l&password={PASSWORD}"),
        format!("email=ada.%C3%BCnal%40example.com&password={PASSWORD}"),
        format!("login=ada.l&password={PASSWORD}&remember=true"),
        format!("username=&email=&login=ada.l&password={PASSWORD}"),
    ] {
        let tokens = server.post(LOGIN).form(&form).expect(200).await.json();
        assert_eq!(tokens["user"]["id"], id, "{form}");
    }
    let nulls = json!({ "username": "ada.l", "email": null, "login": null, "password": PASSWORD });
    server.post(LOGIN).json(nulls).expect(200).await;
}

#[actix_web::test]
async fn wrong_credentials_all_get_the_same_answer() {
    let server = Server::start().await;
    register_ada(&server).await;
    server.register("gone").await;
    disable(&server, "gone").await;
    let mut answers = Vec::new();
    for (field, name, password) in [
        ("username", "ada.l", WRONG),
        ("email", "ada.ünal@example.com", WRONG),
        ("login", "ada.l", WRONG),
        ("username", "ada.l", "x"),
        ("username", "ada.l", &*"x".repeat(9000)),
        ("username", "ada.l", &*PASSWORD.to_uppercase()),
        ("username", "nobody", PASSWORD),
        ("email", "nobody@example.com", PASSWORD),
        ("login", "nobody", PASSWORD),
        ("login", "nobody@example.com", PASSWORD),
        ("username", "gone", WRONG),
        ("login", "gone", WRONG),
        // A name of the other kind.
        ("username", "ada.ünal@example.com", PASSWORD),
        ("email", "ada.l", PASSWORD),
        // Names that no one can have.
        ("username", "ada.l\0", PASSWORD),
        ("email", "ada.ünal@example.com\0", PASSWORD),
        ("login", "\0", PASSWORD),
        ("username", " ", PASSWORD),
        ("username", "ada.l ", PASSWORD),
        ("email", "\u{200b}", PASSWORD),
        ("login", "\n", PASSWORD),
        ("login", "@", PASSWORD),
        ("username", &*"a".repeat(7000), PASSWORD),
        ("username", "' or 1 = 1 --", PASSWORD),
    ] {
        answers.push(login(&server, field, name, password).await);
    }
    let first = told(&answers[0]);
    for answer in answers {
        let mut body = answer.json();
        assert_eq!(body["request_id"], answer.header("x-request-id"));
        body.as_object_mut().unwrap().remove("request_id");
        let expected = json!({
            "type": "/problems/invalid_credentials", "title": "Unauthorized", "status": 401,
            "detail": "The name or the password is wrong.", "code": "invalid_credentials",
        });
        assert_eq!(body, expected);
        assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="portcullis""#);
        assert_eq!(told(&answer), first);
    }
}

#[actix_web::test]
async fn only_the_right_password_tells_that_an_account_is_disabled() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    disable(&server, "ada").await;
    let answer = login(&server, "username", "ada", PASSWORD).await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (403, Some("account_disabled")));
    assert_eq!(login(&server, "username", "ada", WRONG).await.json()["code"], "invalid_credentials");
    server.get("/api/v1/me").bearer(&tokens.access).expect_problem(401, "revoked_token").await;
    let (sessions,): (i64,) = server.sql("select count(*) from sessions").fetch_one().await.unwrap();
    assert_eq!(sessions, 1);
}

#[actix_web::test]
async fn exactly_one_name_and_a_password_are_needed() {
    let server = Server::start().await;
    register_ada(&server).await;
    let email = "ada.ünal@example.com";
    for (body, broken) in [
        (json!({ "username": "ada.l", "email": email, "password": PASSWORD }), vec!["login ambiguous"]),
        (json!({ "username": "ada.l", "login": "ada.l", "password": PASSWORD }), vec!["login ambiguous"]),
        (json!({ "username": "x", "email": "y", "login": "z", "password": WRONG }), vec!["login ambiguous"]),
        (json!({ "password": PASSWORD }), vec!["login required"]),
        (json!({ "username": null, "password": PASSWORD }), vec!["login required"]),
        (json!({ "username": "", "password": PASSWORD }), vec!["username required"]),
        (json!({ "login": "ada.l" }), vec!["password required"]),
        (json!({ "login": "ada.l", "password": null }), vec!["password required"]),
        (json!({ "login": "ada.l", "password": "" }), vec!["password required"]),
        (json!({ "login": ["ada.l"], "password": 7 }), vec!["login wrong_type", "password wrong_type"]),
        (json!({}), vec!["login required", "password required"]),
    ] {
        let answer = server.post(LOGIN).json(body.clone()).expect_problem(422, "validation_failed").await;
        assert_eq!(answer.broken(), broken, "{body}");
    }
    let form = server.post(LOGIN).form("username=&password=").expect(422).await;
    assert_eq!(form.broken(), ["login required", "password required"]);
}

#[actix_web::test]
async fn a_token_response_has_what_the_contract_says() {
    let server = Server::start().await;
    let id = register_ada(&server).await;
    let answer = login(&server, "login", "ada.l", PASSWORD).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let tokens = answer.json();
    let fields = ["access_token", "expires_in", "refresh_expires_in", "refresh_token", "token_type", "user"];
    assert_eq!(keys(&tokens), BTreeSet::from(fields));
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!((&tokens["expires_in"], &tokens["refresh_expires_in"]), (&json!(900), &json!(2_592_000)));
    assert_eq!(tokens["user"]["id"], id);
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(server.get("/api/v1/me").bearer(access).expect(200).await.json(), tokens["user"]);
}

#[actix_web::test]
async fn an_access_token_says_what_the_contract_says_and_no_more() {
    let server = Server::start().await;
    let id = register_ada(&server).await;
    let tokens = login(&server, "login", "ada.l", PASSWORD).await.json();
    let claims = part(&tokens, 1);
    let now = server.clock.now().timestamp();
    let access = tokens["access_token"].as_str().unwrap();
    let sessions = server.get("/api/v1/me/sessions").bearer(access).expect(200).await.json();
    let expected = json!({
        "iss": "http://localhost:8080", "aud": "http://localhost:8080", "sub": id, "client_id": "portcullis",
        "sid": sessions["items"][0]["id"], "gen": 1, "jti": claims["jti"], "iat": now, "exp": now + 900,
        "roles": [],
    });
    assert_eq!(claims, expected);
}

#[actix_web::test]
async fn an_access_tokens_header_names_its_type_algorithm_and_key() {
    let server = Server::start().await;
    register_ada(&server).await;
    let header = part(&login(&server, "login", "ada.l", PASSWORD).await.json(), 0);
    let jwks = server.get("/.well-known/jwks.json").expect(200).await.json();
    assert_eq!(header, json!({ "typ": "at+jwt", "alg": "ES256", "kid": jwks["keys"][0]["kid"] }));
}

#[actix_web::test]
async fn each_token_has_an_id_of_its_own_and_its_users_roles() {
    let server = Server::start().await;
    server.admin("root").await;
    let [first, second] = [
        login(&server, "login", "root", PASSWORD).await.json(),
        login(&server, "login", "root", PASSWORD).await.json(),
    ];
    let (first, second) = (part(&first, 1), part(&second, 1));
    assert_ne!(first["jti"], second["jti"]);
    assert_ne!(first["sid"], second["sid"]);
    assert_eq!(first["roles"], json!(["admin"]));
}

#[actix_web::test]
async fn issuer_audience_and_lifetimes_are_settings() {
    let settings = ["--public-url=https://id.example.com", "--jwt-audience=shop"];
    let server =
        Server::with(&[&settings[..], &["--access-token-ttl=5m", "--refresh-token-ttl=2d"]].concat()).await;
    server.register("ada").await;
    let tokens = login(&server, "login", "ada", PASSWORD).await.json();
    let claims = part(&tokens, 1);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("https://id.example.com"), &json!("shop")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    assert_eq!((&tokens["expires_in"], &tokens["refresh_expires_in"]), (&json!(300), &json!(172_800)));
}

#[actix_web::test]
async fn no_token_outlives_its_session() {
    let server = Server::with(&["--session-max-age=60s"]).await;
    server.register("ada").await;
    let tokens = login(&server, "login", "ada", PASSWORD).await.json();
    let claims = part(&tokens, 1);
    assert_eq!((&tokens["expires_in"], &tokens["refresh_expires_in"]), (&json!(60), &json!(60)));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 60);
    let access = tokens["access_token"].as_str().unwrap();
    server.clock.advance(Duration::from_secs(58));
    server.get("/api/v1/me").bearer(access).expect(200).await;
    server.clock.advance(Duration::from_secs(2));
    server.get("/api/v1/me").bearer(access).expect_problem(401, "expired_token").await;
}

#[actix_web::test]
async fn a_login_is_noted() {
    let server = Server::start().await;
    server.register("ada").await;
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(login(&server, "login", "ada", WRONG).await.status, 401);
    let user = login(&server, "login", "ada", PASSWORD).await.json()["user"].clone();
    let at: chrono::DateTime<chrono::Utc> = user["last_login_at"].as_str().unwrap().parse().unwrap();
    assert_eq!(at, server.clock.now());
    assert_eq!(user["updated_at"], user["created_at"]);
}

#[actix_web::test]
async fn a_hash_of_another_cost_is_renewed_at_login() {
    let server = Server::start().await;
    let replica = server.replica(&["--bcrypt-cost=5"]).await;
    server.register("ada").await;
    let first = stored_hash(&server).await;
    assert!(first.starts_with("$2b$04$"));
    assert_eq!(login(&replica, "login", "ada", WRONG).await.status, 401);
    server.login("ada").await;
    assert_eq!(stored_hash(&server).await, first);
    replica.login("ada").await;
    assert!(stored_hash(&server).await.starts_with("$2b$05$"));
    server.login("ada").await;
    assert!(stored_hash(&server).await.starts_with("$2b$04$"));
}

#[actix_web::test]
async fn a_session_records_where_it_came_from() {
    let server = Server::start().await;
    server.register("ada").await;
    let agent = format!("Ada's browser/1.0 {}", "é".repeat(600));
    for (headers, agent) in [
        (vec![], json!(null)),
        (vec![("user-agent", "curl/8.11.0")], json!("curl/8.11.0")),
        (vec![("user-agent", &*agent)], json!(agent.chars().take(512).collect::<String>())),
    ] {
        assert_eq!(session_of(&server, &headers).await, (json!("127.0.0.1"), agent));
    }
}

#[actix_web::test]
async fn a_forwarded_address_counts_only_from_a_trusted_proxy() {
    let server = Server::start().await;
    let behind = server.replica(&["--trusted-proxies=127.0.0.1/32"]).await;
    server.register("ada").await;
    for (forwarded, trusted) in [
        ("198.51.100.9", "198.51.100.9"),
        ("203.0.113.1, 198.51.100.9", "198.51.100.9"),
        ("2001:DB8::7", "2001:db8::7"),
        ("nonsense", "127.0.0.1"),
    ] {
        let header = [("x-forwarded-for", forwarded)];
        assert_eq!(session_of(&server, &header).await.0, "127.0.0.1");
        assert_eq!(session_of(&behind, &header).await.0, trusted);
    }
}

#[actix_web::test]
async fn parallel_logins_all_succeed_while_the_hash_is_renewed() {
    let server = Server::start().await;
    server.register("ada").await;
    let costlier = server.replica(&["--bcrypt-cost=5"]).await;
    futures_util::future::join_all((0..8).map(|_| costlier.login("ada"))).await;
}

/// Of each kind that takes a way of its own through the hasher.
#[actix_web::test]
async fn a_hash_from_elsewhere_is_verified_and_replaced() {
    let server = Server::start().await;
    server.register("ada").await;
    // All of "correct horse battery staple"; more of them in tests/hashes.
    for foreign in [
        "$2a$04$DtSYuIRflO22vPlvf5pRXeLDzY0HQGi/pKf5BsrtDQO56OPEvzGd6",
        "pbkdf2_sha256$1001$bsWc2YSPsAs9MXX8eY8LxM$G/lGGzcTVyYlaMayWTYTfZHEwJ2CPThad3fogWBd8TE=",
        "$argon2id$v=19$m=64,t=1,p=1$ntQ+WnfzTJ45Nmsa0/4APw$neeDv76hJH+KG0wQbPek9w",
        "{SSHA}cj8iNMLpoPfarFZrD+KkZ/lpgvKFECIk",
    ] {
        let set = server.sql("update users set password_hash = $1").bind(foreign).execute().await.unwrap();
        assert_eq!(set, 1);
        let wrong = login(&server, "login", "ada", WRONG).await;
        let unknown = login(&server, "login", "nobody", WRONG).await;
        assert_eq!((wrong.status, told(&wrong)), (401, told(&unknown)), "{foreign}");
        assert_eq!(stored_hash(&server).await, foreign);

        let right = "correct horse battery staple";
        assert_eq!(login(&server, "login", "ada", right).await.status, 200, "{foreign}");
        assert!(stored_hash(&server).await.starts_with("$2b$04$"), "{foreign}");
        assert_eq!(login(&server, "login", "ada", right).await.status, 200, "{foreign}");
    }
}
