//! `/oauth/…` and the metadata: OAuth's own forms.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use serde_json::{Value, json};

use crate::api::support::{Answer, PASSWORD, Server, Tokens};

async fn token(server: &Server, form: &str) -> Answer {
    server.post("/oauth/token").form(form).send().await
}

#[track_caller]
fn refused(answer: &Answer, error: &str) {
    assert_eq!((answer.status, &answer.json()["error"]), (400, &json!(error)), "{}", answer.text);
}

fn password_grant(more: &str) -> String {
    format!("grant_type=password&username=ada&password={PASSWORD}{more}")
}

fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[actix_web::test]
async fn a_password_and_then_a_refresh_token_give_tokens() {
    let server = Server::start().await;
    server.register("ada").await;
    let answer =
        server.post("/oauth/token").form(&password_grant("&scope=openid&unknown=")).expect(200).await;
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    let first = Tokens::of(&answer.json());
    assert_eq!(answer.json()["token_type"], "Bearer");
    assert_eq!(claims(&first.access)["client_id"], "portcullis");
    server.get("/api/v1/me").bearer(&first.access).expect(200).await;
    let form = format!("grant_type=refresh_token&refresh_token={}", first.refresh);
    let second = Tokens::of(&server.post("/oauth/token").form(&form).expect(200).await.json());
    server.get("/api/v1/me").bearer(&second.access).expect(200).await;
    // It is the same session as everywhere else.
    server.post("/api/v1/refresh").json(json!({ "refresh_token": second.refresh })).expect(200).await;
}

#[actix_web::test]
async fn an_address_is_a_username_too() {
    let server = Server::start().await;
    let body = json!({ "email": "Ada@example.com", "password": PASSWORD });
    server.post("/api/v1/register").json(body).expect(201).await;
    let form = format!("grant_type=password&username=ada%40EXAMPLE.com&password={PASSWORD}");
    server.post("/oauth/token").form(&form).expect(200).await;
}

#[actix_web::test]
async fn a_client_may_name_itself_and_keeps_its_name() {
    let server = Server::start().await;
    server.register("ada").await;
    let basic = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text));
    let named = Tokens::of(&token(&server, &password_grant("&client_id=my-app")).await.json());
    assert_eq!(claims(&named.access)["client_id"], "my-app");
    let refresh = format!("grant_type=refresh_token&refresh_token={}", named.refresh);
    let renewed = token(&server, &refresh).await.json();
    assert_eq!(claims(renewed["access_token"].as_str().unwrap())["client_id"], "my-app");
    let form = format!("grant_type=refresh_token&refresh_token={}", Tokens::of(&renewed).refresh);
    refused(&token(&server, &format!("{form}&client_id=another")).await, "invalid_grant");
    // Nothing has come of it.
    let session = "select generation, arrived from sessions";
    let rows: Vec<(i64, i64)> = server.sql(session).fetch_all().await.unwrap();
    assert_eq!(rows, [(2, 1)]);
    server.post("/oauth/token").form(&format!("{form}&client_id=my-app")).expect(200).await;

    for (header, expected) in [
        (basic("my-app:some-secret"), "my-app"),
        (basic("my-app:").replace("Basic", "bAsIc"), "my-app"),
        (basic("my%20app%3A1:x"), "my app:1"),
        (basic(":"), "portcullis"),
        ("Bearer x".to_owned(), "portcullis"),
    ] {
        let request = server.post("/oauth/token").header("authorization", &header);
        let answer = request.form(&password_grant("")).expect(200).await.json();
        assert_eq!(claims(answer["access_token"].as_str().unwrap())["client_id"], expected, "{header}");
    }
    for (header, more) in [
        (basic("my-app:x"), "&client_id=another"),
        (basic("no-colon"), ""),
        ("Basic !".to_owned(), ""),
        ("Basic".to_owned(), ""),
        (String::new(), "&client_id=%00"),
        (String::new(), "&client_id=%C3%BC"),
        (String::new(), &format!("&client_id={}", "x".repeat(129))),
    ] {
        let mut request = server.post("/oauth/token");
        if !header.is_empty() {
            request = request.header("authorization", &header);
        }
        refused(&request.form(&password_grant(more)).send().await, "invalid_request");
    }
    let twice =
        server.post("/oauth/token").header("authorization", &basic("a:")).header("authorization", "x");
    refused(&twice.form(&password_grant("")).send().await, "invalid_request");
}

