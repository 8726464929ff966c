//! `portcullis user list`, `show`, `disable`, `enable`, `set-password`, `grant`, `revoke` and `delete`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::{Done, PASSWORD, Place, Server};

fn create(place: &Place, arguments: &[&str]) -> Value {
    let all = [&["user", "create", "--json"], arguments].concat();
    let done = place.run_with_input(&all, &format!("{PASSWORD}\n")).expect(0);
    serde_json::from_str(&done.stdout).unwrap()
}

fn user(place: &Place, arguments: &[&str]) -> Done {
    place.run(&[&["user"], arguments].concat())
}

fn as_json(done: Done) -> Value {
    serde_json::from_str(&done.expect(0).stdout).unwrap()
}

/// Who is listed, by their usernames.
fn listed(place: &Place, arguments: &[&str]) -> Vec<String> {
    let list = as_json(user(place, &[&["list", "--json"], arguments].concat()));
    let items = list["items"].as_array().unwrap().iter();
    items.map(|user| user["username"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn users_are_made_with_all_that_they_have() {
    let place = Place::quick();
    let ada = create(
        &place,
        &[
            "--username=Ada",
            "--email=Ada@example.com",
            "--email-verified",
            "--display-name=The Countess",
            "--role=admin",
        ],
    );
    let told = json!([ada["username"], ada["email_verified"], ada["display_name"], ada["roles"]]);
    assert_eq!(told, json!(["Ada", true, "The Countess", ["admin"]]));
    place.run(&["user", "create", "--username=bob", "--email-verified"]).expect(2).says(&["--email"]);
    let escape = place.run(&["user", "create", "--username=bob", "--display-name=a\u{1b}[2J"]);
    escape.expect(1).says(&["--display-name", "control characters"]);
}

#[test]
fn a_list_is_a_table_for_people_and_json_for_programs() {
    let place = Place::quick();
    place.run(&["migrate"]).expect(0);
    assert_eq!(user(&place, &["list"]).expect(0).stdout, "There are no such users.\n");
    assert_eq!(as_json(user(&place, &["list", "--json"])), json!({ "items": [], "next_cursor": null }));
    let ada = create(&place, &["--username=Ada", "--email=ada@example.com", "--role=admin"]);
    create(&place, &["--email", &format!("{}@example.com", "x".repeat(60))]);
    create(&place, &["--username=bob"]);
    user(&place, &["disable", "bob"]).expect(0);

    let table = user(&place, &["list"]).expect(0).stdout;
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 4, "{table}");
    for (line, cells) in [
        (0, ["USERNAME", "EMAIL", "ROLES", "STATE", "CREATED", "LAST LOGIN"]),
        (1, ["bob", "-", "-", "disabled", "20", "-"]),
        (2, ["-", "xxxx", "-", "enabled", "20", "-"]),
        (3, ["Ada", "ada@example.com", "admin", "enabled", "20", "-"]),
    ] {
        for (cell, head) in cells.iter().zip(["USERNAME", "EMAIL", "ROLES", "STATE", "CREATED", "LAST LOGIN"])
        {
            let at = lines[0].find(head).unwrap();
            let here: String = lines[line].chars().skip(at).collect();
            assert!(here.starts_with(cell), "{cell} is not below {head} in\n{table}");
        }
        assert!(lines[line].chars().count() <= 160 && lines[line].trim_end() == lines[line], "{table}");
    }
    assert!(lines[2].contains("…"), "{table}");
    assert!(lines[3].contains("Z"), "{table}");
    let list = as_json(user(&place, &["list", "--json", "--query=ADA"]));
    assert_eq!(list, json!({ "items": [ada], "next_cursor": null }));
}

#[test]
fn a_list_is_searched_and_paged() {
    let place = Place::quick();
    for name in ["ada", "adam", "bob"] {
        create(&place, &["--username", name]);
    }
    create(&place, &["--username=root", "--role=admin"]);
    user(&place, &["disable", "bob"]).expect(0);
    assert_eq!(listed(&place, &[]), ["root", "bob", "adam", "ada"]);
    assert_eq!(listed(&place, &["--query=ad"]), ["adam", "ada"]);
    assert_eq!(listed(&place, &["--role=admin"]), ["root"]);
    assert_eq!(listed(&place, &["--disabled"]), ["bob"]);
    assert_eq!(listed(&place, &["--disabled=false", "--query=a"]), ["adam", "ada"]);
    let first = as_json(user(&place, &["list", "--json", "--limit=3"]));
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(listed(&place, &["--limit=3", "--cursor", cursor]), ["ada"]);
    user(&place, &["list", "--limit=3"]).expect(0).says(&[&format!("--cursor {cursor}")]);
    for (wrong, told) in [
        ("--limit=0", "1..=1000"),
        ("--limit=1001", "1..=1000"),
        ("--cursor=x", "--cursor"),
        ("--role=A b", "a-z"),
        ("--disabled=perhaps", "true, false"),
    ] {
        user(&place, &["list", wrong]).expect(2).says(&[told]);
    }
}

#[test]
fn a_user_is_named_by_username_address_or_id() {
    let place = Place::quick();
    let ada = create(&place, &["--username=Ada", "--email=ada@example.com", "--display-name=The Countess"]);
    let id = ada["id"].as_str().unwrap();
    for name in ["ada", "ADA", "Ada@Example.com", id] {
        let shown = user(&place, &["show", name]).expect(0).stdout;
        for told in [id, "Ada", "ada@example.com (not verified)", "The Countess", "enabled"] {
            assert!(shown.contains(told), "no {told} in {shown}");
        }
        assert_eq!(as_json(user(&place, &["show", name, "--json"])), ada);
    }
    // Nobody passes for another by a username that looks like an id.
    let other = "019a96b3-0400-7000-8000-000000000001";
    create(&place, &["--username", other]);
    for command in ["show", "disable", "enable", "set-password"] {
        user(&place, &[command, other]).expect(1).says(&["no user", other]);
    }
    user(&place, &["show", "a\u{1b}[2J"]).expect(1).says(&["a\\u{1b}[2J"]);
    user(&place, &["show"]).expect(2).says(&["USER"]);
}

#[test]
fn roles_are_given_and_taken() {
    let place = Place::quick();
    create(&place, &["--username=root", "--role=admin"]);
    create(&place, &["--username=ada"]);
    let told = |arguments: &[&str]| user(&place, arguments).expect(0).stdout;
    assert_eq!(told(&["grant", "ada", "introspect"]), "ada has the role introspect now.\n");
    assert_eq!(told(&["grant", "ada", "admin", "introspect"]), "ada has the roles admin, introspect now.\n");
    assert_eq!(told(&["revoke", "ada", "introspect"]), "ada has the role admin now.\n");
    assert_eq!(told(&["revoke", "ada", "introspect", "admin"]), "ada has no role now.\n");
    assert_eq!(as_json(user(&place, &["grant", "ada", "admin", "--json"]))["roles"], json!(["admin"]));
    for command in ["grant", "revoke"] {
        user(&place, &[command, "ada", "emperor"]).expect(1).says(&["\"emperor\"", "admin, introspect"]);
        user(&place, &[command, "ada"]).expect(2).says(&["ROLE"]);
    }
    // All or nothing.
    user(&place, &["revoke", "ada", "admin", "emperor"]).expect(1);
    assert_eq!(as_json(user(&place, &["show", "ada", "--json"]))["roles"], json!(["admin"]));
}

#[test]
fn the_last_admin_stays() {
    let place = Place::quick();
    create(&place, &["--username=root", "--role=admin"]);
    for arguments in [&["revoke", "root", "admin"][..], &["disable", "root"], &["delete", "root", "--yes"]] {
        user(&place, arguments).expect(1).says(&["last enabled admin"]);
    }
    create(&place, &["--username=eve", "--role=admin"]);
    user(&place, &["disable", "eve"]).expect(0);
    user(&place, &["delete", "root", "--yes"]).expect(1).says(&["last enabled admin"]);
    user(&place, &["enable", "eve"]).expect(0);
    user(&place, &["delete", "root", "--yes"]).expect(0);
}

#[test]
fn a_user_is_deleted_once_the_name_is_typed() {
    let place = Place::quick();
    let ada = create(&place, &["--username=Ada", "--email=ada@example.com"]);
    for wrong in ["", "\n", "ada\n", "yes\n", "ada@example.com\n"] {
        let done = place.run_with_input(&["user", "delete", "ada"], wrong).expect(1);
        done.says(&["type Ada", "nothing was deleted"]);
    }
    let deleted = place.run_with_input(&["user", "delete", "ada@example.com"], "Ada\n").expect(0);
    assert_eq!(deleted.stdout, format!("Deleted Ada ({}).\n", ada["id"].as_str().unwrap()));
    user(&place, &["show", "ada"]).expect(1).says(&["no user \"ada\""]);
    create(&place, &["--username=ada"]);
    assert_eq!(as_json(user(&place, &["delete", "ada", "--yes", "--json"]))["username"], "ada");
}

/// Until it is so: a service hears of it within a second, on a machine that is not busy elsewhere.
async fn answers(server: &Server, token: &str, status: u16) {
    let begun = Instant::now();
    while server.me(token).await.0 != status {
        assert!(begun.elapsed() < Duration::from_secs(20), "the service does not hear of it");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_running_service_hears_of_it() {
    let place = Place::quick();
    create(&place, &["--username=ada"]);
    let server = place.serve(&[]);
    let login = async |password: &str| {
        let (status, tokens) = server.login("ada", password).await;
        (status, tokens["access_token"].as_str().unwrap_or_default().to_owned())
    };
    let (_, token) = login(PASSWORD).await;
    answers(&server, &token, 200).await;

    user(&place, &["grant", "ada", "introspect"]).expect(0);
    let begun = Instant::now();
    while server.me(&token).await.1["roles"] != json!(["introspect"]) {
        assert!(begun.elapsed() < Duration::from_secs(20), "the service does not hear of the role");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(user(&place, &["disable", "ada"]).expect(0).stdout, "Disabled ada, and ended all sessions.\n");
    answers(&server, &token, 401).await;
    assert_eq!(login(PASSWORD).await.0, 403);
    user(&place, &["enable", "ada"]).expect(0);
    let (status, token) = login(PASSWORD).await;
    assert_eq!(status, 200);

    let done = place.run_with_input(&["user", "set-password", "ada"], "another-lantern-77\n").expect(0);
    assert_eq!(done.stdout, "Replaced the password of ada, and ended all sessions.\n");
    answers(&server, &token, 401).await;
    assert_eq!(login(PASSWORD).await.0, 401);
    let (status, token) = login("another-lantern-77").await;
    assert_eq!(status, 200);
    for (password, told) in [("short", "8 to 128"), ("", "standard input")] {
        let done = place.run_with_input(&["user", "set-password", "ada"], &format!("{password}\n"));
        done.expect(1).says(&[told]);
    }
    answers(&server, &token, 200).await;

    user(&place, &["delete", "ada", "--yes"]).expect(0);
    answers(&server, &token, 401).await;
    server.stop().expect(0);
}
