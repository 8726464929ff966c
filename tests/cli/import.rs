//! `portcullis user import` and `portcullis user export`.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::program::{Done, PASSWORD, Place};

/// bcrypt of "correct horse battery staple", by passlib.
const HASH: &str = "$2a$04$MRYNbeIiZq6/25dLPR/sMuM1WEq4qQAP4EgF10omZre9tBUOGp2d6";
const RIGHT: &str = "correct horse battery staple";

fn import(place: &Place, file: &str, flags: &[&str]) -> Done {
    place.run(&[&["user", "import", file], flags].concat())
}

fn write(place: &Place, file: &str, text: &str) {
    std::fs::write(place.path(file), text).unwrap();
}

fn export(place: &Place) -> Vec<Value> {
    let done = place.run(&["user", "export"]).expect(0);
    done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn emails(place: &Place) -> Vec<String> {
    export(place).iter().map(|user| user["email"].as_str().unwrap().to_owned()).collect()
}

/// A block of the document: the name that stands before its fence, and what is in it.
fn blocks(document: &str) -> Vec<(&str, &str)> {
    let mut blocks = Vec::new();
    let mut rest = document;
    while let Some((before, block)) = rest.split_once("\n```") {
        let (block, after) = block.split_once("\n```\n").unwrap();
        let (kind, text) = block.split_once('\n').unwrap();
        let name = before.trim_end().strip_suffix("`:").and_then(|before| before.rsplit('`').next());
        blocks.push((name.unwrap_or(kind), text));
        rest = after;
    }
    blocks
}

/// Each of its examples is imported as it says, and Ada logs in with what she has.
#[tokio::test]
async fn the_document_is_true() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/import.md");
    let document = std::fs::read_to_string(document).unwrap();
    let (mut file, mut tried) = ("", 0);
    let mut place = Place::quick();
    for (name, text) in blocks(&document) {
        if name != "console" {
            place = Place::quick();
            write(&place, name, text);
            file = name;
            continue;
        }
        for run in text.split("$ portcullis ").skip(1) {
            let (command, told) = run.split_once('\n').unwrap();
            let done = place.run(&command.split(' ').collect::<Vec<_>>());
            let said = done.stderr.lines().filter(|line| line.starts_with("portcullis: "));
            let said: Vec<_> = done.stdout.lines().chain(said).collect();
            assert_eq!(said.join("\n"), told.trim_end(), "{command}: {done:?}");
            assert_eq!(done.code == Some(0), told.contains(" 0 refused"), "{command}: {done:?}");
        }
        let password = if file == "firebase.json" { "user1password" } else { RIGHT };
        let server = place.serve(&[]);
        let (status, tokens) = server.login_as("ada@example.com", password).await;
        assert_eq!(status, 200, "{file}: {tokens}");
        assert_eq!(server.login_as("ada@example.com", "another password").await.0, 401, "{file}");
        let ada = &tokens["user"];
        tried += 1;
        // Their tables tell no more.
        if ["aiohttp.jsonl", "flask.csv", "fastapi.csv"].contains(&file) {
            let username = if file == "aiohttp.jsonl" { Value::Null } else { "ada".into() };
            assert_eq!((&ada["username"], &ada["roles"]), (&username, &json!([])), "{file}");
            continue;
        }
        assert!(ada["created_at"].as_str().unwrap().starts_with("2024-03-01T09:30:00"), "{file}: {ada}");
        assert_eq!(ada["email_verified"], !["users.csv", "django.json"].contains(&file), "{file}: {ada}");
        let display_name = if file == "users.csv" { Value::Null } else { "Ada Lovelace".into() };
        assert_eq!(ada["display_name"], display_name, "{file}");
        let (username, roles) = match file {
            "users.jsonl" => (Some("ada"), json!(["admin"])),
            "users.csv" => (Some("ada"), json!(["admin", "introspect"])),
            "keycloak.json" => (None, json!(["editor"])),
            "django.json" => (Some("ada"), json!([])),
            _ => (None, json!([])),
        };
        assert_eq!((ada["username"].as_str(), &ada["roles"]), (username, &roles), "{file}");
        if file == "users.jsonl" {
            assert_eq!(server.login_as("bob@example.com", PASSWORD).await.0, 200);
        }
    }
    assert_eq!(tried, 9);
}

