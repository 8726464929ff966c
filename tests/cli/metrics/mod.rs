//! `METRICS_BIND`: what is measured, where it is told, and that what the dashboard, the alerts and the docs name is there.

mod page;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::program::{PASSWORD, Place, Running, Server, read};
use page::Page;

const FORM: &str = "application/x-www-form-urlencoded";

fn measured() -> Place {
    Place::quick().with("METRICS_BIND", "127.0.0.1:0")
}

/// Where it tells what it measures.
pub fn metrics_url(running: &Running) -> String {
    let (_, after) = running.said().split_once("metrics are on ").expect("it says where the metrics are");
    after.split_whitespace().next().unwrap().trim_end_matches('"').to_owned()
}

pub async fn get(url: &str) -> reqwest::Response {
    reqwest::Client::builder().no_proxy().build().unwrap().get(url).send().await.unwrap()
}

async fn scrape(server: &Server) -> Page {
    let answer = get(&metrics_url(&server.running)).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    Page::read(&answer.text().await.unwrap())
}

async fn post(server: &Server, path: &str, body: Value) -> (u16, Value) {
    read(server.request("POST", path).json(&body)).await
}

fn project_file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[tokio::test]
async fn it_counts_what_happens() {
    let place = measured();
    let server = place.serve(&[]);
    let user = json!({ "username": "ada", "password": PASSWORD });
    assert_eq!(post(&server, "/api/v1/register", user.clone()).await.0, 201);
    assert_eq!(post(&server, "/api/v1/register", user).await.0, 409);
    let (_, tokens) = server.login("ada", PASSWORD).await;
    assert_eq!(server.login("ada", "gravel-cloud-of-a-guess").await.0, 401);
    assert_eq!(server.login("nobody", PASSWORD).await.0, 401);
    let form = format!("grant_type=password&username=ada&password={PASSWORD}");
    let granted = server.request("POST", "/oauth/token").header("content-type", FORM).body(form);
    assert_eq!(read(granted).await.0, 200);
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    let (_, refreshed) = post(&server, "/api/v1/refresh", refresh).await;
    assert_eq!(post(&server, "/api/v1/refresh", json!({ "refresh_token": "pc_rt_x" })).await.0, 401);
    let access = refreshed["access_token"].as_str().unwrap();
    for _ in 0..3 {
        assert_eq!(server.me(access).await.0, 200);
    }
    assert_eq!(server.me("no-token").await.0, 401);
    let secret_path = format!("/{}?token={access}", "path-of-a-stranger");
    assert_eq!(read(server.request("GET", &secret_path)).await.0, 404);
    assert_eq!(read(server.request("DELETE", "/api/v1/me/sessions/path-of-a-stranger")).await.0, 401);
    assert_eq!(read(server.request("BREW", "/api/v1/me")).await.0, 405);

    let text = get(&metrics_url(&server.running)).await.text().await.unwrap();
    for hidden in ["stranger", "ada", "127.0.0.1", access, "pc_rt", "BREW"] {
        assert!(!text.contains(hidden), "{hidden} is told: {text}");
    }
    let page = Page::read(&text);
    let requests = |route, method, status| {
        let labels = [("route", route), ("method", method), ("status", status)];
        page.value("portcullis_http_requests_total", &labels)
    };
    assert_eq!(requests("/api/v1/me", "GET", "200"), 3.0);
    assert_eq!(requests("/api/v1/me", "GET", "401"), 1.0);
    assert_eq!(requests("/api/v1/me", "other", "405"), 1.0);
    assert_eq!(requests("none", "GET", "404"), 1.0);
    assert_eq!(requests("/api/v1/me/sessions/{id}", "DELETE", "401"), 1.0);
    let me = [("route", "/api/v1/me"), ("method", "GET")];
    assert_eq!(page.value("portcullis_http_request_duration_seconds_count", &me), 4.0);
    assert!(page.value("portcullis_http_request_duration_seconds_sum", &me) > 0.0);
    assert_eq!(page.value("portcullis_http_requests_in_flight", &[]), 0.0);
    for (name, result, count) in [
        ("portcullis_logins_total", "succeeded", 2.0),
        ("portcullis_logins_total", "invalid_credentials", 2.0),
        ("portcullis_refreshes_total", "succeeded", 1.0),
        ("portcullis_refreshes_total", "invalid_refresh_token", 1.0),
        ("portcullis_registrations_total", "succeeded", 1.0),
        ("portcullis_registrations_total", "username_taken", 1.0),
    ] {
        assert_eq!(page.value(name, &[("result", result)]), count, "{name} {result}");
    }
    // One registration, two logins and two guesses; and two new passwords were judged.
    assert_eq!(page.value("portcullis_hashes_total", &[("lanes", "1")]), 5.0);
    assert_eq!(page.value("portcullis_hashes_total", &[("lanes", "other")]), 2.0);
    assert_eq!(page.value("portcullis_hashing_wait_seconds_count", &[]), 7.0);
    assert_eq!(page.value("portcullis_session_cache_capacity", &[]), 100_000.0);
    assert_eq!(page.value("portcullis_database_up", &[]), 1.0);
    assert_eq!(page.value("portcullis_signing_keys", &[("state", "active")]), 1.0);
    assert_eq!(page.value("portcullis_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), 1.0);
    let month = 30.0 * 86_400.0;
    let next = page.value("portcullis_signing_key_next_rotation_timestamp_seconds", &[]);
    let rest = next - page.value("process_start_time_seconds", &[]);
    assert!((month - 120.0..=month + 120.0).contains(&rest), "{rest} s to the next key");
}

/// As soon as the feed is followed; before, nothing is believed.
#[tokio::test]
async fn what_is_answered_from_memory_is_told() {
    let place = measured();
    let server = place.serve(&[]);
    let user = json!({ "username": "ada", "password": PASSWORD });
    assert_eq!(post(&server, "/api/v1/register", user).await.0, 201);
    let (_, tokens) = server.login("ada", PASSWORD).await;
    for asked in 1.. {
        assert_eq!(server.me(tokens["access_token"].as_str().unwrap()).await.0, 200);
        let page = scrape(&server).await;
        let [hits, misses] =
            ["hits", "misses"].map(|what| page.value(&format!("portcullis_session_cache_{what}_total"), &[]));
        assert_eq!(hits + misses, f64::from(asked));
        assert!(misses > 0.0);
        if hits > 0.0 {
            assert_eq!(page.value("portcullis_session_cache_entries", &[]), 1.0);
            break;
        }
        assert!(asked < 1000, "it never answers from memory");
    }
}

#[tokio::test]
async fn who_has_to_wait_for_having_guessed_is_counted() {
    let place = measured();
    let server = place.serve(&[]);
    let user = json!({ "username": "ada", "password": PASSWORD });
    assert_eq!(post(&server, "/api/v1/register", user).await.0, 201);
    let mut statuses = BTreeSet::new();
    for _ in 0..8 {
        statuses.insert(server.login("ada", "gravel-cloud-of-a-guess").await.0);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    let page = scrape(&server).await;
    let refused = page.value("portcullis_rate_limited_total", &[("limit", "guess")]);
    assert!(refused >= 1.0);
    assert_eq!(page.value("portcullis_logins_total", &[("result", "rate_limited")]), refused);
}

#[tokio::test]
async fn metrics_are_nowhere_else_and_nothing_else_is_there() {
    let place = measured();
    let server = place.serve(&[]);
    let (status, problem) = read(server.request("GET", "/metrics")).await;
    assert_eq!((status, &problem["code"]), (404, &json!("not_found")));
    let url = metrics_url(&server.running);
    for path in ["/", "/health/live", "/api/v1/me", "/metrics/x"] {
        assert_eq!(get(&url.replace("/metrics", path)).await.status(), 404, "{path}");
    }
    let off = Place::quick().serve(&[]);
    assert!(!off.running.said().contains("metrics"), "{}", off.running.said());
    assert_eq!(read(off.request("GET", "/metrics")).await.0, 404);
}

#[test]
fn a_port_that_is_taken_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = Place::quick().with("METRICS_BIND", &address);
    place.run(&[]).expect(1).says(&[&address, "METRICS_BIND", "stop what does"]);
    assert!(place.files().is_empty(), "{:?}", place.files());
}

/// A request of which the half has been sent keeps the service.
#[tokio::test]
async fn they_are_told_until_the_last_request_has_ended() {
    let place = measured();
    let mut server = place.serve(&[]);
    let url = metrics_url(&server.running);
    let mut held = TcpStream::connect(server.address()).unwrap();
    let body = r#"{"login":"ada","password":"x"}"#;
    let head = format!(
        "POST /api/v1/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    held.write_all(head.as_bytes()).unwrap();
    while scrape(&server).await.value("portcullis_http_requests_in_flight", &[]) < 1.0 {}
    server.running.signal(Signal::TERM);
    server.running.line_with("stopping");
    let draining = Page::read(&get(&url).await.text().await.unwrap());
    assert_eq!(draining.value("portcullis_http_requests_in_flight", &[]), 1.0);
    held.write_all(body.as_bytes()).unwrap();
    let mut answer = [0; 12];
    held.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
    server.running.done().expect(0);
    assert!(TcpStream::connect(url.trim_start_matches("http://").trim_end_matches("/metrics")).is_err());
}

/// Every expression of the dashboard.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if ["expr", "definition"].contains(&name.as_str()) => {
                        found.push(text.clone());
                    }
                    field => expressions(field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

/// The metrics that a text names, without what a histogram's samples have at their end.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric() && character != '_');
    let ours = words.filter(|word| word.starts_with("portcullis_") || word.starts_with("process_"));
    let base = |word: &str| {
        let suffix = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| word.strip_suffix(suffix));
        suffix.unwrap_or(word).to_owned()
    };
    ours.map(base).collect()
}

#[tokio::test]
async fn the_dashboard_shows_all_of_it_and_nothing_that_is_not_there() {
    let place = measured();
    let server = place.serve(&[]);
    let exported: BTreeSet<_> = scrape(&server).await.0.into_keys().collect();
    let dashboard: Value = serde_json::from_str(&project_file("docs/grafana/portcullis.json")).unwrap();
    let mut found = Vec::new();
    expressions(&dashboard, &mut found);
    assert!(found.len() > 30, "the dashboard has no panels any more");
    let shown: BTreeSet<_> = found.iter().flat_map(|expression| named(expression)).collect();
    let unknown: Vec<_> = shown.difference(&exported).collect();
    assert!(unknown.is_empty(), "panels show what is not exported: {unknown:?}");
    let unseen: Vec<_> =
        exported.difference(&shown).filter(|name| *name != "process_virtual_memory_bytes").collect();
    assert!(unseen.is_empty(), "no panel shows {unseen:?}");

    let alerts = named(&project_file("observe/alerts.yml"));
    let unknown: Vec<_> = alerts.difference(&exported).collect();
    assert!(!alerts.is_empty() && unknown.is_empty(), "alerts ask for what is not exported: {unknown:?}");
}

#[tokio::test]
async fn the_docs_have_each_metric_with_its_kind_and_labels() {
    // Nobody listens there.
    let place = measured().with("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let server = place.serve(&[]);
    assert_eq!(read(server.request("GET", "/health/live")).await.0, 200);
    let page = scrape(&server).await;
    let exported = page.0.iter().map(|(name, metric)| {
        let labels = metric.labels().into_iter().collect::<Vec<_>>().join(", ");
        format!("{name} | {} | {labels}", metric.kind)
    });
    let exported: BTreeSet<String> = exported.collect();
    let docs = project_file("docs/observability.md");
    let rows =
        docs.lines().filter(|line| line.starts_with("| `portcullis_") || line.starts_with("| `process_"));
    let documented: BTreeSet<String> = rows
        .map(|row| {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let mut labels: Vec<_> = cells[3].split(", ").map(|label| label.trim_matches('`')).collect();
            labels.sort_unstable();
            format!("{} | {} | {}", cells[1].trim_matches('`'), cells[2], labels.join(", "))
        })
        .collect();
    assert_eq!(documented, exported, "docs/observability.md (left) and /metrics (right) differ");
}
