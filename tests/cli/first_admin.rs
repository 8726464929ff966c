//! `ADMIN_USERNAME`, `ADMIN_EMAIL` and `ADMIN_PASSWORD`.

use serde_json::json;

use crate::program::{PASSWORD, Place};

fn asked(place: Place) -> Place {
    place
        .with("ADMIN_USERNAME", "root")
        .with("ADMIN_EMAIL", "root@example.com")
        .with("ADMIN_PASSWORD", PASSWORD)
}

#[tokio::test]
async fn the_first_admin_is_made_where_there_is_none() {
    let mut place = asked(Place::quick());
    // Of those that start at once, one makes it.
    let servers: Vec<_> = (0..3).map(|_| place.start(&["serve"])).collect();
    let servers: Vec<_> = servers.into_iter().map(|running| running.listening()).collect();
    let (status, tokens) = servers[0].login("root", PASSWORD).await;
    assert_eq!(status, 200, "{tokens}");
    let user = &tokens["user"];
    let told = json!([user["username"], user["email"], user["email_verified"], user["roles"]]);
    assert_eq!(told, json!(["root", "root@example.com", true, ["admin"]]));
    let said: Vec<_> = servers.into_iter().map(|server| server.stop().expect(0).stderr).collect();
    assert!(said.iter().all(|said| !said.contains(PASSWORD)), "{said:?}");
    assert_eq!(said.iter().filter(|said| said.contains("made the first admin")).count(), 1, "{said:?}");

    // Now that there is one, the settings are nothing to anyone: no other is made, and no password changes.
    place.set("ADMIN_USERNAME", "other");
    place.set("ADMIN_PASSWORD", "another-lantern-77");
    let server = place.serve(&[]);
    assert_eq!(server.login("other", "another-lantern-77").await.0, 401);
    assert_eq!(server.login("root", "another-lantern-77").await.0, 401);
    assert_eq!(server.login("root", PASSWORD).await.0, 200);
    server.stop().expect(0);
    let list = place.run(&["user", "list", "--json"]).expect(0).stdout;
    assert_eq!(list.matches("\"username\"").count(), 1, "{list}");
}

#[test]
fn a_disabled_admin_is_one() {
    let place = Place::quick();
    let admin = |name: &str| {
        let arguments = ["user", "create", "--username", name, "--role=admin"];
        place.run_with_input(&arguments, &format!("{PASSWORD}\n")).expect(0);
    };
    admin("ada");
    admin("eve");
    place.run(&["user", "disable", "ada"]).expect(0);
    place.run(&["user", "delete", "eve", "--yes"]).expect(1);
    let place = asked(place);
    place.serve(&[]).stop().expect(0);
    place.run(&["user", "show", "root"]).expect(1);
}

/// Whoever registered the name knows the password.
#[tokio::test]
async fn nobody_becomes_an_admin_by_having_the_name() {
    for name in ["--username=ROOT", "--email=Root@Example.com"] {
        let place = Place::quick();
        place.run_with_input(&["user", "create", name], &format!("{PASSWORD}\n")).expect(0);
        let place = asked(place);
        let setting = if name.contains('@') { "ADMIN_EMAIL" } else { "ADMIN_USERNAME" };
        place.run(&["serve"]).expect(1).says(&[setting, "no admin", "portcullis user grant NAME admin"]);
        let list = place.run(&["user", "list", "--json", "--role=admin"]).expect(0).stdout;
        assert_eq!(list.trim(), r#"{"items":[],"next_cursor":null}"#);
        // As the message says.
        place.run(&["user", "grant", name.split('=').next_back().unwrap(), "admin"]).expect(0);
        place.serve(&[]).stop().expect(0);
    }
}

#[test]
fn settings_that_make_no_admin_are_told_before_anything_begins() {
    for (set, told) in [
        (&[("ADMIN_USERNAME", "root")][..], &["ADMIN_PASSWORD", "ADMIN_USERNAME needs it"][..]),
        (&[("ADMIN_EMAIL", "root@example.com")], &["ADMIN_PASSWORD", "ADMIN_EMAIL needs it"]),
        (&[("ADMIN_PASSWORD", PASSWORD)], &["ADMIN_USERNAME", "ADMIN_EMAIL"]),
        (&[("ADMIN_USERNAME", "a b"), ("ADMIN_PASSWORD", PASSWORD)], &["ADMIN_USERNAME: ", "A-Z"]),
        (&[("ADMIN_EMAIL", "root"), ("ADMIN_PASSWORD", PASSWORD)], &["ADMIN_EMAIL: ", "user@example.com"]),
        (&[("ADMIN_USERNAME", "root"), ("ADMIN_PASSWORD", "short")], &["ADMIN_PASSWORD: ", "8 to 128"]),
        (
            &[("ADMIN_USERNAME", "root"), ("ADMIN_PASSWORD", "password1")],
            &["ADMIN_PASSWORD: ", "unrelated words"],
        ),
        (
            &[("ADMIN_USERNAME", "Tidal-Lantern"), ("ADMIN_PASSWORD", "tidal-lantern")],
            &["ADMIN_PASSWORD: ", "username"],
        ),
        (
            &[
                ("PORT", "x"),
                ("ADMIN_USERNAME", "a b"),
                ("ADMIN_PASSWORD", "tidal-lantern-1"),
                ("PASSWORD_MIN_LENGTH", "20"),
            ],
            &["PORT: ", "ADMIN_USERNAME: ", "ADMIN_PASSWORD: ", "20 to 128"],
        ),
    ] {
        let place = set.iter().fold(Place::new(), |place, (name, value)| place.with(name, value));
        let done = place.run(&["serve"]).expect(2).says(told);
        let password =
            set.iter().find(|(name, _)| *name == "ADMIN_PASSWORD").map_or("-", |(_, value)| *value);
        assert!(!done.stderr.contains(&format!("{password:?}")), "{}", done.stderr);
        assert!(place.files().is_empty(), "{:?}", place.files());
    }
}

#[test]
fn the_password_is_not_in_the_help() {
    let place = asked(Place::new());
    let help = place.run(&["--help"]).expect(0).stdout;
    assert!(help.contains("[env: ADMIN_PASSWORD]") && !help.contains(PASSWORD), "{help}");
}
