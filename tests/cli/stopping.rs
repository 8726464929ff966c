//! SIGTERM and SIGINT: no new requests, those in flight end, exit 0.

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
