//! `portcullis user create`.

use crate::program::{Done, PASSWORD, Place};

fn create(place: &Place, arguments: &[&str], password: &str) -> Done {
    place.run_with_input(&[&["user", "create"], arguments].concat(), &format!("{password}\n"))
}

#[tokio::test]
async fn a_created_admin_logs_in() {
    let place = Place::quick().with("REGISTRATION", "closed");
    let names = ["--username", "Ada", "--email", "ada@example.com", "--role", "admin", "--role=introspect"];
    let created = create(&place, &names, PASSWORD).expect(0);
    let id = created.stdout.trim().strip_prefix("Created user ").and_then(|rest| rest.strip_suffix('.'));
    let id = id.unwrap_or_else(|| panic!("no id in {created:?}"));
    assert!(!format!("{created:?}").contains(PASSWORD), "{created:?}");

    let server = place.serve(&["serve"]);
    let (status, tokens) = server.login("ada", PASSWORD).await;
    assert_eq!(status, 200, "{tokens}");
    let (status, me) = server.me(tokens["access_token"].as_str().unwrap()).await;
    assert_eq!((status, me["id"].as_str()), (200, Some(id)));
    assert_eq!((&me["username"], &me["email"]), (&"Ada".into(), &"ada@example.com".into()));
    assert_eq!(me["roles"], serde_json::json!(["admin", "introspect"]));

    // Also beside the service that runs.
    create(&place, &["--username=bob"], PASSWORD).expect(0);
    assert_eq!(server.login("bob", PASSWORD).await.0, 200);
    server.stop().expect(0);
}

#[tokio::test]
async fn the_password_is_the_first_line_without_its_end() {
    let place = Place::quick();
    for (name, input) in
        [("dos", "tidal lantern 42\r\n"), ("two", "tidal lantern 42\nmore\n"), ("bare", "tidal lantern 42")]
    {
        place.run_with_input(&["user", "create", "--username", name], input).expect(0);
    }
    let server = place.serve(&[]);
    for name in ["dos", "two", "bare"] {
        assert_eq!(server.login(name, "tidal lantern 42").await.0, 200, "{name}");
    }
}

#[test]
fn a_password_that_is_no_good_is_refused() {
    let place = Place::quick();
    for (password, told) in [
        ("short", "8 to 128"),
        ("password1", "unrelated words"),
        ("", "standard input"),
        ("Ada-Lovelace", "username"),
    ] {
        let done = create(&place, &["--username=ada-lovelace"], password).expect(1).says(&["password", told]);
        let said = done.stderr.replace("the password", "");
        assert!(password.is_empty() || !said.contains(password), "{said}");
        assert_eq!(done.stdout, "");
    }
    // The name is still free: no one was made.
    create(&place, &["--username=ada-lovelace"], PASSWORD).expect(0);
}

#[test]
fn names_that_are_no_good_or_taken_are_refused() {
    let place = Place::quick();
    create(&place, &["--username=a b"], PASSWORD).expect(1).says(&["--username", "A-Z"]);
    create(&place, &["--email=ada"], PASSWORD).expect(1).says(&["--email", "user@example.com"]);
    assert!(place.files().is_empty());

    create(&place, &["--username=ada", "--email=ada@example.com"], PASSWORD).expect(0);
    create(&place, &["--username=ADA"], PASSWORD).expect(1).says(&["username is taken"]);
    create(&place, &["--email=Ada@Example.com"], PASSWORD).expect(1).says(&["address is taken"]);
}

#[test]
fn an_unknown_role_is_refused_and_the_known_ones_are_told() {
    let place = Place::quick();
    let roles = ["--username=ada", "--role=admin", "--role=emperor"];
    create(&place, &roles, PASSWORD).expect(1).says(&["\"emperor\"", "admin, introspect"]);
    // The name is still free: nothing was made.
    create(&place, &["--username=ada", "--role=admin"], PASSWORD).expect(0);
}
