//! Bringing users along and taking them along, on both databases; the commands are tried in `tests/cli`.

use portcullis::accounts;
use portcullis::accounts::import::{Allowed, File, Import};
use serde_json::{Value, json};

use crate::api::support::Server;

/// Of "correct horse battery staple", as tests/hashes has it of passlib.
const HASH: &str = "$2a$04$MRYNbeIiZq6/25dLPR/sMuM1WEq4qQAP4EgF10omZre9tBUOGp2d6";

#[actix_web::test]
async fn an_imported_user_is_a_user() {
    let server = Server::start().await;
    server.register("there").await;
    let row = |name: &str, more: Value| {
        let mut row =
            json!({ "username": name, "email": format!("{name}@example.com"), "password_hash": HASH });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    let more = json!({ "roles": ["admin", "editor"], "created_at": "2020-02-29T12:00:00.123456789Z", "email_verified": true });
    let rows = [
        row("ada", more),
        row("THERE", json!({})),
        row("bob", json!({ "disabled": true, "display_name": "Bob" })),
        row("ADA", json!({})),
        json!({ "email": "plain@example.com", "password": "tidal-lantern" }),
    ];
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    let file = File::read(&text, None).unwrap();
    let now = server.clock.now();
    let allowed = Allowed { new_roles: true, plain_text_passwords: true };
    for (made, dry) in [
        ([true, false, true, false, true], true),
        ([true, false, true, false, true], false),
        ([false; 5], false),
    ] {
        let mut import = Import::new(&server.app, allowed).await.unwrap();
        let candidates: Result<Vec<_>, _> =
            file.records(None, now).map(|record| import.check(record.unwrap())).collect();
        let candidates = candidates.unwrap();
        if dry {
            let mut would = Vec::new();
            for candidate in &candidates {
                would.push(!import.exists(candidate).await.unwrap());
            }
            assert_eq!(would, made);
        } else {
            assert_eq!(import.write(candidates).await.unwrap(), made);
            import.end().await.unwrap();
        }
    }

    let log: Vec<(String, bool, bool, String)> = server
        .sql("select event, actor_id is null, user_id is null, cast(details as text) from audit_events order by id")
        .fetch_all()
        .await
        .unwrap();
    let told: Vec<_> = log
        .iter()
        .map(|(event, ..)| event.as_str())
        .filter(|event| *event != "signing_key_rotated")
        .collect();
    let ada = ["user_created", "role_granted", "role_granted"];
    let expected =
        [&["user_registered"][..], &ada, &["user_created", "user_created", "users_imported"]].concat();
    assert_eq!(told, expected, "a run that made nobody leaves nothing");
    let (_, by_nobody, to_nobody, details) = log.last().unwrap();
    assert!(*by_nobody && *to_nobody, "{log:?}");
    assert_eq!(serde_json::from_str::<Value>(details).unwrap(), json!({ "count": 3 }));
    let names = ["ada", "bob", "plain", "example.com", "tidal"];
    assert!(names.iter().all(|name| !format!("{log:?}").contains(name)), "{log:?}");

    let login = async |name: &str, password: &str| {
        server.post("/api/v1/login").json(json!({ "login": name, "password": password })).send().await
    };
    let ada = login("ada", "correct horse battery staple").await.json()["user"].clone();
    assert_eq!(ada["roles"], json!(["admin", "editor"]));
    assert_eq!(ada["created_at"], "2020-02-29T12:00:00.123456Z");
    assert_eq!((&ada["email_verified"], &ada["username"]), (&true.into(), &"ada".into()));
    assert_eq!(login("bob", "correct horse battery staple").await.json()["code"], "account_disabled");
    assert_eq!(login("plain@example.com", "tidal-lantern").await.status, 200);
    // The others' rows changed nothing.
    let email = |name: &'static str| format!("{name}@example.com");
    assert_eq!(login(&email("there"), "correct horse battery staple").await.status, 401);

    let (exported, last) = accounts::export(&server.app.db, None, false).await.unwrap().unwrap();
    let names: Vec<_> = exported.iter().map(|user| user["username"].as_str()).collect();
    assert_eq!(names, [Some("there"), Some("ada"), Some("bob"), None]);
    assert_eq!(exported[1]["roles"], json!(["admin", "editor"]));
    assert!(exported.iter().all(|user| user.get("password_hash").is_none()));
    assert!(accounts::export(&server.app.db, Some(last), false).await.unwrap().is_none());
    let (exported, _) = accounts::export(&server.app.db, None, true).await.unwrap().unwrap();
    assert!(exported[1]["password_hash"].as_str().unwrap().starts_with("$2b$04$"), "ada's was renewed");
    assert_eq!(exported[2]["password_hash"], HASH);
}
