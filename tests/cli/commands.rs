//! What needs no database, and `migrate`.

use std::fs;

use portcullis::config::variables;
use serde_json::Value;

use crate::program::{PASSWORD, Place};

#[test]
fn wrong_settings_are_all_told_and_nothing_is_begun() {
    let place = Place::new().with("BCRYPT_COST", "99").with("SECRET_KEY", "too-short-for-a-key");
    fs::write(place.path(".env"), "REGISTRATION=ajar\n").unwrap();
    let told = [
        "--port: \"http\"",
        "65535",
        "BCRYPT_COST: \"99\"",
        "4 to 16",
        "SECRET_KEY: ",
        "32",
        "REGISTRATION: \"ajar\"",
        "open, closed",
        "--help",
    ];
    for command in [&["--port=http"][..], &["serve", "--port=http"], &["migrate", "--port=http"]] {
        let done = place.run(command).expect(2).says(&told);
        assert!(!done.stderr.contains("too-short-for-a-key"), "{}", done.stderr);
        assert_eq!((done.stdout.as_str(), place.files()), ("", vec![".env".to_owned()]));
    }
}

#[test]
fn a_malformed_file_of_settings_is_told_without_its_lines() {
    let place = Place::quick();
    fs::write(place.path(".env"), "PORT=0\nSECRET_KEY='hunter2\n").unwrap();
    let done = place.run(&["migrate"]).expect(2).says(&[".env", "PORT"]);
    assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    assert_eq!(place.files(), [".env"]);
}

#[test]
fn what_is_not_an_argument_is_told() {
    let place = Place::new();
    for (arguments, told) in [
        (&["--colour=red"][..], "--colour"),
        (&["serve", "--colour"], "--colour"),
        (&["dance"], "dance"),
        (&["user", "delete"], "USER"),
        (&["user", "create"], "--username"),
        (&["--port"], "--port"),
    ] {
        place.run(arguments).expect(2).says(&[told]);
    }
    assert!(place.files().is_empty());
}

/// Else they would tell of an empty database that they have just made.
#[test]
fn in_the_wrong_folder_what_only_looks_or_changes_makes_nothing() {
    let place = Place::quick();
    for command in [
        &["audit", "verify"][..],
        &["usage"],
        &["keys", "list"],
        &["keys", "rotate"],
        &["keys", "revoke", "x"],
        &["user", "list"],
        &["user", "show", "ada"],
        &["user", "disable", "ada"],
        &["user", "enable", "ada"],
        &["user", "set-password", "ada"],
        &["user", "grant", "ada", "admin"],
        &["user", "revoke", "ada", "admin"],
        &["user", "delete", "ada", "--yes"],
        &["user", "export"],
    ] {
        let told = ["there is no file data/portcullis.db", "DATABASE_URL", "portcullis serve"];
        let done = place.run(command).expect(1).says(&told);
        assert_eq!(done.stdout, "", "{command:?}");
        assert!(place.files().is_empty(), "{command:?}: {:?}", place.files());
    }
    place.run_with_input(&["user", "create", "--username=ada"], PASSWORD).expect(0);
    place.run(&["audit", "verify"]).expect(0);
}

/// A secret made there would be this folder's, and the service's own would be refused from then on; another program's database is left
/// as it was.
#[test]
fn in_a_database_that_has_nothing_of_portcullis_what_only_looks_or_changes_makes_nothing() {
    let place = Place::quick().with("DATABASE_URL", "sqlite://other.db");
    fs::write(place.path("other.db"), "").unwrap();
    let refused = ["other.db holds nothing of Portcullis yet", "DATABASE_URL", "portcullis serve"];
    for command in [&["user", "list"][..], &["usage"], &["keys", "list"], &["user", "export"]] {
        place.run(command).expect(1).says(&refused);
        assert_eq!(place.files(), ["other.db"], "{command:?}");
        assert_eq!(fs::read(place.path("other.db")).unwrap(), b"", "{command:?}");
    }
    place.run(&["migrate"]).expect(0);
    place.run(&["user", "list"]).expect(0);
}

/// With the secret lost, the users are taken along by what needs none.
#[tokio::test]
async fn users_are_exported_without_the_secret() {
    let mut place = Place::quick();
    place.run_with_input(&["user", "create", "--username=ada"], PASSWORD).expect(0);
    fs::remove_file(place.path("data/secret.key")).unwrap();
    place.run(&["user", "list"]).expect(1).says(&["SECRET_KEY", "user export --with-hashes"]);
    let exported = place.run(&["user", "export", "--with-hashes"]).expect(0).stdout;
    fs::write(place.path("users.jsonl"), exported).unwrap();
    place.set("DATABASE_URL", "sqlite://new/new.db");
    place.run(&["user", "import", "users.jsonl"]).expect(0);
    let server = place.serve(&[]);
    assert_eq!(server.login("ada", PASSWORD).await.0, 200);
}

