//! The log: one line a request, in either form, and never a secret, however much is asked for.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::program::{PASSWORD, Place, Server, read};

const NEW_PASSWORD: &str = "kiesel wolke & 77";
const NEW_PASSWORD_IN_A_FORM: &str = "kiesel+wolke+%26+77";
const GUESS: &str = "gravel-cloud-of-a-guess";
const SECRET_KEY: &str = "key-of-this-test-and-no-other-0123456789";
const JWT_SECRET: &str = "jwt-of-this-test-and-no-other-0123456789";

/// Sends requests, each under an id of its own, and remembers what they were and what must never be seen.
struct Walk<'a> {
    server: &'a Server,
    /// By request id: what was asked, and the status.
    sent: HashMap<String, (String, u16)>,
    hidden: Vec<String>,
}

impl Walk<'_> {
    async fn send(&mut self, method: &str, path: &str, bearer: Option<&str>, body: Body<'_>) -> (u16, Value) {
        let id = format!("request-{}", self.sent.len());
        let mut request = self.server.request(method, path).header("x-request-id", &id);
        if let Some(token) = bearer {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request = match body {
            Body::None => request,
            Body::Json(value) => request.json(&value),
            Body::Text(kind, text) => request.header("content-type", kind).body(text.to_owned()),
        };
        let (status, answer) = read(request).await;
        for token in ["access_token", "refresh_token", "token", "key"] {
            self.hidden.extend(answer[token].as_str().map(str::to_owned));
        }
        self.sent.insert(id, (format!("{method} {path}"), status));
        (status, answer)
    }

    async fn expect(
        &mut self,
        status: u16,
        method: &str,
        path: &str,
        bearer: Option<&str>,
        body: Body<'_>,
    ) -> Value {
        let (got, answer) = self.send(method, path, bearer, body).await;
        assert_eq!(got, status, "{method} {path}: {answer}");
        answer
    }
}

impl Walk<'_> {
    /// With a token that is alone in a header.
    async fn bare(&mut self, status: u16, what: &str, header: &str, token: &str) {
        let id = format!("request-{}", self.sent.len());
        let (method, path) = what.split_once(' ').unwrap();
        let request = self.server.request(method, path).header("x-request-id", &id).header(header, token);
        assert_eq!(read(request).await.0, status, "{what}");
        self.sent.insert(id, (what.to_owned(), status));
    }
}

enum Body<'a> {
    None,
    Json(Value),
    Text(&'a str, &'a str),
}

const FORM: &str = "application/x-www-form-urlencoded";