#[test]
fn it_is_written_in_batches_and_can_be_repeated() {
    let place = Place::quick();
    let mut lines = String::new();
    for n in 0..1203 {
        writeln!(
            lines,
            r#"{{"username": "user{n}", "email": "user{n}@example.com", "password_hash": "{HASH}"}}"#
        )
        .unwrap();
    }
    let (first, _) = lines.split_at(lines.find("user700").unwrap() - 14);
    write(&place, "part.jsonl", first);
    write(&place, "all.jsonl", &lines);
    let said = import(&place, "part.jsonl", &[]).expect(0).stdout;
    assert_eq!(said, "700 imported, 0 exist already, 0 refused.\n");
    let said = import(&place, "all.jsonl", &["--dry-run"]).expect(0).stdout;
    assert!(said.ends_with("503 imported, 700 exist already, 0 refused. Nothing was written.\n"), "{said}");
    assert!(
        said.contains("row 700: \"user699@example.com\" exists\nrow 701: \"user700@example.com\" imported\n")
    );
    assert_eq!(export(&place).len(), 700);
    let said = import(&place, "all.jsonl", &[]).expect(0);
    assert_eq!(said.stdout, "503 imported, 700 exist already, 0 refused.\n");
    // The bar is for terminals.
    assert_eq!(said.stderr, "");
    let said = import(&place, "all.jsonl", &[]).expect(0).stdout;
    assert_eq!(said, "0 imported, 1203 exist already, 0 refused.\n");

    let users = export(&place);
    let named: Vec<_> = users.iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect();
    assert_eq!(named, (0..1203).map(|n| format!("user{n}")).collect::<Vec<_>>());
}

/// Rows of one file that are the same user, with and without an account before.
#[test]
fn who_exists_is_left_alone() {
    let place = Place::quick();
    place
        .run_with_input(&["user", "create", "--username=ada", "--email=ada@example.com"], PASSWORD)
        .expect(0);
    write(
        &place,
        "users.csv",
        &format!(
            "username,email,password_hash\nADA,,{HASH}\n,Ada@Example.com,{HASH}\nada,other@example.com,{HASH}\n\
             bob,bob@example.com,{HASH}\nBob,,{HASH}\n"
        ),
    );
    for (flags, end) in [(&["--dry-run"][..], " Nothing was written.\n"), (&[], "\n")] {
        let said = import(&place, "users.csv", flags).expect(0).stdout;
        assert!(said.ends_with(&format!("1 imported, 4 exist already, 0 refused.{end}")), "{said}");
    }
    assert_eq!(emails(&place), ["ada@example.com", "bob@example.com"]);
}

#[tokio::test]
async fn a_canary_decides_whether_anything_is_written() {
    let place = Place::quick();
    write(
        &place,
        "users.csv",
        &format!("email,password_hash\nada@example.com,{HASH}\nbob@example.com,{HASH}\n"),
    );
    write(&place, "plain.csv", &format!("email,password\neve@example.com,{PASSWORD}\n"));
    let run = |file, canary, password: &str| {
        place.run_with_input(&["user", "import", file, "--canary", canary], &format!("{password}\n"))
    };
    run("users.csv", "Ada@example.com", "wrong horse").expect(1).says(&["nothing was written", "password"]);
    run("users.csv", "eve@example.com", RIGHT).expect(1).says(&["nothing was written", "eve@example.com"]);
    run("users.csv", "ada@example.com", "").expect(1).says(&["standard input"]);
    // It is in plain text, which is not allowed unless it is asked for.
    run("plain.csv", "eve@example.com", PASSWORD).expect(1).says(&["nothing was written"]);
    let plain = |password: &str| {
        let command = ["user", "import", "plain.csv", "--plain-text-passwords", "--canary=eve@example.com"];
        place.run_with_input(&command, &format!("{password}\n"))
    };
    plain(RIGHT).expect(1).says(&["nothing was written"]);
    assert_eq!(emails(&place), [""; 0]);

    let said = run("users.csv", "Ada@example.com", RIGHT).expect(0);
    assert!(!format!("{said:?}").contains(RIGHT), "{said:?}");
    assert_eq!(said.stdout, "2 imported, 0 exist already, 0 refused.\n");
    plain(PASSWORD).expect(0);
}