#[actix_web::test]
async fn a_bad_grant_is_refused_in_oauths_form() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    for (form, error) in [
        ("", "invalid_request"),
        ("grant_type=", "invalid_request"),
        ("grant_type=password", "invalid_request"),
        ("grant_type=password&username=ada", "invalid_request"),
        ("grant_type=password&username=&password=x", "invalid_request"),
        ("grant_type=refresh_token", "invalid_request"),
        ("grant_type=password&grant_type=password", "invalid_request"),
        ("x=1&x=1", "invalid_request"),
        ("grant_type=password&username=ada&password=%ff", "invalid_request"),
        ("grant_type=authorization_code&code=x", "unsupported_grant_type"),
        ("grant_type=client_credentials", "unsupported_grant_type"),
        ("grant_type=PASSWORD", "unsupported_grant_type"),
        ("grant_type=password&username=ada&password=wrong", "invalid_grant"),
        ("grant_type=password&username=bob&password=wrong", "invalid_grant"),
        ("grant_type=password&username=a%00b&password=wrong", "invalid_grant"),
        ("grant_type=refresh_token&refresh_token=pc_rt_x", "invalid_grant"),
    ] {
        refused(&token(&server, form).await, error);
    }
    for (content_type, body) in
        [("application/json", json!({ "grant_type": "password" }).to_string()), ("text/plain", "x".into())]
    {
        refused(&server.post("/oauth/token").body(content_type, body).send().await, "invalid_request");
    }
    refused(&server.request("POST", "/oauth/token").send().await, "invalid_request");
    let large = format!("grant_type=password&username=ada&password={}", "x".repeat(17 * 1024));
    server.post("/oauth/token").form(&large).expect_problem(413, "body_too_large").await;
    server.get("/oauth/token").expect_problem(405, "method_not_allowed").await;

    server.post("/api/v1/logout").bearer(&tokens.access).expect(204).await;
    let form = format!("grant_type=refresh_token&refresh_token={}", tokens.refresh);
    refused(&token(&server, &form).await, "invalid_grant");
    server.sql("update users set disabled = $1").bind(true).execute().await.unwrap();
    refused(&token(&server, &password_grant("")).await, "invalid_grant");
}

#[actix_web::test]
async fn revoking_either_token_ends_the_session() {
    let server = Server::start().await;
    server.register("ada").await;
    for kind in ["access", "refresh", "replaced"] {
        let mut tokens = server.login("ada").await;
        let mut shown = if kind == "access" { tokens.access.clone() } else { tokens.refresh.clone() };
        if kind == "replaced" {
            shown = tokens.refresh.clone();
            let body = json!({ "refresh_token": tokens.refresh });
            tokens = Tokens::of(&server.post("/api/v1/refresh").json(body).expect(200).await.json());
        }
        server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
        let form = format!("token={shown}&token_type_hint=nonsense&client_id=x");
        assert_eq!(server.post("/oauth/revoke").form(&form).expect(200).await.text, "");
        server.get("/api/v1/me").bearer(&tokens.access).expect_problem(401, "revoked_token").await;
        let body = json!({ "refresh_token": tokens.refresh });
        server.post("/api/v1/refresh").json(body).expect_problem(401, "invalid_refresh_token").await;
        server.post("/oauth/revoke").form(&form).expect(200).await;
    }
}

#[actix_web::test]
async fn revoking_what_is_no_token_says_nothing() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    for none in ["x", "pc_rt_x", "a.b.c", "%C3%BC", &format!("{}x", tokens.access)] {
        server.post("/oauth/revoke").form(&format!("token={none}")).expect(200).await;
    }
    for bad in ["", "token=", "token=x&token=y", "token_type_hint=access_token"] {
        refused(&server.post("/oauth/revoke").form(bad).send().await, "invalid_request");
    }
    refused(&server.post("/oauth/revoke").json(json!({ "token": "x" })).send().await, "invalid_request");
    let twice =
        server.post("/oauth/revoke").header("authorization", "Basic YTo=").header("authorization", "x");
    refused(&twice.form("token=x").send().await, "invalid_request");
    server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
    // One that has expired is good for nothing, also not for ending what it began.
    server.clock.advance(Duration::from_secs(15 * 60));
    server.post("/oauth/revoke").form(&format!("token={}", tokens.access)).expect(200).await;
    server.post("/api/v1/refresh").json(json!({ "refresh_token": tokens.refresh })).expect(200).await;
}

