//! Traces: the ids that lines of the log have, and the spans that a collector gets.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value::{IntValue, StringValue};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use portcullis::store::{Db, Executor};
use prost::Message;
use serde_json::{Value, json};

use crate::program::{PASSWORD, Place, read};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

/// Kinds of spans, as OTLP has them.
const INTERNAL: i32 = 1;
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// A collector that takes what it is sent.
struct Collector {
    endpoint: String,
    bodies: Receiver<Vec<u8>>,
}

/// A span that it was sent.
#[derive(Debug)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    kind: i32,
    failed: bool,
    state: String,
    nanos: u64,
    attributes: BTreeMap<String, String>,
    resource: BTreeMap<String, String>,
}

impl Collector {
    fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (sent, bodies) = channel();
        thread::spawn(move || {
            for line in listener.incoming() {
                if sent.send(take(line.unwrap())).is_err() {
                    return;
                }
            }
        });
        Collector { endpoint, bodies }
    }
}

/// Reads one request, and answers that all is well.
fn take(mut line: TcpStream) -> Vec<u8> {
    let mut read = BufReader::new(line.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut field = String::new();
        read.read_line(&mut field).unwrap();
        let field = field.trim().to_lowercase();
        if field.is_empty() {
            break;
        }
        if let Some(value) = field.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head += &format!("{field}\n");
    }
    assert!(head.starts_with("post /v1/traces http/1.1\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\n"), "{head}");
    let mut body = vec![0; length];
    read.read_exact(&mut body).unwrap();
    line.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    body
}

fn spans(body: &[u8]) -> Vec<Span> {
    let hex = |id: &[u8]| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let texts = |attributes: &[KeyValue]| {
        let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
            Some(StringValue(text)) => text.clone(),
            Some(IntValue(number)) => number.to_string(),
            other => panic!("{other:?}"),
        };
        attributes.iter().map(|pair| (pair.key.clone(), text(&pair.value))).collect::<BTreeMap<_, _>>()
    };
    let sent = ExportTraceServiceRequest::decode(body).unwrap();
    let mut spans = Vec::new();
    for of_resource in sent.resource_spans {
        let resource = texts(&of_resource.resource.unwrap().attributes);
        for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            spans.push(Span {
                trace: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                nanos: span.end_time_unix_nano - span.start_time_unix_nano,
                attributes: texts(&span.attributes),
                resource: resource.clone(),
                failed: span.status.is_some_and(|status| status.code == 2),
                name: span.name,
                kind: span.kind,
                state: span.trace_state,
            });
        }
    }
    spans
}

