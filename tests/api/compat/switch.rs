//! The setting.

use std::collections::BTreeSet;

use portcullis::http::tutorial_endpoints;
use serde_json::{Value, json};

use super::start;
use crate::api::support::{PASSWORD, Server};

async fn documented(server: &Server) -> BTreeSet<String> {
    let document = server.get("/openapi.json").expect(200).await.json();
    let tags: Vec<_> = document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    let paths: BTreeSet<_> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(tags.contains(&&json!("tutorials")), paths.contains("/anEndpoint"));
    paths
}

#[actix_web::test]
async fn by_default_there_is_nothing_of_it() {
    let server = Server::start().await;
    server.register("ada").await;
    for endpoint in tutorial_endpoints() {
        for method in &endpoint.methods {
            let answer = server.request(method.as_str(), endpoint.path).send_unchecked().await;
            assert_eq!(answer.status, 404, "{method} {}", endpoint.path);
            if method != "HEAD" {
                assert_eq!(answer.json()["code"], "not_found");
            }
        }
    }
    let body = json!({ "username": "ada", "password": PASSWORD });
    let answer = server.post("/api/v1/login").json(body).expect(200).await.json();
    assert!(answer["access_token"].is_string() && answer.get("token").is_none(), "{answer}");
}

#[actix_web::test]
async fn the_document_tells_of_it_where_it_is_there() {
    let (without, with) = (documented(&Server::start().await).await, documented(&start().await).await);
    let more: Vec<_> = with.difference(&without).map(String::as_str).collect();
    let mut expected: Vec<_> = tutorial_endpoints().iter().map(|endpoint| endpoint.path).collect();
    expected.sort_unstable();
    assert_eq!((more, without.len()), (expected, with.len() - tutorial_endpoints().len()));
}

/// As the others that get no body of ours.
#[actix_web::test]
async fn only_a_login_has_a_token_beside_the_native_answer() {
    let server = start().await;
    let tokens = server.user("ada").await;
    let refreshed = server.post("/api/v1/refresh").json(json!({ "refresh_token": tokens.refresh }));
    assert_eq!(refreshed.expect(200).await.json().get("token"), None);
    let form = format!("grant_type=password&username=ada&password={PASSWORD}");
    let granted: Value = server.post("/oauth/token").form(&form).expect(200).await.json();
    assert_eq!(granted.get("token"), None);
}

#[actix_web::test]
async fn pages_of_listed_origins_may_send_the_tutorials_header() {
    let origin = "https://app.example.com";
    let settings = ["--compat-routes=true", "--cors-origins=https://app.example.com"];
    for (settings, allowed) in [(&settings[..], true), (&settings[1..], false)] {
        let server = Server::with(settings).await;
        let preflight = server.request("OPTIONS", "/anEndpoint").header("origin", origin);
        let preflight = preflight.header("access-control-request-method", "POST");
        let answer = preflight.header("access-control-request-headers", "token").send_unchecked().await;
        assert_eq!(answer.header("access-control-allow-headers").contains("token"), allowed);
    }
}
