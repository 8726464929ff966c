//! The example against the real service: who logs out there is refused here within a second.

#[path = "../examples/protected.rs"]
#[allow(dead_code, reason = "the example's own start is not the test's")]
mod protected;

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use portcullis::accounts::{self, Password, Registration, Standing, Username};
use portcullis::audit::Actor;
use portcullis::clock::Clock;
use portcullis::{cli, http};
use portcullis_client::{Settings, Verifier};
use serde_json::{Value, json};

const PASSWORD: &str = "tidal-lantern-mosaic-42";

/// Portcullis on an empty database of its own, with a user `orders` who may introspect, and the example beside it.
struct Pair {
    portcullis: String,
    example: String,
    http: reqwest::Client,
    handles: [ServerHandle; 2],
    _folder: tempfile::TempDir,
}

impl Pair {
    async fn start() -> Pair {
        let folder = tempfile::tempdir().unwrap();
        let (listener, portcullis) = listen();
        let flags = [
            "portcullis",
            "--bcrypt-cost=4",
            "--secret-key=test-key-not-secret-0123456789ab",
            &format!("--public-url={portcullis}"),
            &format!("--database-url=sqlite://{}", folder.path().join("test.db").display()),
        ];
        let app = portcullis::app::App::start(cli::config_from(flags, []).unwrap(), Clock::system()).await;
        let app = Arc::new(app.unwrap());
        let orders = Registration {
            username: Some(Username::parse("orders").unwrap()),
            email: None,
            password: Password::parse(&app, PASSWORD).await.unwrap().unwrap(),
            display_name: None,
        };
        let standing = Standing { roles: vec!["introspect".to_owned()], ..Standing::default() };
        accounts::create(&app, &orders, &standing, &Actor::service()).await.unwrap();
        let server = http::serve(app, listener, |_| {}).unwrap();
        let service = server.handle();
        actix_web::rt::spawn(server);

        let settings = Settings {
            max_silence: Duration::from_secs(3),
            ..Settings::new(&portcullis, "orders", PASSWORD)
        };
        let verifier = Data::new(Verifier::connect(settings).unwrap());
        let ready = tokio::time::timeout(Duration::from_secs(10), verifier.ready()).await;
        ready.unwrap_or_else(|_| panic!("not ready: {:?}", verifier.problem()));
        let (listener, example) = listen();
        let server =
            HttpServer::new(move || App::new().app_data(verifier.clone()).configure(protected::routes));
        let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
        let handles = [service, server.handle()];
        actix_web::rt::spawn(server);
        Pair { portcullis, example, http: reqwest::Client::new(), handles, _folder: folder }
    }

    async fn post(&self, path: &str, token: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.portcullis)).bearer_auth(token).json(&body);
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.unwrap_or_default()
    }

    async fn login(&self) -> String {
        let body = json!({ "username": "ada", "password": PASSWORD });
        self.post("/api/v1/login", "", body).await["access_token"].as_str().unwrap().to_owned()
    }

    /// What the example answers: the status, and the greeting or the problem's code.
    async fn greet(&self, token: &str) -> (u16, String) {
        let answer =
            self.http.get(format!("{}/greet", self.example)).bearer_auth(token).send().await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
        let code =
            serde_json::from_str(&body).ok().and_then(|body: Value| Some(body["code"].as_str()?.to_owned()));
        (status, code.unwrap_or(body))
    }

    /// How long it takes until the example refuses the token in this way.
    async fn until_refused(&self, token: &str, told: (u16, &str), limit: Duration) -> Duration {
        let start = Instant::now();
        loop {
            // By when it was asked, however long the answer took.
            let asked = start.elapsed();
            let (status, said) = self.greet(token).await;
            if (status, said.as_str()) == told {
                return asked;
            }
            assert_eq!(status, 200, "{said}");
            assert!(asked <= limit, "not refused within {limit:?}");
        }
    }
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

impl Drop for Pair {
    fn drop(&mut self) {
        // Only sends the word; the servers' threads end by themselves.
        self.handles.iter().for_each(|handle| drop(handle.stop(false)));
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[actix_web::test]
async fn a_logout_at_the_service_is_known_here_within_a_second() {
    let pair = Pair::start().await;
    let body = json!({ "username": "ada", "password": PASSWORD });
    let ada = pair.post("/api/v1/register", "", body).await["id"].as_str().unwrap().to_owned();
    let (phone, laptop, tablet) = (pair.login().await, pair.login().await, pair.login().await);
    for token in [&phone, &laptop, &tablet] {
        assert_eq!(pair.greet(token).await, (200, format!("Hello, {ada}!\n")));
    }
    assert_eq!(pair.greet("x").await, (401, "invalid_token".to_owned()));

    pair.post("/api/v1/logout", &phone, json!({})).await;
    let took = pair.until_refused(&phone, (401, "revoked_token"), SECOND).await;
    println!("refused {took:?} after the logout");
    assert_eq!(pair.greet(&laptop).await.0, 200, "another session goes on");

    pair.post("/api/v1/logout", &laptop, json!({ "scope": "all" })).await;
    for token in [&laptop, &tablet] {
        let took = pair.until_refused(token, (401, "revoked_token"), SECOND).await;
        println!("refused {took:?} after the logout of all");
    }
    assert_eq!(pair.greet(&pair.login().await).await.0, 200, "a new login is none of those");
}

#[actix_web::test]
async fn a_deleted_account_is_known_here_within_a_second() {
    let pair = Pair::start().await;
    pair.post("/api/v1/register", "", json!({ "username": "ada", "password": PASSWORD })).await;
    let token = pair.login().await;
    assert_eq!(pair.greet(&token).await.0, 200);
    let request = pair.http.delete(format!("{}/api/v1/me", pair.portcullis)).bearer_auth(&token);
    let answer = request.json(&json!({ "password": PASSWORD })).send().await.unwrap();
    assert_eq!(answer.status(), 204);
    let took = pair.until_refused(&token, (401, "revoked_token"), SECOND).await;
    println!("refused {took:?} after the account was deleted");
}

#[actix_web::test]
async fn without_the_service_nothing_is_accepted() {
    let pair = Pair::start().await;
    pair.post("/api/v1/register", "", json!({ "username": "ada", "password": PASSWORD })).await;
    let token = pair.login().await;
    assert_eq!(pair.greet(&token).await.0, 200);
    pair.handles[0].stop(false).await;
    let took = pair.until_refused(&token, (503, "unavailable"), 4 * SECOND).await;
    println!("refused {took:?} after the service stopped");
}