fn traced(collector: &Collector) -> Place {
    Place::quick().with("LOG_FORMAT", "json").with("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint)
}

/// Makes the service not ready: as if the schema were of an older version.
async fn unmigrate(place: &Place) {
    let url = format!("sqlite://{}", place.path("data/portcullis.db").display());
    let db = Db::open(&url, 1).await.unwrap();
    let newest = "delete from _sqlx_migrations where version = (select max(version) from _sqlx_migrations)";
    db.query(newest).execute().await.unwrap();
    db.close().await;
}

fn lines(log: &str, request_id: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.filter(|line: &Value| line["request_id"] == request_id).collect()
}

#[tokio::test]
async fn a_collector_gets_each_request_with_its_parents_ids_and_no_secret() {
    let collector = Collector::start();
    let place = traced(&collector).with("OTEL_SERVICE_NAME", "door").with(
        "OTEL_RESOURCE_ATTRIBUTES",
        "deployment.environment.name=test,service.instance.id=one,service.name=window",
    );
    place.run_with_input(&["user", "create", "--username=ada"], PASSWORD).expect(0);
    let server = place.serve(&[]);
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let with_parent = |method, path: &str| {
        let request = server.request(method, path).header("tracestate", "rojo=1");
        request.header("traceparent", &parent)
    };
    let body = json!({ "login": "ada", "password": PASSWORD });
    let login = with_parent("POST", "/api/v1/login?secret=hidden-query").header("x-request-id", "the-login");
    let (status, tokens) = read(login.json(&body)).await;
    assert_eq!(status, 200);
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let me = with_parent("GET", "/api/v1/me").header("authorization", &bearer);
    assert_eq!(read(me).await.0, 200);
    let stray = format!("/api/v1/me/keys/{}", tokens["refresh_token"].as_str().unwrap());
    assert_eq!(read(with_parent("DELETE", &stray).header("authorization", &bearer)).await.0, 404);
    assert_eq!(read(with_parent("GET", "/path-of-a-stranger")).await.0, 404);
    let answer = with_parent("GET", "/forward-auth").header("authorization", &bearer).send().await.unwrap();
    let onward = answer.headers()["traceparent"].to_str().unwrap().to_owned();
    // Who does not want it recorded; and who comes from nowhere.
    let unwanted =
        server.request("GET", "/health/live").header("traceparent", format!("00-{TRACE}-{SPAN}-00"));
    assert_eq!(read(unwanted).await.0, 200);
    assert_eq!(read(server.request("GET", "/docs/swagger-ui.css")).await.0, 200);
    unmigrate(&place).await;
    assert_eq!(read(with_parent("GET", "/health/ready")).await.0, 503);
    server.stop().expect(0);

    let bodies: Vec<_> = collector.bodies.try_iter().collect();
    for hidden in [PASSWORD, "hidden-query", "stranger", "pc_rt_", "eyJ", "127.0.0.1"] {
        let told = bodies.iter().any(|body| String::from_utf8_lossy(body).contains(hidden));
        assert!(!told, "{hidden} is told");
    }
    let spans: Vec<_> = bodies.iter().flat_map(|body| spans(body)).collect();
    let requests: Vec<_> = spans.iter().filter(|span| span.kind == SERVER).collect();
    let mut names: Vec<_> = requests.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "DELETE /api/v1/me/keys/{id}",
            "GET",
            "GET /api/v1/me",
            "GET /docs/{file}",
            "GET /forward-auth",
            "GET /health/ready",
            "POST /api/v1/login",
        ]
    );
    let named = |name: &str| *requests.iter().find(|span| span.name == name).unwrap();
    for span in &requests {
        let is_first = span.name == "GET /docs/{file}";
        let expected = if is_first { ("", "") } else { (SPAN, "rojo=1") };
        assert_eq!((span.parent.as_str(), span.state.as_str()), expected, "{span:?}");
        assert_eq!(span.trace != TRACE, is_first, "{span:?}");
        assert_eq!(span.failed, span.name == "GET /health/ready", "{span:?}");
        let resource = ["service.name", "service.instance.id", "deployment.environment.name"];
        assert_eq!(resource.map(|name| span.resource[name].as_str()), ["door", "one", "test"]);
        assert!(span.nanos > 0 && span.nanos < 60_000_000_000, "{span:?}");
    }
    let login = named("POST /api/v1/login");
    let attributes: Vec<_> =
        login.attributes.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(
        attributes,
        [
            ("http.request.method", "POST"),
            ("http.response.status_code", "200"),
            ("http.route", "/api/v1/login"),
            ("portcullis.request_id", "the-login"),
            ("url.path", "/api/v1/login"),
            ("url.scheme", "http"),
        ]
    );
    assert_eq!(named("GET /health/ready").attributes["error.type"], "503");
    assert_eq!(named("DELETE /api/v1/me/keys/{id}").attributes["url.path"], "/api/v1/me/keys/{id}");
    let parts = |parent: &Span| {
        let parts = spans.iter().filter(|span| span.trace == parent.trace && span.parent == parent.id);
        parts.map(|span| (span.kind, span.name.clone())).collect::<Vec<_>>()
    };
    let of_login = parts(login);
    assert!(of_login.contains(&(INTERNAL, "hash".to_owned())), "{of_login:?}");
    assert!(of_login.contains(&(CLIENT, "insert".to_owned())), "{of_login:?}");
    let statement = spans.iter().find(|span| span.name == "insert" && span.parent == login.id).unwrap();
    assert_eq!(statement.attributes["db.system.name"], "sqlite");
    assert!(statement.attributes["db.query.text"].contains("$1"), "{statement:?}");
    // The gateway's next question is a part of this one.
    let forwarded = named("GET /forward-auth");
    assert_eq!(onward, format!("00-{TRACE}-{}-01", forwarded.id));
}

#[tokio::test]
async fn every_line_of_a_request_says_so_failures_too() {
    let place = Place::quick().with("LOG_FORMAT", "json");
    let server = place.serve(&[]);
    unmigrate(&place).await;
    let request = server.request("GET", "/health/ready").header("x-request-id", "not-ready");
    let request = request.header("traceparent", format!("00-{TRACE}-{SPAN}-01"));
    assert_eq!(read(request).await.0, 503);
    let log = server.stop().expect(0).stderr;
    let lines = lines(&log, "not-ready");
    let [failure, request] = &lines[..] else { panic!("{log}") };
    assert_eq!((&failure["level"], &request["level"]), (&json!("WARN"), &json!("INFO")));
    assert_eq!(request["status"], 503);
    for line in [failure, request] {
        assert_eq!((&line["trace_id"], &line["span_id"]), (&json!(TRACE), &request["span_id"]), "{line}");
    }
    assert_ne!(request["span_id"], SPAN);
    // What belongs to no request says of none.
    assert!(log.lines().any(|line| line.contains("listening on") && !line.contains("trace_id")), "{log}");
}

#[tokio::test]
async fn a_collector_that_is_away_costs_one_line() {
    // Nobody listens there.
    let place = Place::quick().with("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let mut server = place.serve(&[]);
    assert_eq!(read(server.request("GET", "/health/live")).await.0, 200);
    let line = server.running.line_with("traces can't be exported to http://127.0.0.1:9/v1/traces,");
    assert!(line.contains("Connection refused"), "{line}");
    assert_eq!(read(server.request("GET", "/health/live")).await.0, 200);
    let done = server.stop().expect(0);
    assert_eq!(done.stderr.matches("traces can't").count(), 1, "{}", done.stderr);
    assert!(done.took < Duration::from_secs(5), "{:?}", done.took);
}