/// What stands in a column `password`.
#[tokio::test]
async fn a_password_in_plain_text_is_taken_only_where_it_is_asked_for() {
    let place = Place::quick().with("RUST_LOG", "trace");
    let digest = "5f4dcc3b5aa765d61d8327deb882cf99";
    let foreign = [
        digest.to_owned(),
        digest.to_uppercase(),
        format!("md5$salt${digest}"),
        format!("$1$salt${digest}"),
        "$P$Bxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".to_owned(),
        "{CRYPT}aaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
        "$2b$10$cut".to_owned(),
    ];
    let plain = ["secret", "pa$$word:1", "$ecret$", "{a}b", "correct horse", " a,\"b\" "];
    let mut rows = vec![json!({ "email": "hash@example.com", "password": HASH })];
    let row = |name: String, password: &str| json!({ "email": format!("{name}@example.com"), "password": password });
    rows.extend(foreign.iter().enumerate().map(|(n, text)| row(format!("foreign{n}"), text)));
    rows.extend(plain.iter().enumerate().map(|(n, text)| row(format!("plain{n}"), text)));
    write(&place, "users.jsonl", &rows.iter().map(|row| format!("{row}\n")).collect::<String>());
    let secrets = || foreign.iter().map(String::as_str).chain(plain).chain([HASH, digest]);
    let silent = |done: Done| {
        let said = format!("{}{}", done.stdout, done.stderr);
        // One of them is a word of every refusal.
        for secret in secrets().filter(|secret| secret.len() > 6) {
            assert!(!said.contains(secret), "{secret}: {said}");
        }
        done.stdout
    };

    let refused = "1 imported, 0 exist already, 13 refused.";
    for flags in [&["--dry-run"][..], &[]] {
        let said = silent(import(&place, "users.jsonl", flags).expect(1));
        assert!(said.contains(refused), "{said}");
        let asked_for = said.lines().filter(|line| line.contains("--plain-text-passwords"));
        assert_eq!(asked_for.count(), plain.len(), "{said}");
    }
    let said = silent(import(&place, "users.jsonl", &["--plain-text-passwords"]).expect(1));
    assert!(said.contains("6 imported, 1 exist already, 7 refused."), "{said}");

    let hashes = place.run(&["user", "export", "--with-hashes"]).expect(0).stdout;
    let kept = |secret: &&str| hashes.contains(&json!(secret).to_string());
    assert_eq!(secrets().filter(kept).collect::<Vec<_>>(), [HASH]);
    let server = place.serve(&[]);
    assert_eq!(server.login_as("hash@example.com", RIGHT).await.0, 200);
    for (n, password) in plain.iter().enumerate() {
        let (status, told) = server.login_as(&format!("plain{n}@example.com"), password).await;
        assert_eq!(status, 200, "{password}: {told}");
    }
}

/// As tables of small applications have it.
#[test]
fn a_name_is_shown_and_logs_in_only_who_has_nothing_else() {
    let place = Place::quick();
    let rows = format!(
        "id,public_id,name,email,password\n1,a,Ada,ada@example.com,{HASH}\n2,b,Ada,other@example.com,{HASH}\n\
         3,c,carol,,{HASH}\n4,d,Carol Two,,{HASH}\n"
    );
    write(&place, "users.csv", &rows);
    let said = import(&place, "users.csv", &[]).expect(1).stdout;
    assert!(
        said.contains("row 4: \"Carol Two\" refused: username: ") && said.contains("3 imported"),
        "{said}"
    );
    let users: Vec<_> = export(&place)
        .iter()
        .map(|user| json!([user["username"], user["email"], user["display_name"]]).to_string())
        .collect();
    let expected = [
        r#"[null,"ada@example.com","Ada"]"#,
        r#"[null,"other@example.com","Ada"]"#,
        r#"["carol",null,null]"#,
    ];
    assert_eq!(users, expected);
}

