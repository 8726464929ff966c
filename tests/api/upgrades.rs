//! A program on a schema that a newer one has migrated: additive, it works; else it is refused.

use serde_json::json;

use crate::DATABASE;
use crate::api::support::{Database, PASSWORD, Server, Tokens};

/// What a later migration may add: columns that are absent or have a default, a table, an index.
const ADDED: [&str; 6] = [
    "alter table users add column added text",
    "alter table sessions add column added text not null default 'x'",
    "alter table signing_keys add column added text",
    "alter table audit_events add column added text",
    "create table added (id text primary key)",
    "create index added_by_name on users (display_name)",
];

/// Says that it was applied, as the migrator of the newer program does.
async fn migrated_by_a_newer(server: &Server) {
    for sql in ADDED {
        server.sql(sql).execute().await.unwrap();
    }
    let (postgres, sqlite) = (
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (9999, 'added', true, ''::bytea, 0)",
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values (9999, 'added', true, x'', 0)",
    );
    let sql = if DATABASE == Database::Postgres { postgres } else { sqlite };
    server.sql(sql).execute().await.unwrap();
}

/// Everything that writes or reads whole rows.
async fn works(server: &Server, name: &str) {
    let admin = server.admin(&format!("root-{name}")).await;
    let id = server.register(name).await;
    let tokens = server.login(name).await;
    server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
    let refresh = server.post("/api/v1/refresh").json(json!({ "refresh_token": tokens.refresh }));
    let next = Tokens::of(&refresh.expect(200).await.json());
    server.get("/api/v1/me/sessions").bearer(&next.access).expect(200).await;
    let made = server.post("/api/v1/me/keys").bearer(&next.access).json(json!({ "name": "k" }));
    let key = made.expect(201).await.json()["key"].as_str().unwrap().to_owned();
    server.get("/api/v1/me").bearer(&key).expect(200).await;
    let quota = server.put(&format!("/api/v1/admin/users/{id}/quota")).bearer(&admin.access);
    quota.json(json!({ "requests": 100, "per": "day" })).expect(200).await;
    let change = server.patch("/api/v1/me").bearer(&next.access).json(json!({ "display_name": "Ada" }));
    change.expect(200).await;
    server.get("/api/v1/admin/audit").bearer(&admin.access).expect(200).await;
    server.get("/api/v1/admin/users").bearer(&admin.access).expect(200).await;
    let keyring = &server.app.keyring;
    keyring.rotate(&server.app.db, &server.app.changes, server.clock.now()).await.unwrap();
    keyring.load(&server.app.db).await.unwrap();
    server.app.usage.flush(&server.app.db).await.unwrap();
    while !server.app.audit.seal(&server.app.db).await.unwrap() {}
    assert!(server.app.audit.verify(&server.app.db).await.unwrap().broken.is_none());
    let delete = server.delete("/api/v1/me").bearer(&next.access).json(json!({ "password": PASSWORD }));
    delete.expect(204).await;
    server.get("/health/ready").expect(200).await;
}

#[actix_web::test]
async fn a_program_of_before_goes_on_and_starts_on_a_schema_that_was_added_to() {
    let server = Server::start().await;
    // Its statements are prepared by then.
    works(&server, "before").await;
    migrated_by_a_newer(&server).await;
    works(&server, "running").await;
    let started = server.replica(&[]).await;
    works(&started, "started").await;
}

#[actix_web::test]
async fn a_program_that_the_schema_has_no_room_for_is_refused_and_not_ready() {
    let server = Server::start().await;
    migrated_by_a_newer(&server).await;
    server.start_again(&[]).await.unwrap();
    server.sql("update compatibility set lowest = 9999").execute().await.unwrap();
    let refused = server.start_again(&[]).await.unwrap_err();
    assert!(refused.contains("newer version") && refused.contains("9999"), "{refused}");
    server.get("/health/ready").expect_problem(503, "unavailable").await;
    server.get("/health/live").expect(200).await;
}
