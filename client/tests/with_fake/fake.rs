//! A Portcullis in the test: its keys, its login and its feed, as the test sets them.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Json, Query};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use portcullis_client::{Settings, Verifier};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use uuid::Uuid;

use crate::signer::Signer;

pub const PASSWORD: &str = "tidal-lantern-mosaic-42";

pub struct Fake {
    pub url: String,
    shared: Arc<Shared>,
    handle: ServerHandle,
}

struct Shared {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

/// What the test may set and look at.
pub struct State {
    pub keys: Vec<Signer>,
    pub items: Vec<Value>,
    pub feed: Mode,
    pub jwks: Mode,
    pub refresh: Mode,
    /// What the next tokens say about their lifetime.
    pub expires_in: u64,
    /// The access and refresh tokens that work.
    pub tokens: HashSet<String>,
    pub logins: usize,
    pub refreshes: usize,
    pub fetches: usize,
    /// The `since` and `wait` of each request to the feed.
    pub polls: Vec<(u64, u64)>,
}

/// How a path answers.
#[derive(Clone)]
pub enum Mode {
    Works,
    /// Not at all.
    Frozen,
    /// So many times, then not at all.
    WorksFor(usize),
    /// As it should, after this long.
    Late(Duration),
    Status(u16, &'static str),
    /// 200 and this.
    Says(String),
}

impl Fake {
    pub async fn start() -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = State {
            keys: vec![Signer::es256("first")],
            items: Vec::new(),
            feed: Mode::Works,
            jwks: Mode::Works,
            refresh: Mode::Works,
            expires_in: 900,
            tokens: HashSet::new(),
            logins: 0,
            refreshes: 0,
            fetches: 0,
            polls: Vec::new(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: watch::Sender::new(()) });
        let (data, own_url) = (Data::from(shared.clone()), Data::new(url.clone()));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .app_data(own_url.clone())
                .route("/.well-known/jwks.json", web::get().to(jwks))
                .route("/api/v1/login", web::post().to(login))
                .route("/api/v1/refresh", web::post().to(refresh))
                .route("/api/v1/revocations", web::get().to(revocations))
        });
        let server = server.workers(1).disable_signals().shutdown_timeout(0).listen(listener).unwrap().run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Fake { url, shared, handle }
    }

    /// Settings that fit, with the shortest times.
    pub fn settings(&self) -> Settings {
        let second = Duration::from_secs(1);
        Settings {
            max_silence: 3 * second,
            keys_at_most_every: second,
            ..Settings::new(&self.url, "orders", PASSWORD)
        }
    }

    /// A verifier that is ready.
    pub async fn verifier(&self) -> Verifier {
        let verifier = Verifier::connect(self.settings()).unwrap();
        ready(&verifier).await;
        verifier
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// Changes the state, and wakes the requests that are held.
    pub fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.shared.changed.send_replace(());
    }

    pub fn revoke(&self, sub: Uuid, sid: Option<Uuid>) {
        self.set(|state| {
            let seq = state.items.last().map_or(1, |item| item["seq"].as_u64().unwrap() + 1);
            state.items.push(item(seq, sub, sid));
        });
    }

    /// The claims of a good token.
    pub fn claims(&self, sub: Uuid, sid: Uuid) -> Value {
        claims(&self.url, sub, sid)
    }

    /// A good token, by the newest key.
    pub fn token(&self, sub: Uuid, sid: Uuid) -> String {
        self.state().keys.last().unwrap().token(&self.claims(sub, sid))
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        // Only sends the word; the server's threads end by themselves.
        drop(self.handle.stop(false));
    }
}

pub fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub fn item(seq: u64, sub: Uuid, sid: Option<Uuid>) -> Value {
    json!({ "seq": seq, "at": "2026-11-22T03:00:00.000000Z", "sub": sub, "sid": sid, "reason": "logged_out" })
}

#[expect(clippy::disallowed_methods, reason = "the clients' clock is the system's")]
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}

fn claims(issuer: &str, sub: Uuid, sid: Uuid) -> Value {
    json!({
        "iss": issuer, "aud": issuer, "sub": sub, "sid": sid, "client_id": "portcullis", "gen": 1,
        "jti": id(7), "iat": now(), "exp": now() + 900, "roles": ["editor"],
    })
}

/// Waits for it, or says what is in the way.
pub async fn ready(verifier: &Verifier) {
    let ready = tokio::time::timeout(Duration::from_secs(10), verifier.ready()).await;
    ready.unwrap_or_else(|_| panic!("not ready: {:?}", verifier.problem()));
}

