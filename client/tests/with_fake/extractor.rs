//! What a service with the actix extractors answers.

use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service, read_body, read_body_json};
use actix_web::web::{self, Data};
use actix_web::{App, HttpResponse};
use portcullis_client::Verifier;
use portcullis_client::actix::{Authenticated, RequireRole, Role};
use serde_json::{Value, json};

use crate::fake::{Fake, Mode, id, now, until};

struct Editor;
impl Role for Editor {
    const NAME: &'static str = "editor";
}

struct Admin;
impl Role for Admin {
    const NAME: &'static str = "admin";
}

fn routes(routes: &mut web::ServiceConfig) {
    routes
        .route("/", web::get().to(async |user: Authenticated| user.sub.to_string()))
        .route("/editor", web::get().to(async |editor: RequireRole<Editor>| editor.sub.to_string()))
        .route("/admin", web::get().to(async |_: RequireRole<Admin>| HttpResponse::Ok()));
}

/// Status, challenge and body of an answer to a request with these `authorization` headers.
async fn ask(verifier: &Verifier, path: &str, authorization: &[&str]) -> (u16, String, Value) {
    let app = init_service(App::new().app_data(verifier.clone()).configure(routes)).await;
    let mut request = TestRequest::get().uri(path).insert_header(("x-request-id", "r-1"));
    for value in authorization {
        request = request.append_header(("authorization", *value));
    }
    let answer = call_service(&app, request.to_request()).await;
    let header =
        |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let (status, challenge) = (answer.status().as_u16(), header("www-authenticate"));
    if status < 300 {
        return (status, challenge, String::from_utf8(read_body(answer).await.to_vec()).unwrap().into());
    }
    assert_eq!(header("content-type"), "application/problem+json");
    assert_eq!(header("cache-control"), "no-store");
    assert_eq!(header("x-request-id"), "r-1");
    assert_eq!(header("retry-after").is_empty(), status != 503);
    (status, challenge, read_body_json(answer).await)
}

#[actix_web::test]
async fn the_handler_runs_for_a_valid_token_in_any_spelling_of_the_scheme() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let token = fake.token(id(5), id(51));
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let told = ask(&verifier, "/", &[&format!("{scheme} {token}")]).await;
        assert_eq!(told, (200, String::new(), id(5).to_string().into()));
    }
    assert_eq!(ask(&verifier, "/editor", &[&format!("Bearer {token}")]).await.0, 200);
}

#[actix_web::test]
async fn refusals_are_portcullis_own() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let realm = r#"Bearer realm="portcullis""#;
    let (status, challenge, body) = ask(&verifier, "/", &[]).await;
    assert_eq!((status, challenge.as_str()), (401, realm));
    let whole = json!({
        "type": "/problems/missing_token", "title": "Unauthorized", "status": 401, "code": "missing_token",
        "detail": "This needs an access token: send `authorization: Bearer <token>`.", "request_id": "r-1",
    });
    assert_eq!(body, whole);

    let good = format!("Bearer {}", fake.token(id(5), id(51)));
    let mut claims = fake.claims(id(5), id(51));
    claims["exp"] = now().into();
    let expired = format!("Bearer {}", fake.state().keys[0].token(&claims));
    let ended = fake.token(id(6), id(61));
    fake.revoke(id(6), Some(id(61)));
    until(std::time::Duration::from_secs(1), || verifier.verify(&ended).is_err()).await;
    let ended = format!("Bearer {ended}");
    let invalid = r#", error="invalid_token", error_description=""#;
    for (path, authorization, status, code, error) in [
        ("/", vec!["Basic x"], 401, "missing_token", ""),
        ("/", vec!["Bearer x"], 401, "invalid_token", invalid),
        ("/", vec![expired.as_str()], 401, "expired_token", invalid),
        ("/", vec![ended.as_str()], 401, "revoked_token", invalid),
        ("/admin", vec![ended.as_str()], 401, "revoked_token", invalid),
        (
            "/admin",
            vec![good.as_str()],
            403,
            "forbidden",
            r#", error="insufficient_scope", error_description=""#,
        ),
    ] {
        let (was, challenge, body) = ask(&verifier, path, &authorization).await;
        assert_eq!((was, body["code"].as_str()), (status, Some(code)));
        assert!(challenge.starts_with(&format!("{realm}{error}")), "{challenge}");
        assert_eq!(challenge.len() > realm.len(), !error.is_empty(), "{challenge}");
    }
    let twice = ask(&verifier, "/", &[&good, &good]).await;
    assert_eq!((twice.0, twice.1.as_str(), twice.2["code"].as_str()), (400, "", Some("invalid_request")));
}

#[actix_web::test]
async fn a_service_that_can_not_tell_answers_503() {
    let fake = Fake::start().await;
    fake.set(|state| state.feed = Mode::Frozen);
    let verifier = Verifier::connect(fake.settings()).unwrap();
    let good = format!("Bearer {}", fake.token(id(5), id(51)));
    let (status, challenge, body) = ask(&verifier, "/", &[&good]).await;
    assert_eq!((status, challenge.as_str(), body["code"].as_str()), (503, "", Some("unavailable")));
    // Who sends no token is told so, as that can be told.
    assert_eq!(ask(&verifier, "/", &[]).await.0, 401);
}

#[actix_web::test]
async fn the_verifier_may_be_shared_data_and_its_absence_is_no_way_in() {
    let fake = Fake::start().await;
    let verifier = fake.verifier().await;
    let request = || {
        let bearer = ("authorization", format!("Bearer {}", fake.token(id(5), id(51))));
        TestRequest::get().insert_header(bearer).to_request()
    };
    let shared = init_service(App::new().app_data(Data::new(verifier)).configure(routes)).await;
    assert_eq!(call_service(&shared, request()).await.status(), StatusCode::OK);
    let forgotten = init_service(App::new().configure(routes)).await;
    let answer = call_service(&forgotten, request()).await;
    assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(read_body_json::<Value, _>(answer).await["code"], "internal");
}