#[test]
fn each_refusal_has_its_reason_and_no_secret() {
    let place = Place::quick().with("RUST_LOG", "trace");
    let secret = "5f4dcc3b5aa765d61d8327deb882cf99";
    let costly = format!("$2a$16${secret}535353535353535353535");
    let mut rows: Vec<Value> = vec![json!({ "email": "fine@example.com", "password_hash": HASH })];
    let reasons = [
        (json!({ "email": "a@example.com", "password_hash": secret }), "no known form"),
        (
            json!({ "email": "a@example.com", "password_hash": format!("$2a$10${secret}") }),
            "not a sound hash",
        ),
        (json!({ "email": "a@example.com", "password_hash": costly }), "over 15"),
        (json!({ "email": "a@example.com" }), "no password"),
        (json!({ "email": "a@example.com", "password": [secret] }), "\"password\" is no text"),
        (json!({ "email": "not an address", "password_hash": HASH }), "email: This is not"),
        (json!({ "username": "-", "password_hash": HASH }), "username: Use"),
        (json!({ "username": "x@y z", "password_hash": HASH }), "email: This is not"),
        (json!({ "email": null, "password_hash": HASH }), "neither a username nor"),
        (
            json!({ "email": "a@example.com", "roles": ["emperor"], "password_hash": HASH }),
            "admin, introspect",
        ),
        (json!({ "email": "a@example.com", "roles": 1, "password_hash": HASH }), "no list"),
        (json!({ "email": "a@example.com", "disabled": "maybe", "password_hash": HASH }), "neither true nor"),
        (json!({ "email": "a@example.com", "created_at": "yesterday", "password_hash": HASH }), "no time"),
        (
            json!({ "email": "a@example.com", "created_at": "2999-01-01T00:00:00Z", "password_hash": HASH }),
            "impossible",
        ),
        (json!({ "email": "a@example.com", "display_name": "a\nb", "password_hash": HASH }), "control"),
        (json!(7), "neither"),
    ];
    rows.extend(reasons.iter().map(|(row, _)| row.clone()));
    let mut text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    text += "{\"email\": \"broken\n";
    write(&place, "users.jsonl", &text);
    for flags in [&["--dry-run"][..], &[]] {
        let said = import(&place, "users.jsonl", flags).expect(1);
        let told = said.stdout.clone();
        assert!(told.contains("1 imported, 0 exist already, 17 refused."), "{told}");
        for (n, (row, reason)) in reasons.iter().enumerate() {
            let start = format!("row {}: ", n + 2);
            let line = told.lines().find(|line| line.starts_with(&start));
            assert!(line.is_some_and(|line| line.contains(reason)), "{row}: {line:?}");
        }
        assert!(told.contains("row 18: ? refused: it is no sound JSON"), "{told}");
        let all = format!("{told}{}", said.stderr);
        assert!(!all.contains(secret) && !all.contains(HASH), "{all}");
    }
    assert_eq!(emails(&place), ["fine@example.com"]);
}

#[test]
fn what_is_no_file_of_users_is_refused_as_a_whole() {
    let place = Place::quick();
    for (text, told) in [
        ("", "empty"),
        ("[1, 2", "no sound JSON"),
        ("{\"a\": 1}", "known here"),
        ("one,two\n1,2\n", "known here"),
        ("{nonsense}\n{more}", "no sound JSON"),
        ("{\"users\": [{\"localId\": \"x\", \"email\": \"a@example.com\"}]}", "--hash-key"),
    ] {
        write(&place, "file", text);
        import(&place, "file", &[]).expect(1).says(&[told]);
    }
    import(&place, "nowhere.csv", &[]).expect(1).says(&["nowhere.csv"]);
    import(&place, "file", &["--hash-key=AA=="]).expect(2).says(&["--salt-separator"]);
    std::fs::write(place.path("file"), b"email\n\xff\n").unwrap();
    import(&place, "file", &[]).expect(1).says(&["UTF-8"]);
}

/// What is exported can be imported, to the last bit that matters.
#[tokio::test]
async fn an_export_with_hashes_is_an_import() {
    let (old, new) = (Place::quick(), Place::quick());
    let names = ["--username=Ada", "--email=Ada@example.com", "--role=admin"];
    old.run_with_input(&[&["user", "create"][..], &names].concat(), PASSWORD).expect(0);
    write(
        &old,
        "more.jsonl",
        &json!({ "email": "bob@example.com", "display_name": "Bob \"B\" ☂", "disabled": true, "password_hash": HASH,
            "email_verified": true, "created_at": "2020-02-29T12:00:00.123456Z", "roles": ["editor"] })
        .to_string(),
    );
    import(&old, "more.jsonl", &["--create-roles"]).expect(0);

    let without = old.run(&["user", "export"]).expect(0);
    assert!(!without.stdout.contains("$2") && without.stderr.is_empty(), "{without:?}");
    let with = old.run(&["user", "export", "--with-hashes"]).expect(0).says(&["as you keep the database"]);
    write(&new, "users.jsonl", &with.stdout);
    import(&new, "users.jsonl", &["--create-roles"]).expect(0);
    assert_eq!(new.run(&["user", "export", "--with-hashes"]).expect(0).stdout, with.stdout);
    assert_eq!(new.run(&["user", "export"]).expect(0).stdout, without.stdout);

    let server = new.serve(&[]);
    assert_eq!(server.login("ada", PASSWORD).await.0, 200);
    assert_eq!(server.login_as("bob@example.com", RIGHT).await.0, 403);
}
