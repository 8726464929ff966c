//! What a password may be, and `/api/v1/me/password`.

use futures_util::future::join;
use portcullis::id::{SessionId, UserId};
use serde_json::{Value, json};

use crate::api::support::{Answer, PASSWORD, Server, Tokens};

const NEW: &str = "copper-ferry-almanac-17";

/// Tries to register with this password.
async fn register(server: &Server, username: &str, password: &str) -> Answer {
    server.post("/api/v1/register").json(json!({ "username": username, "password": password })).send().await
}

/// The status of a login.
async fn login(server: &Server, username: &str, password: &str) -> u16 {
    let body = json!({ "username": username, "password": password });
    server.post("/api/v1/login").json(body).send().await.status
}

async fn change(server: &Server, tokens: &Tokens, body: Value) -> Answer {
    server.put("/api/v1/me/password").bearer(&tokens.access).json(body).send().await
}

/// The rules that a new password breaks, for the user `lighthouse-keeper` of `keeper@example.com`.
async fn broken(server: &Server, password: &str) -> Vec<String> {
    let names =
        json!({ "username": "Lighthouse-Keeper", "email": "Kéeper@Example.com", "password": password });
    let answer = server.post("/api/v1/register").json(names).send().await;
    server.sql("delete from users").execute().await.unwrap();
    if answer.status == 201 { Vec::new() } else { answer.broken() }
}

#[actix_web::test]
async fn the_policy_says_which_rule_was_broken() {
    let server = Server::start().await;
    for (password, rule) in [
        ("hJ7#kq2", "too_short"),
        (&*"é".repeat(7), "too_short"),
        (&*"e\u{301}".repeat(7), "too_short"),
        (&*format!("{}!", "lantern-".repeat(16)), "too_long"),
        (&*"é".repeat(129), "too_long"),
        (&*"x".repeat(9000), "too_long"),
        ("password", "too_common"),
        ("Password1", "too_common"),
        ("12345678", "too_common"),
        ("qwertyuiop", "too_common"),
        ("p@ssw0rd", "too_common"),
        ("drowssap", "too_common"),
        ("aaaaaaaa", "too_common"),
        ("Lighthouse-Keeper", "same_as_identity"),
        ("lighthouse-KEEPER", "same_as_identity"),
        ("Kéeper@Example.com", "same_as_identity"),
        ("KÉEPER@example.COM", "same_as_identity"),
        ("ke\u{301}eper@example.com", "same_as_identity"),
    ] {
        assert_eq!(broken(&server, password).await, [format!("password {rule}")], "{password:?}");
    }
}

#[actix_web::test]
async fn every_character_is_allowed_and_counts_once() {
    let server = Server::start().await;
    for password in [
        "hJ7#kq2x",
        &"lantern-".repeat(16),
        &"é".repeat(128),
        &"e\u{301}".repeat(128),
        &"🔑🚪🏰🗝🌊🪨🕯🐦".repeat(2),
        "пароль-ветер-стол",
        "  spaces around  ",
        "tab\tnewline\nbell\u{7}",
        "keeper@example.com",
        "lighthouse-keeper-2",
    ] {
        assert_eq!(broken(&server, password).await, Vec::<String>::new(), "{password:?}");
    }
}

#[actix_web::test]
async fn the_least_length_is_a_setting() {
    let server = Server::with(&["--password-min-length=12"]).await;
    assert_eq!(broken(&server, "hJ7#kq2xV9b").await, ["password too_short"]);
    assert!(broken(&server, "hJ7#kq2xV9bT").await.is_empty());
    let server = Server::with(&["--password-min-length=1", "--password-check-common=false"]).await;
    assert!(broken(&server, "~").await.is_empty());
}

#[actix_web::test]
async fn an_empty_password_is_none_whatever_the_settings() {
    let server = Server::with(&["--password-min-length=1", "--password-check-common=false"]).await;
    for body in [json!({ "username": "ada", "password": "" }), json!({ "username": "ada" })] {
        let answer = server.post("/api/v1/register").json(body).expect(422).await;
        assert!(
            ["password required", "password too_short"].contains(&&*answer.broken()[0]),
            "{}",
            answer.text
        );
    }
    let answer = server.post("/api/v1/register").form("username=ada&password=").expect(422).await;
    assert_eq!(answer.broken(), ["password required"]);
}

