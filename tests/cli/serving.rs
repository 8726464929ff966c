//! `portcullis serve`: what it makes at its first start, and what it refuses to start on.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use crate::program::{Done, PASSWORD, Place, has_file, mode, read};

/// What a refusal may take at most.
const SECONDS: Duration = Duration::from_secs(5);

#[tokio::test]
async fn it_makes_its_folder_secret_and_database() {
    let place = Place::quick();
    let server = place.serve(&[]);
    assert_eq!(place.files(), ["data"]);
    assert_eq!(mode(place.path("data")), 0o700);
    assert_eq!(mode(place.path("data/secret.key")), 0o600);
    assert_eq!(mode(place.path("data/portcullis.db")), 0o600);
    assert!(!has_file(place.path("data"), "secret.key."), "the secret's draft was left behind");
    assert!(fs::read_to_string(place.path("data/secret.key")).unwrap().trim().len() >= 32);

    let live = read(server.request("GET", "/health/live")).await;
    let ready = read(server.request("GET", "/health/ready")).await;
    assert_eq!((live.0, ready.0), (200, 200));
    assert!(server.url.starts_with("http://127.0.0.1:"), "{}", server.url);
    server.stop().expect(0);
}

#[tokio::test]
async fn what_was_there_is_there_after_a_restart() {
    let place = Place::quick();
    place.run_with_input(&["user", "create", "--username=ada"], PASSWORD).expect(0);
    let first = place.serve(&[]);
    let (_, tokens) = first.login("ada", PASSWORD).await;
    let token = tokens["access_token"].as_str().unwrap();
    first.stop().expect(0);
    let second = place.serve(&[]);
    assert_eq!(second.me(token).await.0, 200);
}

#[tokio::test]
async fn several_that_start_at_once_in_an_empty_folder_share_all_they_make() {
    let place = Place::quick();
    let servers: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| place.serve(&[]))).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    place.run_with_input(&["user", "create", "--username=ada"], PASSWORD).expect(0);
    let (_, tokens) = servers[0].login("ada", PASSWORD).await;
    for server in &servers {
        assert_eq!(server.me(tokens["access_token"].as_str().unwrap()).await.0, 200);
        let body = serde_json::json!({ "refresh_token": tokens["refresh_token"] });
        assert_eq!(read(server.request("POST", "/api/v1/refresh").json(&body)).await.0, 200);
    }
}

#[test]
fn another_secret_is_refused() {
    let place = Place::quick();
    let with = |secret: char| format!("--secret-key={}", secret.to_string().repeat(32));
    place.serve(&[&with('a')]).stop().expect(0);
    let refused = place.run(&[&with('b')]).expect(1).says(&["SECRET_KEY", "data/secret.key"]);
    for text in ["aaaaaaaa", "bbbbbbbb"] {
        assert!(!refused.stderr.contains(text), "{}", refused.stderr);
    }
    place.serve(&[&with('a')]).stop().expect(0);
}

#[test]
fn a_lost_secret_is_refused_and_the_old_one_helps() {
    let place = Place::quick();
    let secret = place.path("data/secret.key");
    place.serve(&[]).stop().expect(0);
    fs::rename(&secret, place.path("kept")).unwrap();
    place.run(&[]).expect(1).says(&["SECRET_KEY", "data/secret.key", "is not in"]);
    assert!(!secret.exists(), "a new secret was made for a database that has one");
    fs::rename(place.path("kept"), &secret).unwrap();
    place.serve(&[]).stop().expect(0);

    fs::write(&secret, "short\n").unwrap();
    let refused = place.run(&[]).expect(1).says(&["data/secret.key", "32"]);
    assert!(!refused.stderr.contains("short"), "{}", refused.stderr);
}

#[test]
fn a_taken_port_is_told_and_the_database_left_alone() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let place = Place::quick();
    let port = format!("--port={}", taken.local_addr().unwrap().port());
    let done = place.run(&["serve", &port]).expect(1).says(&[&address, "PORT", "in use"]);
    assert!(done.took < SECONDS, "{done:?}");
    assert!(place.files().is_empty());
}

#[test]
fn an_address_of_another_machine_is_told() {
    Place::quick().run(&["--host=192.0.2.1"]).expect(1).says(&["192.0.2.1", "HOST"]);
}

/// Each command that needs the database says the same.
fn refused(place: &Place, url: &str) -> Vec<Done> {
    let url = format!("--database-url={url}");
    let commands = [&["serve", &*url][..], &["migrate", &url], &["user", "create", "--username=ada", &url]];
    let done =
        commands.map(|command| place.run_with_input(command, PASSWORD).expect(1).says(&["DATABASE_URL"]));
    for done in &done {
        assert!(done.took < SECONDS, "{done:?}");
        assert!(!done.stderr.contains("panicked") && !done.stderr.contains("hunter2"), "{done:?}");
    }
    done.into()
}

#[test]
fn an_sqlite_file_that_cant_be_opened_is_told() {
    let place = Place::quick();
    fs::write(
        place.path("plain"),
        "no database, and no folder either; long enough to be told from an empty one",
    )
    .unwrap();
    fs::create_dir(place.path("folder")).unwrap();
    for file in ["plain/x.db", "plain", "folder"] {
        for done in refused(&place, &format!("sqlite://{file}")) {
            assert!(done.stderr.contains(file), "{done:?}");
        }
    }
    assert!(fs::read_to_string(place.path("plain")).unwrap().starts_with("no database"));
}

#[test]
fn a_postgres_that_is_not_there_is_told_without_the_password() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for done in refused(&Place::quick(), &format!("postgres://ada:hunter2@{closed}/portcullis")) {
        assert!(done.stderr.contains(&closed.to_string()), "{done:?}");
    }
}

#[test]
fn a_postgres_that_hangs_up_is_told_without_the_password() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || server.incoming().for_each(drop));
    refused(&Place::quick(), &format!("postgres://ada:hunter2@{address}/portcullis"));
    // One that libpq knows and the driver would leave out.
    let url = format!("postgres://ada@{address}/portcullis?sslpassword=hunter2");
    let done = Place::quick()
        .with("DATABASE_URL", &url)
        .run(&["migrate"])
        .expect(2)
        .says(&["`sslpassword`", "sslmode"]);
    assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
}