/// All that a client does with a password and with tokens, and much that it should not. Gives the user's id.
async fn walk(walk: &mut Walk<'_>) -> String {
    use Body::{Json, None as Nothing, Text};
    let (login, refresh, me) = ("/api/v1/login", "/api/v1/refresh", "/api/v1/me");
    let user = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
    let created = walk.expect(201, "POST", "/api/v1/register", None, Json(user.clone())).await;
    walk.expect(409, "POST", "/api/v1/register", None, Json(user.clone())).await;
    walk.expect(200, "POST", "/users/register", None, Json(user)).await;
    let bad = json!({ "username": "x", "email": GUESS, "password": PASSWORD });
    walk.expect(422, "POST", "/api/v1/register", None, Json(bad)).await;

    let tokens =
        walk.expect(200, "POST", login, None, Json(json!({ "login": "ada", "password": PASSWORD }))).await;
    let (access, token) =
        (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    walk.expect(401, "POST", login, None, Json(json!({ "login": "ada", "password": GUESS }))).await;
    walk.expect(401, "POST", login, None, Json(json!({ "login": "nobody", "password": GUESS }))).await;
    let cut = format!("{{\"login\": \"ada\", \"password\": \"{PASSWORD}\"");
    walk.expect(400, "POST", login, None, Text("application/json", &cut)).await;
    walk.expect(415, "POST", login, None, Text("text/plain", PASSWORD)).await;
    let large = format!("password={PASSWORD}&padding={}", "x".repeat(20_000));
    walk.expect(413, "POST", login, None, Text(FORM, &large)).await;
    walk.expect(400, "POST", &format!("{login}?login=ada&password={PASSWORD}"), None, Nothing).await;
    walk.expect(405, "GET", &format!("{login}?password={PASSWORD}"), None, Nothing).await;

    // As the tutorials' clients do it.
    let form = format!("username=ada&password={PASSWORD}");
    let other = walk.expect(200, "POST", "/loginEndpoint", None, Text(FORM, &form)).await;
    let bare = other["token"].as_str().unwrap();
    let form = format!("username=ada&password={GUESS}");
    walk.expect(401, "POST", "/token", None, Text(FORM, &form)).await;
    for (status, token) in [(200, bare), (401, token)] {
        walk.bare(status, "POST /anEndpoint", "TOKEN", token).await;
        walk.bare(status, "GET /need_login", "authorization", token).await;
    }

    walk.expect(200, "GET", me, Some(access), Nothing).await;
    walk.expect(401, "GET", me, Some(&format!("{access}x")), Nothing).await;
    walk.expect(401, "GET", me, Some(token), Nothing).await;
    walk.expect(401, "GET", &format!("{me}?access_token={access}"), None, Nothing).await;
    walk.expect(404, "GET", &format!("/reset/{token}"), None, Nothing).await;
    walk.expect(404, "DELETE", &format!("{me}/sessions/{token}"), Some(access), Nothing).await;
    walk.expect(400, "GET", &format!("{me}/sessions?cursor={token}"), Some(access), Nothing).await;
    walk.expect(403, "GET", &format!("/api/v1/admin/users?query={PASSWORD}"), Some(access), Nothing).await;

    let keys = "/api/v1/me/keys";
    let made = walk.expect(201, "POST", keys, Some(access), Json(json!({ "name": "k" }))).await;
    let key = made["key"].as_str().unwrap();
    walk.expect(200, "GET", me, Some(key), Nothing).await;
    walk.expect(401, "GET", me, Some(&format!("{key}x")), Nothing).await;
    walk.expect(403, "DELETE", &format!("{keys}/{key}"), Some(key), Nothing).await;
    walk.expect(404, "DELETE", &format!("{keys}/{key}"), Some(access), Nothing).await;
    walk.expect(200, "GET", &format!("{me}/usage"), Some(key), Nothing).await;

    let next = walk.expect(200, "POST", refresh, None, Json(json!({ "refresh_token": token }))).await;
    let access = next["access_token"].as_str().unwrap();
    let token = next["refresh_token"].as_str().unwrap();
    walk.expect(401, "POST", refresh, None, Json(json!({ "refresh_token": access }))).await;
    walk.expect(401, "POST", refresh, None, Text(FORM, &format!("refresh_token={token}x"))).await;

    let password = "/api/v1/me/password";
    let change = |current: &str, new: &str| Json(json!({ "current_password": current, "new_password": new }));
    walk.expect(422, "PUT", password, Some(access), change(GUESS, NEW_PASSWORD)).await;
    walk.expect(422, "PUT", password, Some(access), change(PASSWORD, "ada@example.com")).await;
    walk.expect(204, "PUT", password, Some(access), change(PASSWORD, NEW_PASSWORD)).await;
    let form = format!("login=ada&password={NEW_PASSWORD_IN_A_FORM}");
    walk.expect(200, "POST", login, None, Text(FORM, &form)).await;
    walk.expect(422, "DELETE", me, Some(access), Json(json!({ "password": GUESS }))).await;
    walk.expect(204, "POST", "/api/v1/logout", Some(access), Json(json!({ "scope": "all" }))).await;
    walk.expect(401, "GET", me, Some(access), Nothing).await;
    walk.expect(401, "POST", refresh, None, Json(json!({ "refresh_token": token }))).await;

    // What the parser itself refuses, and what breaks off.
    let address = walk.server.address();
    for raw in [
        format!(
            "GET {me} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {access}\r\nbroken header {token}\r\n\r\n"
        ),
        format!("GET /{token}\u{1} HTTP/9.9\r\n\r\n"),
        format!("POST {login} HTTP/1.1\r\nhost: x\r\ncontent-length: zero\r\n\r\npassword={PASSWORD}"),
    ] {
        let mut connection = TcpStream::connect(address).unwrap();
        connection.write_all(raw.as_bytes()).unwrap();
        let _ = connection.read_to_end(&mut Vec::new());
    }
    created["id"].as_str().unwrap().to_owned()
}

/// Runs the walk with this much logged; returns the log's lines.
async fn logged(rust_log: &str) -> (Vec<Value>, HashMap<String, (String, u16)>, String) {
    let place = Place::quick()
        .with("RUST_LOG", rust_log)
        .with("LOG_FORMAT", "json")
        .with("COMPAT_ROUTES", "true")
        .with("SECRET_KEY", SECRET_KEY)
        .with("JWT_ALGORITHM", "HS256")
        .with("JWT_SECRET", JWT_SECRET);
    let server = place.serve(&[]);
    let hidden = [PASSWORD, NEW_PASSWORD, NEW_PASSWORD_IN_A_FORM, GUESS, SECRET_KEY, JWT_SECRET, "$2b$"];
    let hidden = hidden.map(str::to_owned).to_vec();
    let mut all = Walk { server: &server, sent: HashMap::new(), hidden };
    let user = walk(&mut all).await;
    let Walk { sent, hidden, .. } = all;
    assert!(hidden.len() > 10, "the walk met no tokens");
    let done = server.stop().expect(0);

    // A token's last part is its signature, without which the rest is worth nothing but still says too much.
    let parts =
        hidden.iter().flat_map(|text| text.split('.').filter(|part| part.len() > 3).map(str::to_owned));
    for text in parts {
        let bytes = format!("{:?}", text.as_bytes());
        let bytes = bytes.trim_matches(['[', ']']);
        for line in done.stderr.lines() {
            assert!(
                !line.contains(&text) && !line.contains(bytes),
                "RUST_LOG={rust_log} shows {text:?}: {line}"
            );
        }
    }
    let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    (done.stderr.lines().map(parse).collect(), sent, user)
}

#[tokio::test]
async fn every_request_has_one_line_and_no_line_has_a_secret() {
    let (lines, sent, user) = logged("trace").await;
    let requests: Vec<_> = lines.iter().filter(|line| line.get("route").is_some()).collect();
    for (id, (what, status)) in &sent {
        let own: Vec<_> = requests.iter().filter(|line| line["request_id"] == id.as_str()).collect();
        let [line] = own[..] else { panic!("{what} has {} lines: {own:#?}", own.len()) };
        assert_eq!(
            (line["status"].as_u64(), &line["level"]),
            (Some((*status).into()), &json!("INFO")),
            "{what}: {line}"
        );
        assert_eq!(line["method"], what.split(' ').next().unwrap());
        assert!(line["ms"].is_u64() && line["timestamp"].is_string(), "{line}");
        let digits = |id: &str| line[id].as_str().map(str::len);
        assert_eq!((digits("trace_id"), digits("span_id")), (Some(32), Some(16)), "{line}");
    }
    let of = |what: &str, status: u16| {
        let (id, _) = sent.iter().find(|(_, sent)| **sent == (what.to_owned(), status)).unwrap();
        *requests.iter().find(|line| line["request_id"] == id.as_str()).unwrap()
    };
    assert_eq!(of("GET /api/v1/me", 200)["route"], "/api/v1/me");
    assert_eq!(of("GET /api/v1/me", 200)["user_id"], user.as_str());
    assert_eq!(of("POST /api/v1/login", 401).get("user_id"), None);
    assert_eq!(of("POST /api/v1/login", 401)["code"], "invalid_credentials");
    assert_eq!(of("GET /api/v1/me", 200).get("code"), None);
    assert!(requests.iter().any(|line| line["route"] == "/api/v1/me/sessions/{id}" && line["status"] == 404));
    assert!(requests.iter().any(|line| line["route"] == "-" && line["status"] == 404));
}

/// A directive that names a module is more specific than one that names its crate.
#[tokio::test]
async fn what_shows_bytes_and_statements_is_held_down_also_where_it_is_asked_for_by_name() {
    let (lines, ..) =
        logged("trace,actix_http::h1=trace,actix_http::h1::dispatcher=trace,sqlx::query=trace").await;
    let shown = |line: &&Value| {
        line.get("db.statement").is_some()
            || line["message"].as_str().is_some_and(|text| text.starts_with("start flags"))
    };
    let shown: Vec<_> = lines.iter().filter(shown).take(3).collect();
    assert!(shown.is_empty(), "{shown:#?}");
}

#[tokio::test]
async fn text_is_for_people() {
    let server = Place::quick().with("LOG_FORMAT", "text").serve(&[]);
    read(server.request("GET", "/health/live").header("x-request-id", "for-people")).await;
    let log = server.stop().expect(0).stderr;
    let lines: Vec<_> = log.lines().filter(|line| line.contains("for-people")).collect();
    let [line] = lines[..] else { panic!("{log}") };
    for part in ["INFO", "GET", "/health/live", "200"] {
        assert!(line.contains(part), "no {part} in {line}");
    }
    assert!(!log.contains('\u{1b}') && !line.starts_with('{'), "{log}");
}

#[tokio::test]
async fn less_can_be_asked_for() {
    for (filter, heard) in
        [("warn,portcullis::cli=info", false), ("info,portcullis::request=warn", false), ("info", true)]
    {
        let server = Place::quick().with("RUST_LOG", filter).serve(&[]);
        assert_eq!(read(server.request("GET", "/health/live")).await.0, 200);
        let log = server.stop().expect(0).stderr;
        assert_eq!(log.contains("/health/live"), heard, "RUST_LOG={filter}: {log}");
    }
    // Why it could not start is no log, and is told all the same.
    let address = "--host=192.0.2.1";
    let silent = Place::quick().with("RUST_LOG", "off").run(&[address]).expect(1).stderr;
    assert!(silent.starts_with("portcullis: can't listen") && silent.lines().count() == 1, "{silent}");
    Place::quick().with("RUST_LOG", "warn").run(&[address]).expect(1).says(&["BCRYPT_COST", "can't listen"]);
}

/// For programs as all else in the log; other commands speak to people.
#[test]
fn why_it_could_not_start_is_a_line_of_json_too() {
    let place = Place::quick().with("LOG_FORMAT", "json").with("RUST_LOG", "off");
    for (arguments, code, why) in [
        (["serve", "--host=192.0.2.1"], 1, "can't listen"),
        (["serve", "--bcrypt-cost=99"], 2, "--bcrypt-cost: "),
    ] {
        let told = place.run(&arguments).expect(code).stderr;
        let line: Value = serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"));
        assert_eq!((&line["level"], &line["target"]), (&json!("ERROR"), &json!("portcullis::cli::serve")));
        assert!(line["message"].as_str().unwrap().contains(why) && line["timestamp"].is_string(), "{line}");
    }
    let told = place.run(&["user", "show", "nobody"]).expect(1).stderr;
    assert!(told.starts_with("portcullis: "), "{told}");
}