#[actix_web::test]
async fn common_passwords_can_be_allowed_by_a_setting() {
    let server = Server::with(&["--password-check-common=false"]).await;
    assert!(broken(&server, "password").await.is_empty());
    assert_eq!(broken(&server, "lighthouse-keeper").await, ["password same_as_identity"]);
    assert_eq!(broken(&server, "passwor").await, ["password too_short"]);
}

#[actix_web::test]
async fn another_keyboards_spelling_is_the_same_password() {
    let server = Server::start().await;
    let (nfd, nfc) = ("cafe\u{301}-lu\u{308}ster-77", "caf\u{e9}-l\u{fc}ster-77");
    for (name, registered) in [("decomposed", nfd), ("composed", nfc)] {
        assert_eq!(register(&server, name, registered).await.status, 201);
        assert_eq!(login(&server, name, nfc).await, 200);
        assert_eq!(login(&server, name, nfd).await, 200);
        assert_eq!(login(&server, name, "cafe-luster-77").await, 401);
    }
    let tokens = Tokens::of(
        &server
            .post("/api/v1/login")
            .json(json!({ "login": "composed", "password": nfd }))
            .expect(200)
            .await
            .json(),
    );
    let body = json!({ "current_password": nfd, "new_password": format!("{nfd}-x") });
    assert_eq!(change(&server, &tokens, body).await.status, 204);
    assert_eq!(login(&server, "composed", &format!("{nfc}-x")).await, 200);
}

#[actix_web::test]
async fn no_part_of_a_password_is_cut_off() {
    let server = Server::start().await;
    let (x71, x72) = ("x".repeat(71), "x".repeat(72));
    let long = "é".repeat(100);
    for (n, (password, others)) in [
        (format!("{x72}a"), vec![format!("{x72}b"), x72.clone(), format!("{x72}aa")]),
        (x72.clone(), vec![x71.clone(), format!("{x72}x"), format!("{x72}a")]),
        (x71.clone(), vec![x72.clone(), "x".repeat(70)]),
        ("x".repeat(128), vec!["x".repeat(127), "x".repeat(129)]),
        (long.clone(), vec!["é".repeat(99), format!("{}è", "é".repeat(99)), "é".repeat(36)]),
        ("a\0bcdefghij".to_owned(), vec!["a".to_owned(), "a\0".to_owned(), "a\0bcdefghik".to_owned()]),
        ("hJ7#kq2xV\0".to_owned(), vec!["hJ7#kq2xV".to_owned(), "hJ7#kq2xV\0hJ7#kq2xV\0".to_owned()]),
        ("hJ7#kq2xV".to_owned(), vec!["hJ7#kq2xV\0".to_owned(), "hJ7#kq2xV\0hJ7#kq2xV".to_owned()]),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("user{n}");
        assert_eq!(register(&server, &name, &password).await.status, 201, "{password:?}");
        assert_eq!(login(&server, &name, &password).await, 200, "{password:?}");
        for other in others {
            assert_eq!(login(&server, &name, &other).await, 401, "{password:?} and {other:?}");
        }
    }
}

#[actix_web::test]
async fn a_password_is_stored_as_a_salted_hash() {
    let server = Server::start().await;
    register(&server, "ada", PASSWORD).await;
    register(&server, "bob", PASSWORD).await;
    register(&server, "eve", &"é".repeat(100)).await;
    let hashes: Vec<(String,)> =
        server.sql("select password_hash from users order by username_key").fetch_all().await.unwrap();
    assert!(hashes[0].0.starts_with("$2b$04$") && hashes[1].0.starts_with("$2b$04$"));
    assert_ne!(hashes[0], hashes[1]);
    assert!(hashes[2].0.starts_with("$bcrypt-sha256$v=2,t=2b,r=4$"));
}

#[actix_web::test]
async fn a_changed_password_ends_all_other_sessions() {
    let server = Server::start().await;
    let stranger = server.user("stranger").await;
    let (this, others) = (server.user("ada").await, [server.login("ada").await, server.login("ada").await]);
    let body = json!({ "current_password": PASSWORD, "new_password": NEW });
    assert_eq!(change(&server, &this, body).await.status, 204);
    for other in &others {
        server.get("/api/v1/me").bearer(&other.access).expect_problem(401, "revoked_token").await;
        let body = json!({ "refresh_token": other.refresh });
        server.post("/api/v1/refresh").json(body).expect_problem(401, "invalid_refresh_token").await;
    }
    for stays in [&this, &stranger] {
        server.get("/api/v1/me").bearer(&stays.access).expect(200).await;
        let body = json!({ "refresh_token": stays.refresh });
        server.post("/api/v1/refresh").json(body).expect(200).await;
    }
    assert_eq!((login(&server, "ada", PASSWORD).await, login(&server, "ada", NEW).await), (401, 200));
}

