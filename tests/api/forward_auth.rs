//! `/forward-auth`: what a proxy is told.

use serde_json::json;

use crate::api::support::{Answer, PASSWORD, Server};

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"];

/// The identity headers of an answer, as bytes may be UTF-8.
fn identity(answer: &Answer) -> Vec<(String, String)> {
    let told = answer.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-auth-"));
    let text = |value: &reqwest::header::HeaderValue| String::from_utf8(value.as_bytes().to_vec()).unwrap();
    let mut told: Vec<_> = told.map(|(name, value)| (name.to_string(), text(value))).collect();
    told.sort();
    told
}

#[actix_web::test]
async fn the_answer_tells_who_it_is_whatever_the_method() {
    let server = Server::start().await;
    let admin = server.admin("admin").await;
    let id = server.get("/api/v1/me").bearer(&admin.access).expect(200).await.json()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let expected = [("x-auth-roles", "admin"), ("x-auth-user-id", id.as_str()), ("x-auth-username", "admin")];
    for method in METHODS {
        let answer = server.request(method, "/forward-auth").bearer(&admin.access).send_unchecked().await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""), "{method}");
        assert_eq!(
            identity(&answer),
            expected.map(|(name, value)| (name.to_owned(), value.to_owned())),
            "{method}"
        );
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    // A body is the application's, and is not looked at.
    let with_body = server.post("/forward-auth").bearer(&admin.access).body("text/plain", "x".repeat(20_000));
    with_body.expect(200).await;
}

#[actix_web::test]
async fn what_a_user_does_not_have_is_not_told() {
    let server = Server::start().await;
    let body = json!({ "email": "jürgen@example.com", "password": PASSWORD });
    let id = server.post("/api/v1/register").json(body.clone()).expect(201).await.json()["id"].clone();
    let tokens = server.post("/api/v1/login").json(body).expect(200).await.json();
    let answer = server.get("/forward-auth").bearer(tokens["access_token"].as_str().unwrap());
    // What the client itself says of who it is counts for nothing.
    let answer = answer.header("x-auth-username", "admin").header("x-auth-roles", "admin");
    let answer = answer.header("x-auth-user-id", "1").send_unchecked().await;
    let expected = [
        ("x-auth-email", "jürgen@example.com"),
        ("x-auth-roles", ""),
        ("x-auth-user-id", id.as_str().unwrap()),
    ];
    assert_eq!(identity(&answer), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[actix_web::test]
async fn roles_can_be_demanded() {
    let server = Server::start().await;
    let (ada, admin) = (server.user("ada").await, server.admin("admin").await);
    let ask = async |query: &str, token: &str| {
        let answer = server.get(&format!("/forward-auth{query}")).bearer(token).send().await;
        let code =
            if answer.status == 200 { String::new() } else { answer.json()["code"].as_str().unwrap().into() };
        (answer.status, code)
    };
    let fine = (200, String::new());
    assert_eq!(ask("?role=admin", &admin.access).await, fine);
    assert_eq!(ask("?role=admin&role=admin&other=x", &admin.access).await, fine);
    for missing in ["?role=admin", "?role=admin&role=editor", "?role=editor", "?role=a-role_2"] {
        assert_eq!(ask(missing, &ada.access).await, (403, "forbidden".into()), "{missing}");
    }
    assert_eq!(ask("?role=admin&role=editor", &admin.access).await, (403, "forbidden".into()));
    for bad in [
        "?role=",
        "?role",
        "?role=editor&role=",
        "?role=Admin",
        "?role=%22",
        "?role=%ff",
        // Mistyped in a proxy's file, it would let everyone in.
        "?roles=admin",
        "?Role=admin",
        "?role=admin&ROLES=editor",
        &format!("?role={}", "a".repeat(33)),
    ] {
        assert_eq!(ask(bad, &admin.access).await, (400, "invalid_request".into()), "{bad}");
    }
    let told =
        server.get("/forward-auth?role=editor").bearer(&admin.access).expect_problem(403, "forbidden").await;
    assert!(told.header("www-authenticate").contains(r#"error="insufficient_scope""#));
    assert!(identity(&told).is_empty());
}

/// What a browser asks the API, the proxy asks here; to answer it as one's own would let it pass.
#[actix_web::test]
async fn a_preflight_passes_no_more_than_any_other_request() {
    let server = Server::with(&["--cors-origins=https://app.example.com"]).await;
    for path in ["/forward-auth", "/forward-auth?role=admin"] {
        let request = server.request("OPTIONS", path).header("origin", "https://app.example.com");
        let request = request.header("access-control-request-method", "GET");
        assert_eq!(request.send_unchecked().await.status, 401, "{path}");
    }
    let preflight = server.request("OPTIONS", "/api/v1/me").header("origin", "https://app.example.com");
    let preflight = preflight.header("access-control-request-method", "GET").send_unchecked().await;
    assert_eq!(preflight.status, 200);
}

#[actix_web::test]
async fn without_a_good_token_nobody_is_told() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    for method in METHODS {
        let answer = server.request(method, "/forward-auth").send_unchecked().await;
        assert_eq!(answer.status, 401, "{method}");
        assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="portcullis""#);
    }
    server.get("/forward-auth?role=").expect_problem(401, "missing_token").await;
    server.get("/forward-auth").bearer("x").expect_problem(401, "invalid_token").await;
    server.get("/forward-auth").bearer(&ada.access).expect(200).await;
    server.post("/api/v1/logout").bearer(&ada.access).expect(204).await;
    let answer = server.get("/forward-auth").bearer(&ada.access).expect_problem(401, "revoked_token").await;
    assert!(identity(&answer).is_empty());
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// For the API behind the proxy. No spans are exported here, and so the parent stays who it was.
#[actix_web::test]
async fn the_answer_says_to_which_trace_the_request_belongs() {
    let server = Server::start().await;
    let ada = server.user("ada").await;
    let ask = async |headers: &[(&'static str, &str)]| {
        let request = server.get("/forward-auth").bearer(&ada.access);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        let answer = request.expect(200).await;
        (answer.header("traceparent").to_owned(), answer.header("tracestate").to_owned())
    };
    for flags in ["00", "01"] {
        let parent = format!("00-{TRACE}-{SPAN}-{flags}");
        let told = ask(&[("traceparent", &parent), ("tracestate", "rojo=1, congo=2")]).await;
        assert_eq!(told, (parent, "rojo=1,congo=2".to_owned()));
    }
    let parent = format!("00-{TRACE}-{SPAN}-01");
    // What is not sound is as if it were not there; with it goes what belongs to it, and not the other way about.
    let told = ask(&[("traceparent", &parent), ("tracestate", "rojo=1,CONGO")]).await;
    assert_eq!(told, (parent.clone(), String::new()));
    let bad = parent.to_uppercase();
    for headers in [
        vec![],
        vec![("tracestate", "rojo=1")],
        vec![("traceparent", bad.as_str()), ("tracestate", "rojo=1")],
        vec![("traceparent", parent.as_str()), ("traceparent", parent.as_str()), ("tracestate", "rojo=1")],
    ] {
        let (begun, state) = ask(&headers).await;
        let (again, _) = ask(&headers).await;
        assert!(begun.ends_with("-00") && !begun.contains(TRACE) && begun != again, "{headers:?}: {begun}");
        assert_eq!(state, "", "{headers:?}");
    }
}
