//! What a service behind the tower layer answers.

use std::convert::Infallible;

use http::{Request, Response};
use portcullis_client::tower::Authenticate;
use portcullis_client::{Claims, Verifier};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};

use crate::fake::{Fake, Mode, id};

/// Behind the layer: says who the extensions say it is.
async fn greet(request: Request<()>) -> Result<Response<String>, Infallible> {
    Ok(Response::new(request.extensions().get::<Claims>().unwrap().sub.to_string()))
}

async fn ask(layer: &Authenticate, authorization: &[&str]) -> Response<String> {
    let mut request = Request::get("/").header("x-request-id", "r-1");
    for value in authorization {
        request = request.header("authorization", *value);
    }
    layer.layer(service_fn(greet)).oneshot(request.body(()).unwrap()).await.unwrap()
}

#[actix_web::test]
async fn a_valid_token_is_let_through_with_its_claims() {
    let fake = Fake::start().await;
    let layer = Authenticate::new(fake.verifier().await);
    let good = format!("bearer {}", fake.token(id(5), id(51)));
    assert_eq!(ask(&layer, &[&good]).await.body(), &id(5).to_string());
    assert_eq!(ask(&layer.clone().with_role("editor"), &[&good]).await.status(), 200);
}

#[actix_web::test]
async fn refusals_are_portcullis_own() {
    let fake = Fake::start().await;
    let layer = Authenticate::new(fake.verifier().await);
    fake.set(|state| state.feed = Mode::Frozen);
    let unready = Authenticate::new(Verifier::connect(fake.settings()).unwrap());
    let good = format!("Bearer {}", fake.token(id(5), id(51)));
    for (layer, authorization, status, code, challenge) in [
        (layer.clone(), vec![], 401, "missing_token", r#"Bearer realm="portcullis""#),
        (
            layer.clone(),
            vec!["Bearer x"],
            401,
            "invalid_token",
            r#"Bearer realm="portcullis", error="invalid_token", error_description="The access token is not valid here""#,
        ),
        (
            layer.clone().with_role("admin"),
            vec![good.as_str()],
            403,
            "forbidden",
            r#"Bearer realm="portcullis", error="insufficient_scope", error_description="A role is missing""#,
        ),
        (layer, vec![good.as_str(), good.as_str()], 400, "invalid_request", ""),
        (unready, vec![good.as_str()], 503, "unavailable", ""),
    ] {
        let answer = ask(&layer, &authorization).await;
        let header = |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap());
        assert_eq!((answer.status().as_u16(), header("www-authenticate")), (status, challenge));
        assert_eq!(header("content-type"), "application/problem+json");
        assert_eq!(header("x-request-id"), "r-1");
        assert_eq!(header("retry-after").is_empty(), status != 503);
        let body: Value = serde_json::from_str(answer.body()).unwrap();
        assert_eq!((body["code"].as_str(), body["status"].as_u64()), (Some(code), Some(status.into())));
    }
}