#[actix_web::test]
async fn a_form_changes_a_password_too() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let form = format!("current_password={PASSWORD}&new_password={NEW}");
    server.put("/api/v1/me/password").bearer(&tokens.access).form(&form).expect(204).await;
    assert_eq!((login(&server, "ada", PASSWORD).await, login(&server, "ada", NEW).await), (401, 200));
}

#[actix_web::test]
async fn each_session_that_a_new_password_ends_is_noted() {
    let server = Server::start().await;
    let id: UserId = server.register("ada").await.parse().unwrap();
    let [this, _, gone] = [server.login("ada").await, server.login("ada").await, server.login("ada").await];
    server.post("/api/v1/logout").bearer(&gone.access).expect(204).await;
    server.clock.advance(std::time::Duration::from_secs(1));
    server.login("ada").await;
    let body = json!({ "current_password": PASSWORD, "new_password": NEW });
    assert_eq!(change(&server, &this, body).await.status, 204);

    let sql = "select session_id, user_id from changes where reason = 'password_changed' order by session_id";
    let noted: Vec<(SessionId, UserId)> = server.sql(sql).fetch_all().await.unwrap();
    let sql = "select id, user_id from sessions where ended_at = $1 order by id";
    let ended: Vec<(SessionId, UserId)> = server.sql(sql).bind(server.clock.now()).fetch_all().await.unwrap();
    assert_eq!(noted, ended);
    assert_eq!(noted.iter().map(|(_, user)| *user).collect::<Vec<_>>(), [id, id]);
}

#[actix_web::test]
async fn a_bad_change_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    let names = json!({ "username": "lighthouse", "email": "keeper@example.com", "password": PASSWORD });
    server.post("/api/v1/register").json(names).expect(201).await;
    let (tokens, other) = (server.login("lighthouse").await, server.login("lighthouse").await);
    for (current, new, broken) in [
        (json!(NEW), json!(NEW), vec!["current_password incorrect"]),
        (json!(PASSWORD.to_uppercase()), json!(NEW), vec!["current_password incorrect"]),
        (json!(null), json!(NEW), vec!["current_password required"]),
        (json!(PASSWORD), json!(null), vec!["new_password required"]),
        (json!(null), json!("short"), vec!["current_password required", "new_password too_short"]),
        (json!(7), json!([NEW]), vec!["current_password wrong_type", "new_password wrong_type"]),
        (json!(PASSWORD), json!("x".repeat(129)), vec!["new_password too_long"]),
        (json!(PASSWORD), json!("password1"), vec!["new_password too_common"]),
        (json!(PASSWORD), json!("LightHouse"), vec!["new_password same_as_identity"]),
        (json!(PASSWORD), json!("Keeper@Example.com"), vec!["new_password same_as_identity"]),
    ] {
        let body = json!({ "current_password": current, "new_password": new });
        let answer = change(&server, &tokens, body.clone()).await;
        assert_eq!(
            (answer.status, answer.broken()),
            (422, broken.iter().map(|b| b.to_string()).collect()),
            "{body}"
        );
    }
    server.get("/api/v1/me").bearer(&other.access).expect(200).await;
    assert_eq!(login(&server, "lighthouse", PASSWORD).await, 200);
}

#[actix_web::test]
async fn of_two_changes_at_once_one_wins() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let mut present = PASSWORD.to_owned();
    // Connections are opened in the first rounds; in the later ones the requests meet.
    for round in 0..8 {
        let (left, right) = (format!("{NEW}-{round}"), format!("velvet-harbor-sextant-{round}"));
        let body = |new: &str| json!({ "current_password": present, "new_password": new });
        let (first, second) =
            join(change(&server, &tokens, body(&left)), change(&server, &tokens, body(&right))).await;
        let (won, lost, refused) =
            if first.status == 204 { (left, right, second) } else { (right, left, first) };
        assert_eq!((refused.status, refused.broken()), (422, vec!["current_password incorrect".to_owned()]));
        assert_eq!(login(&server, "ada", &lost).await, 401);
        assert_eq!(login(&server, "ada", &won).await, 200);
        present = won;
    }
}
