//! What is found of the database and its migrations.

use std::fs;
use std::net::TcpListener;

use super::{Found, place, sql, used_place};

#[tokio::test]
async fn a_database_that_is_damaged_newer_or_out_of_reach_is_told() {
    let place = place();
    fs::write(
        place.path("plain"),
        "neither a database nor a folder; long enough to be told from an empty one",
    )
    .unwrap();
    Found::with(&place, &["--database-url=sqlite://plain"]).has(
        "migrations",
        "problem",
        &["not a database", "DATABASE_URL"],
    );
    Found::with(&place, &["--database-url=sqlite://plain/x.db"]).has(
        "database",
        "problem",
        &["plain/x.db", "DATABASE_URL"],
    );
    assert_eq!(place.files(), ["plain"]);

    let place = used_place();
    sql(&place, "update _sqlx_migrations set version = 4711 where version = (select max(version) from _sqlx_migrations)").await;
    let found = Found::of(&place).has("migrations", "warning", &["newer version", "4711"]);
    found.has("migrations", "problem", &["[13]", "later ones"]);

    let place = used_place();
    let newer = "insert into _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) \
                 select 4711, description, installed_on, success, checksum, execution_time \
                 from _sqlx_migrations where version = 2";
    sql(&place, newer).await;
    Found::of(&place).has("migrations", "warning", &["newer version", "4711"]);
    sql(&place, "update compatibility set lowest = 4711").await;
    Found::of(&place).has("migrations", "problem", &["newer version", "4711"]);

    let place = used_place();
    sql(&place, "update _sqlx_migrations set success = false where version = 2").await;
    Found::of(&place).has("migrations", "problem", &["[2]", "backup"]);

    // Tables of somebody else's, as far as one can tell: the start fails, too.
    let place = used_place();
    sql(&place, "delete from _sqlx_migrations").await;
    let found = Found::of(&place).has("migrations", "problem", &["(users, ", "of its own"]);
    assert!(!found.done.stdout.contains("first start"), "{:?}", found.done);
    place.run(&[]).expect(1).says(&["users", "already exists"]);

    // Pages in the middle of nothing.
    let place = used_place();
    let file = place.path("data/portcullis.db");
    let mut bytes = fs::read(&file).unwrap();
    let tail = bytes.len() - 8192;
    bytes[tail..].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    Found::of(&place).has("database", "problem", &["data/portcullis.db", "backup"]);
}

#[test]
fn a_postgres_that_is_not_there_or_frozen_is_told_within_seconds() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let frozen = listener.local_addr().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (address, says) in [(frozen, "no answer within"), (closed, "refused")] {
        let url = format!("--database-url=postgres://ada:hunter2@{address}/portcullis");
        let found = Found::with(&place(), &[&url]);
        let found = found.has("database", "problem", &[&address.to_string(), says, "DATABASE_URL"]);
        assert!(!found.done.stdout.contains("hunter2"));
    }
}
