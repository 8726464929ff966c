//! SIGTERM and SIGINT: no new requests, those in flight end, exit 0. SIGHUP does not end it, unless the terminal is gone.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::program::{PASSWORD, Place, Server};

/// What a stop may take at most while nothing is in flight.
const QUICK: Duration = Duration::from_secs(5);

/// A connection that has had an answer, and is kept for the next request.
fn idle_connection(server: &Server) -> TcpStream {
    let mut connection = TcpStream::connect(server.address()).unwrap();
    connection.write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        let mut some = [0; 1024];
        let length = connection.read(&mut some).unwrap();
        assert_ne!(length, 0, "the connection was closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&some[..length]);
    }
    connection
}

#[test]
fn either_signal_ends_it_quickly() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Place::quick().serve(&[]);
        server.running.signal(signal);
        let done = server.running.done().expect(0);
        assert!(done.took < QUICK, "{signal:?}: {:?}", done.took);
    }
}

#[test]
fn a_signal_right_after_it_said_that_it_listens_ends_it_too() {
    let place = Place::quick();
    for _ in 0..20 {
        place.serve(&[]).stop().expect(0);
    }
}

#[test]
fn an_idle_connection_does_not_keep_it() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Place::quick().serve(&[]);
        let mut idle = idle_connection(&server);
        let silent = TcpStream::connect(server.address()).unwrap();
        server.running.signal(signal);
        let done = server.running.done().expect(0);
        assert!(done.took < QUICK, "{signal:?}: {:?}", done.took);
        assert_eq!(idle.read(&mut [0; 16]).unwrap_or(0), 0, "the idle connection was sent something");
        drop(silent);
    }
}

#[test]
fn its_database_is_left_whole() {
    let place = Place::quick();
    place.serve(&[]).stop().expect(0);
    // The last connection to close folds SQLite's log into the file.
    assert!(!place.path("data/portcullis.db-wal").exists());
}

#[tokio::test]
async fn a_hangup_neither_ends_it_nor_loses_what_was_counted() {
    let place = Place::quick();
    place.run_with_input(&["user", "create", "--username=ada"], PASSWORD).expect(0);
    let mut server = place.serve(&[]);
    let (_, tokens) = server.login("ada", PASSWORD).await;
    let token = tokens["access_token"].as_str().unwrap();
    for _ in 0..2 {
        server.running.signal(Signal::HUP);
        server.running.line_with("SIGHUP changes nothing here");
        assert_eq!(server.me(token).await.0, 200);
    }
    server.stop().expect(0).says(&["stopped"]);
    let told = place.run(&["usage"]).expect(0).stdout;
    assert!(told.starts_with("2 requests from "), "{told}");
}

/// Whoever closes the window has gone, and the service ends as it does when told to.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_stops_when_its_terminal_is_closed_and_loses_nothing() {
    let mut place = Place::quick();
    place.run_with_input(&["user", "create", "--username=ada"], PASSWORD).expect(0);
    // A terminal that is closed when what shows it ends.
    place = place.through(&["sh", "-c", r#"exec script -qfec "$0" /dev/null >&2"#]);
    let mut server = place.serve(&[]);
    let (_, tokens) = server.login("ada", PASSWORD).await;
    assert_eq!(server.me(tokens["access_token"].as_str().unwrap()).await.0, 200);
    server.running.signal(Signal::KILL);
    let waited = Instant::now();
    // The last connection to close folds SQLite's log into the file.
    while place.path("data/portcullis.db-wal").exists() {
        assert!(waited.elapsed() < Duration::from_secs(60), "it goes on, or was killed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = place.through(&[]).run(&["usage"]).expect(0).stdout;
    assert!(told.starts_with("1 requests from "), "{told}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_flight_is_answered() {
    let place = Place::quick();
    place.run_with_input(&["user", "create", "--username=ada"], PASSWORD).expect(0);
    // The login renews the cheap hash.
    let mut server = place.serve(&["--bcrypt-cost=13"]);
    let before = server.running.hashing_ticks();
    let body = serde_json::json!({ "username": "ada", "password": PASSWORD });
    let request = server.request("POST", "/api/v1/login").json(&body);
    let login = tokio::spawn(async { request.send().await.unwrap().status().as_u16() });
    while server.running.hashing_ticks() == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.running.signal(Signal::TERM);
    server.running.line_with("stopping");
    assert!(!login.is_finished(), "the hash was too quick for this test");
    assert_eq!(login.await.unwrap(), 200);
    let answered = Instant::now();
    server.running.done().expect(0);
    assert!(answered.elapsed() < QUICK, "{:?}", answered.elapsed());
}

/// What a connection is sent before it is closed, which it must be.
fn read_to_its_end(connection: &mut TcpStream) -> String {
    let mut answer = String::new();
    connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    connection.read_to_string(&mut answer).unwrap();
    answer.to_ascii_lowercase()
}

fn ask(connection: &mut TcpStream, path: &str) -> String {
    write!(connection, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    read_to_its_end(connection)
}

#[test]
fn while_it_drains_it_answers_all_and_closes_each_connection_after_that() {
    let mut server = Place::quick().serve(&["--drain-delay=60s"]);
    let mut idle = idle_connection(&server);
    server.running.signal(Signal::TERM);
    server.running.line_with("draining");
    // Known from before, and new.
    let mut new = TcpStream::connect(server.address()).unwrap();
    for connection in [&mut idle, &mut new] {
        let answer = ask(connection, "/health/live");
        assert!(answer.starts_with("http/1.1 200"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
    for (path, status) in [("/health/ready", 503), ("/api/v1/me", 401), ("/nowhere", 404)] {
        let answer = ask(&mut TcpStream::connect(server.address()).unwrap(), path);
        assert!(answer.starts_with(&format!("http/1.1 {status}")), "{path}: {answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{path}: {answer}");
    }
    // Whoever does not want to wait says so again.
    server.running.signal(Signal::TERM);
    let done = server.running.done().expect(0).says(&["draining", "stopping", "stopped"]);
    assert!(done.took < QUICK, "{:?}", done.took);
    // Nothing has failed.
    let (_, told) = done.stderr.split_once("draining").unwrap();
    assert!(told.contains("/health/ready") && !told.contains("WARN"), "{told}");
}

#[test]
fn it_stops_by_itself_when_it_has_drained() {
    let mut server = Place::quick().serve(&["--drain-delay=1s"]);
    server.running.signal(Signal::TERM);
    let done = server.running.done().expect(0).says(&["draining", "stopping", "stopped"]);
    assert!(done.took >= Duration::from_secs(1), "{:?}", done.took);
}

#[test]
fn a_person_does_not_wait_for_it_to_drain() {
    let mut server = Place::quick().serve(&["--drain-delay=60s"]);
    server.running.signal(Signal::INT);
    let done = server.running.done().expect(0);
    assert!(done.took < QUICK, "{:?}", done.took);
    assert!(!done.stderr.contains("draining"), "{}", done.stderr);
}