/// How long it took until `done`; at most `limit`.
pub async fn until(limit: Duration, mut done: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < limit, "not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    start.elapsed()
}

/// The answer that the mode gives, or `None` where the path is to work.
async fn scripted(shared: &Shared, mode: impl Fn(&mut State) -> &mut Mode) -> Option<HttpResponse> {
    let current = {
        let mut state = shared.state.lock().unwrap();
        let mode = mode(&mut state);
        let current = mode.clone();
        if let Mode::WorksFor(times) = mode {
            *mode = if *times > 1 { Mode::WorksFor(*times - 1) } else { Mode::Frozen };
        }
        current
    };
    match current {
        Mode::Works | Mode::WorksFor(_) => None,
        Mode::Late(after) => {
            tokio::time::sleep(after).await;
            None
        }
        Mode::Frozen => std::future::pending().await,
        Mode::Status(status, code) => Some(problem(status, code)),
        Mode::Says(body) => Some(HttpResponse::Ok().content_type("application/json").body(body)),
    }
}

fn problem(status: u16, code: &str) -> HttpResponse {
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).json(json!({ "code": code }))
}

async fn jwks(shared: Data<Shared>) -> HttpResponse {
    shared.state.lock().unwrap().fetches += 1;
    if let Some(answer) = scripted(&shared, |state| &mut state.jwks).await {
        return answer;
    }
    let keys: Vec<_> = shared.state.lock().unwrap().keys.iter().map(Signer::jwk).collect();
    HttpResponse::Ok().json(json!({ "keys": keys }))
}

async fn login(shared: Data<Shared>, url: Data<String>, body: Json<Value>) -> HttpResponse {
    shared.state.lock().unwrap().logins += 1;
    if body["login"] != "orders" || body["password"] != PASSWORD {
        return problem(401, "invalid_credentials");
    }
    HttpResponse::Ok().json(tokens(&shared, &url))
}

async fn refresh(shared: Data<Shared>, url: Data<String>, body: Json<Value>) -> HttpResponse {
    shared.state.lock().unwrap().refreshes += 1;
    if let Some(answer) = scripted(&shared, |state| &mut state.refresh).await {
        return answer;
    }
    let spent = shared.state.lock().unwrap().tokens.remove(body["refresh_token"].as_str().unwrap());
    if !spent {
        problem(401, "invalid_refresh_token")
    } else {
        HttpResponse::Ok().json(tokens(&shared, &url))
    }
}

fn tokens(shared: &Shared, url: &str) -> Value {
    let mut state = shared.state.lock().unwrap();
    let access = state.keys.last().unwrap().token(&claims(url, id(1), id(1)));
    let refresh = format!("pc_rt_{}", state.logins + state.refreshes);
    state.tokens.extend([access.clone(), refresh.clone()]);
    json!({
        "access_token": access, "token_type": "Bearer", "expires_in": state.expires_in,
        "refresh_token": refresh, "refresh_expires_in": 86_400, "user": {},
    })
}

#[derive(Deserialize)]
struct Ask {
    since: u64,
    wait: u64,
}

async fn revocations(request: HttpRequest, shared: Data<Shared>, ask: Query<Ask>) -> HttpResponse {
    let mut changed = shared.changed.subscribe();
    let bearer =
        request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = {
        let mut state = shared.state.lock().unwrap();
        state.polls.push((ask.since, ask.wait));
        bearer.strip_prefix("Bearer ").is_some_and(|token| state.tokens.contains(token))
    };
    if !known {
        return problem(401, "invalid_token");
    }
    let end = tokio::time::Instant::now() + Duration::from_secs(ask.wait);
    loop {
        if let Some(answer) = scripted(&shared, |state| &mut state.feed).await {
            return answer;
        }
        let (items, next) = {
            let state = shared.state.lock().unwrap();
            let after = |item: &&Value| item["seq"].as_u64().unwrap() > ask.since;
            let items: Vec<_> = state.items.iter().filter(after).take(1000).cloned().collect();
            let end = state.items.last().map_or(0, |item| item["seq"].as_u64().unwrap());
            let next = items.last().map_or(ask.since.min(end), |item| item["seq"].as_u64().unwrap());
            (items, next)
        };
        let over = tokio::time::timeout_at(end, changed.changed());
        if !items.is_empty() || next < ask.since || over.await.is_err() {
            return HttpResponse::Ok().json(json!({ "items": items, "next": next }));
        }
    }
}