#[actix_web::test]
async fn introspection_is_live_and_for_those_who_may() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let service = server.user_with("service", "introspect").await;
    let admin = server.admin("admin").await;
    let ask = async |caller: &Tokens, token: &str| {
        let request = server.post("/oauth/introspect").bearer(&caller.access);
        request.form(&format!("token={token}&token_type_hint=access_token")).expect(200).await.json()
    };
    for caller in [&service, &admin] {
        let told = ask(caller, &ada.access).await;
        let mut expected = claims(&ada.access);
        expected["active"] = json!(true);
        expected["token_type"] = json!("Bearer");
        expected["username"] = json!("ada");
        assert_eq!(told, expected);
    }
    let inactive = json!({ "active": false });
    for none in ["x", &ada.refresh, &format!("{}x", ada.access), "%00"] {
        assert_eq!(ask(&service, none).await, inactive, "{none}");
    }

    // Roles are the present ones.
    let id = claims(&ada.access)["sub"].as_str().unwrap().to_owned();
    let change = server.patch(&format!("/api/v1/admin/users/{id}")).bearer(&admin.access);
    change.json(json!({ "roles": ["introspect"] })).expect(200).await;
    assert_eq!(ask(&service, &ada.access).await["roles"], json!(["introspect"]));

    server.post("/api/v1/logout").bearer(&ada.access).expect(204).await;
    assert_eq!(ask(&service, &ada.access).await, inactive);
    let ada = server.login("ada").await;
    let change = server.patch(&format!("/api/v1/admin/users/{id}")).bearer(&admin.access);
    change.json(json!({ "disabled": true })).expect(200).await;
    assert_eq!(ask(&service, &ada.access).await, inactive);

    let bob = server.user("bob").await;
    let form = format!("token={}", bob.access);
    server.post("/oauth/introspect").form(&form).expect_problem(401, "missing_token").await;
    server.post("/oauth/introspect").bearer(&bob.access).form(&form).expect_problem(403, "forbidden").await;
    for bad in ["", "token=", "token=x&token=x"] {
        refused(
            &server.post("/oauth/introspect").bearer(&service.access).form(bad).send().await,
            "invalid_request",
        );
    }
    let later = server.login("bob").await;
    server.clock.advance(Duration::from_secs(14 * 60));
    let service = server.login("service").await;
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(ask(&service, &later.access).await, inactive, "expired");
}

/// Whoever asks about a token got it from the client: so the answer that it came with has arrived.
#[actix_web::test]
async fn a_token_that_was_asked_about_has_arrived() {
    let server = Server::start().await;
    let service = server.user_with("service", "introspect").await;
    let first = server.user("ada").await;
    let refresh = |token: &str| server.post("/api/v1/refresh").json(json!({ "refresh_token": token }));
    let second = Tokens::of(&refresh(&first.refresh).expect(200).await.json());
    let request = server.post("/oauth/introspect").bearer(&service.access);
    request.form(&format!("token={}", second.access)).expect(200).await;
    server.clock.advance(Duration::from_secs(31));
    refresh(&first.refresh).expect_problem(401, "invalid_refresh_token").await;
}

#[actix_web::test]
async fn the_metadata_name_what_is_there() {
    let server = Server::with(&["--public-url=https://auth.example.com/"]).await;
    let metadata = server.get("/.well-known/oauth-authorization-server").expect(200).await;
    assert_eq!(metadata.header("cache-control"), "public, max-age=300");
    let metadata = metadata.json();
    assert_eq!(server.get("/.well-known/openid-configuration").expect(200).await.json(), metadata);
    let issuer = "https://auth.example.com";
    assert_eq!(metadata["issuer"], issuer);
    assert_eq!(claims(&server.user("ada").await.access)["iss"], issuer);
    for endpoint in ["token_endpoint", "revocation_endpoint", "introspection_endpoint"] {
        let path = metadata[endpoint].as_str().unwrap().strip_prefix(issuer).unwrap();
        let status = server.post(path).form("").send().await.status;
        assert!(status == 400 || status == 401, "{endpoint} is {path}, which answers {status}");
    }
    let keys = metadata["jwks_uri"].as_str().unwrap().strip_prefix(issuer).unwrap();
    server.get(keys).expect(200).await;
}