#[test]
fn a_name_in_the_file_that_is_no_setting_is_told_at_the_start_and_by_the_doctor() {
    let mut place = Place::quick();
    fs::write(place.path(".env"), "REGISTRATON=closed\nPOSTGRES_PASSWORD=hunter2\n").unwrap();
    let told = "`REGISTRATON` in .env is no setting; did you mean REGISTRATION?";
    let server = place.serve(&[]);
    assert!(server.running.said().contains(told), "{}", server.running.said());
    let done = server.stop().expect(0);
    assert_eq!(done.stderr.matches("is no setting").count(), 1, "{}", done.stderr);
    let report = place.run(&["doctor"]).stdout;
    assert!(report.contains(told) && !report.contains("POSTGRES_PASSWORD"), "{report}");
    // It is of the file alone: the environment has all kinds of names.
    fs::remove_file(place.path(".env")).unwrap();
    place.set("REGISTRATON", "closed");
    let done = place.serve(&[]).stop().expect(0);
    assert!(!done.stderr.contains("is no setting"), "{}", done.stderr);
}

#[test]
fn help_names_every_variable_and_command() {
    let place = Place::new();
    let help = place.run(&["--help"]).expect(0).stdout;
    for (variable, default) in variables() {
        let flag = format!("--{} ", variable.to_lowercase().replace('_', "-"));
        let line = help.lines().position(|line| line.trim_start().starts_with(&flag));
        let text = help
            .lines()
            .skip(line.unwrap_or_else(|| panic!("no {flag}")))
            .take(8)
            .collect::<Vec<_>>()
            .join(" ");
        assert!(text.contains(&format!("[env: {variable}]")), "{text}");
        if let Some(default) = default {
            assert!(text.contains(&format!("[default: {default}]")), "{text}");
        }
    }
    for command in ["serve", "migrate", "user", "usage", "doctor", "openapi"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(command)), "no {command} in {help}");
    }
    assert!(place.files().is_empty());
}

#[test]
fn the_version_is_the_packages() {
    let version = Place::new().run(&["--version"]).expect(0).stdout;
    assert_eq!(version.trim(), concat!("portcullis ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_openapi_document_is_printed() {
    let place = Place::new();
    let document: Value = serde_json::from_str(&place.run(&["openapi"]).expect(0).stdout).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/api/v1/me"].is_object());
    assert!(place.files().is_empty());
}

#[test]
fn a_flag_beats_the_environment_and_that_beats_the_file() {
    let mut place = Place::quick();
    fs::write(place.path(".env"), "DATABASE_URL=sqlite://file.db\n").unwrap();
    place.run(&["migrate"]).expect(0);
    assert!(place.path("file.db").exists());
    place.set("DATABASE_URL", "sqlite://environment.db");
    place.run(&["migrate"]).expect(0);
    assert!(place.path("environment.db").exists());
    place.run(&["migrate", "--database-url=sqlite://flag.db"]).expect(0);
    assert!(place.path("flag.db").exists());
}

#[test]
fn migrating_twice_is_migrating_once() {
    let place = Place::quick();
    for _ in 0..2 {
        place.run(&["migrate"]).expect(0);
    }
    assert!(place.path("data/portcullis.db").exists());
}

#[tokio::test]
async fn a_database_that_a_newer_version_migrated_is_refused_where_it_says_so() {
    use sqlx::{Connection, Executor};
    let place = Place::quick();
    place.run(&["migrate"]).expect(0);
    let file = place.path("data/portcullis.db");
    let run = async |sql: &'static str| {
        let mut connection = sqlx::SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
        connection.execute(sql).await.unwrap();
        connection.close().await.unwrap();
    };
    let newer = "insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
                 values (9999, 'newer', true, x'00', 0)";
    run(newer).await;
    let done = place.run(&["migrate"]).expect(0).says(&["WARN", "newer version", "9999"]);
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    place.serve(&[]).stop().expect(0);
    run("update compatibility set lowest = 9999").await;
    for command in ["migrate", "serve"] {
        place.run(&[command]).expect(1).says(&["newer version", "9999", "run the newer version"]);
    }
}
