//! `/api/v1/register` and `/api/v1/me`.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::api::support::{Answer, PASSWORD, Server, Tokens};

const REGISTER: &str = "/api/v1/register";
const ME: &str = "/api/v1/me";

/// How often two race: connections are opened in the first rounds, and requests meet in the later ones.
const ROUNDS: usize = 8;

async fn me(server: &Server, tokens: &Tokens) -> Value {
    server.get(ME).bearer(&tokens.access).expect(200).await.json()
}

/// Tries to delete one's account.
async fn leave(server: &Server, tokens: &Tokens, password: &str) -> Answer {
    server.delete(ME).bearer(&tokens.access).json(json!({ "password": password })).send().await
}

#[actix_web::test]
async fn a_user_registers_and_reads_itself() {
    let server = Server::start().await;
    let body = json!({ "username": "Ada.L", "email": "Ada@Example.com", "password": PASSWORD, "display_name": "Ada" });
    let created = server.post("/api/v1/register").json(body).expect(201).await;
    assert_eq!(created.header("location"), "/api/v1/me");
    assert_eq!(created.header("cache-control"), "no-store");
    let user = created.json();
    assert_eq!(user["username"], "Ada.L");
    assert_eq!(user["email"], "Ada@Example.com");
    assert_eq!(user["display_name"], "Ada");
    assert_eq!(user["roles"], json!([]));
    assert_eq!((&user["email_verified"], &user["disabled"]), (&json!(false), &json!(false)));
    assert_eq!(user["last_login_at"], json!(null));
    assert_eq!(user["created_at"], user["updated_at"]);

    let tokens = server.login("ada.l").await;
    let me = server.get("/api/v1/me").bearer(&tokens.access).expect(200).await;
    assert_eq!(me.json()["id"], user["id"]);
    assert_ne!(me.json()["last_login_at"], json!(null));
    assert!(!created.text.contains("hash") && !me.text.contains("$2b$"));
}

#[actix_web::test]
async fn fifty_registrations_of_one_name_make_one_user() {
    let server = Server::start().await;
    let register = |n: usize| {
        let name = if n.is_multiple_of(2) { "ada" } else { "ADA" };
        server.post("/api/v1/register").json(json!({ "username": name, "password": PASSWORD })).send()
    };
    let answers = join_all((0..50).map(register)).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let codes: HashSet<_> =
        answers.iter().filter(|a| a.status != 201).map(|a| a.json()["code"].to_string()).collect();
    assert_eq!(created, 1);
    assert_eq!(codes, HashSet::from(["\"username_taken\"".to_owned()]));
}

#[actix_web::test]
async fn a_form_registers_the_same_user_as_json() {
    let server = Server::start().await;
    let form =
        format!("username=Ada.L&email=Ada%2Bx%40Example.com&display_name=Ada+L%C3%B6ve&password={PASSWORD}");
    let user = server.post(REGISTER).form(&form).expect(201).await.json();
    assert_eq!(user["username"], "Ada.L");
    assert_eq!(user["email"], "Ada+x@Example.com");
    assert_eq!(user["display_name"], "Ada Löve");
    server.login("ada.l").await;
}

#[actix_web::test]
async fn a_username_or_an_address_is_enough_and_null_is_the_same_as_absent() {
    let server = Server::start().await;
    for (body, username, email) in [
        (json!({ "username": "ada" }), json!("ada"), json!(null)),
        (json!({ "email": "ada@example.com" }), json!(null), json!("ada@example.com")),
        (json!({ "username": "bob", "email": null, "display_name": null }), json!("bob"), json!(null)),
        (json!({ "username": null, "email": "bob@example.com" }), json!(null), json!("bob@example.com")),
    ] {
        let mut body = body;
        body["password"] = json!(PASSWORD);
        let user = server.post(REGISTER).json(body).expect(201).await.json();
        assert_eq!((&user["username"], &user["email"]), (&username, &email));
        assert_eq!(user["display_name"], json!(null));
    }
    let form = format!("username=eve&email=&display_name=&password={PASSWORD}");
    let user = server.post(REGISTER).form(&form).expect(201).await.json();
    assert_eq!((&user["email"], &user["display_name"]), (&json!(null), &json!(null)));
}

#[actix_web::test]
async fn neither_a_username_nor_an_address_is_refused() {
    let server = Server::start().await;
    for body in [json!({}), json!({ "username": null, "email": null }), json!({ "display_name": "Ada" })] {
        let mut body = body;
        body["password"] = json!(PASSWORD);
        let answer = server.post(REGISTER).json(body).expect_problem(422, "validation_failed").await;
        assert_eq!(answer.broken(), ["username required"]);
    }
    let form = format!("username=&email=&password={PASSWORD}");
    let answer = server.post(REGISTER).form(&form).expect_problem(422, "validation_failed").await;
    assert_eq!(answer.broken(), ["username required"]);
}

#[actix_web::test]
async fn names_are_unique_regardless_of_case() {
    let server = Server::start().await;
    let taken = json!({ "username": "Ada", "email": "Ünal@Example.com", "password": PASSWORD });
    server.post(REGISTER).json(taken).expect(201).await;
    for (field, name, code) in [
        ("username", "Ada", "username_taken"),
        ("username", "aDA", "username_taken"),
        ("email", "Ünal@Example.com", "email_taken"),
        ("email", "ünAL@exAMPLE.COM", "email_taken"),
    ] {
        let mut body = json!({ "username": "other", "email": "other@example.com", "password": PASSWORD });
        body[field] = json!(name);
        server.post(REGISTER).json(body).expect_problem(409, code).await;
    }
    server.register("other").await;
}

#[actix_web::test]
async fn an_address_may_be_of_any_script() {
    let server = Server::start().await;
    for email in [
        "ünal@example.com",
        "почта@example.com",
        "邮箱@example.com",
        "पत्रिका@example.com",
        "ไปรษณีย์@example.com",
    ] {
        let body = json!({ "email": email, "password": PASSWORD });
        let user = server.post(REGISTER).json(body).expect(201).await.json();
        assert_eq!(user["email"], email);
    }
}

#[actix_web::test]
async fn another_keyboards_spelling_is_the_same_address() {
    let server = Server::start().await;
    server
        .post(REGISTER)
        .json(json!({ "email": "ünal@example.com", "password": PASSWORD }))
        .expect(201)
        .await;
    let body = json!({ "email": "U\u{308}nal@example.com", "password": PASSWORD });
    server.post(REGISTER).json(body).expect_problem(409, "email_taken").await;
}

#[actix_web::test]
async fn fields_that_are_not_the_clients_are_never_bound() {
    let server = Server::start().await;
    let id = "019a96b3-0400-7000-8000-000000000001";
    let body = json!({
        "username": "ada", "email": "ada@example.com", "password": PASSWORD, "id": id, "roles": ["admin"],
        "role": "admin", "disabled": true, "email_verified": true, "is_admin": true,
        "created_at": "2001-01-01T00:00:00Z", "password_hash": "x", "username_key": "x",
    });
    let user = server.post(REGISTER).json(body).expect(201).await.json();
    let form =
        format!("username=bob&password={PASSWORD}&id={id}&roles=admin&disabled=true&email_verified=true");
    let other = server.post(REGISTER).form(&form).expect(201).await.json();
    for user in [&user, &other] {
        assert_ne!(user["id"], id);
        assert_eq!(user["roles"], json!([]));
        assert_eq!((&user["disabled"], &user["email_verified"]), (&json!(false), &json!(false)));
        assert_eq!(user["created_at"], other["created_at"]);
    }
    let tokens = server.login("ada").await;
    server.get("/api/v1/admin/users").bearer(&tokens.access).expect_problem(403, "forbidden").await;
}

#[actix_web::test]
async fn each_field_has_its_rule() {
    let server = Server::start().await;
    for (field, value, code) in [
        ("username", json!("ab"), "too_short"),
        ("username", json!("x".repeat(65)), "too_long"),
        ("username", json!(""), "invalid"),
        ("username", json!(".ada"), "invalid"),
        ("username", json!("a da"), "invalid"),
        ("username", json!("ada@example.com"), "invalid"),
        ("username", json!("adä"), "invalid"),
        ("username", json!("ada\0"), "invalid"),
        ("email", json!(""), "invalid"),
        ("email", json!("ada"), "invalid"),
        ("email", json!("ada@"), "invalid"),
        ("email", json!("Ada <ada@example.com>"), "invalid"),
        ("email", json!("ada@example.com\nbcc: eve@example.com"), "invalid"),
        ("email", json!(format!("ada@{}example.com", "x.".repeat(120))), "too_long"),
        ("display_name", json!("x".repeat(101)), "too_long"),
        ("display_name", json!("a\0b"), "invalid"),
        ("display_name", json!("a\nb"), "invalid"),
        ("display_name", json!("a\u{85}b"), "invalid"),
        ("password", json!(null), "required"),
    ] {
        let mut body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
        body[field] = value;
        let answer = server.post(REGISTER).json(body.clone()).expect_problem(422, "validation_failed").await;
        assert_eq!(answer.broken(), [format!("{field} {code}")], "{body}");
    }
}

#[actix_web::test]
async fn names_at_the_edge_of_their_rule_are_taken_as_typed() {
    let server = Server::start().await;
    for (field, value) in [
        ("username", "a.b".to_owned()),
        ("username", "9_-".to_owned()),
        ("username", "X".repeat(64)),
        ("email", "O'Neill+tag@Sub.example.co".to_owned()),
        ("display_name", "é".repeat(100)),
        ("display_name", " 👩\u{200d}🚀 \u{202e}<b>&amp;'\" ".to_owned()),
    ] {
        let mut body = json!({ "username": "ada", "password": PASSWORD });
        body[field] = json!(value);
        let user = server.post(REGISTER).json(body).expect(201).await.json();
        assert_eq!(user[field], value);
        server.sql("delete from users").execute().await.unwrap();
    }
}

#[actix_web::test]
async fn all_broken_fields_are_told_at_once() {
    let server = Server::start().await;
    let bad = json!({ "username": "a b", "email": "ada", "display_name": "\u{7}", "password": "short" });
    let answer = server.post(REGISTER).json(bad).expect_problem(422, "validation_failed").await;
    let mut broken = answer.broken();
    broken.sort();
    assert_eq!(broken, ["display_name invalid", "email invalid", "password too_short", "username invalid"]);
}

#[actix_web::test]
async fn a_missing_name_is_told_beside_what_else_is_broken() {
    let server = Server::start().await;
    for (body, others) in [
        (json!({}), "password required"),
        (json!({ "password": "short" }), "password too_short"),
        (json!({ "password": PASSWORD, "display_name": "\u{7}" }), "display_name invalid"),
    ] {
        let answer = server.post(REGISTER).json(body).expect_problem(422, "validation_failed").await;
        let mut broken = answer.broken();
        broken.sort();
        assert_eq!(broken, [others, "username required"]);
    }
}

#[actix_web::test]
async fn what_is_no_text_is_of_the_wrong_type() {
    let server = Server::start().await;
    for field in ["username", "email", "display_name", "password"] {
        for value in [json!(7), json!(true), json!(["ada"]), json!({ "a": "b" })] {
            let mut body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
            body[field] = value;
            let answer = server.post(REGISTER).json(body).expect_problem(422, "validation_failed").await;
            assert_eq!(answer.broken(), [format!("{field} wrong_type")]);
        }
    }
    let twice = format!("username=ada&username=bob&password={PASSWORD}");
    let answer = server.post(REGISTER).form(&twice).expect_problem(422, "validation_failed").await;
    assert_eq!(answer.broken(), ["username wrong_type"]);
}

#[actix_web::test]
async fn a_password_is_in_no_answer() {
    let server = Server::start().await;
    let secret = "quokka-lintel";
    let body = json!({ "username": "ada", "password": secret });
    let mut answers = vec![server.post(REGISTER).json(body.clone()).expect(201).await];
    let tokens = server.post("/api/v1/login").json(body.clone()).expect(200).await;
    let access = Tokens::of(&tokens.json()).access;
    answers.push(tokens);
    answers.push(server.post(REGISTER).json(body).expect(409).await);
    for bad in
        [json!({ "username": secret, "password": secret }), json!({ "username": "a b", "password": secret })]
    {
        answers.push(server.post(REGISTER).json(bad).expect(422).await);
    }
    let wrong = json!({ "password": secret.to_uppercase() });
    answers.push(server.delete(ME).bearer(&access).json(wrong).expect(422).await);
    answers.push(server.get(ME).bearer(&access).expect(200).await);
    for answer in answers {
        let text = answer.text.to_lowercase();
        assert!(!text.contains(secret) && !text.contains("$2b$") && !text.contains("hash"), "{text}");
    }
}

#[actix_web::test]
async fn closed_registration_takes_no_one() {
    let server = Server::with(&["--registration=closed"]).await;
    let body = json!({ "username": "ada", "password": PASSWORD });
    server.post(REGISTER).json(body).expect_problem(403, "registration_closed").await;
    let tokens = server.admin("root").await;
    let list = server.get("/api/v1/admin/users").bearer(&tokens.access).expect(200).await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_user_changes_its_names() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let before = me(&server, &tokens).await;
    server.clock.advance(Duration::from_secs(5));
    let body = json!({ "username": "Countess", "display_name": "Ada L." });
    let changed = server.patch(ME).bearer(&tokens.access).json(body).expect(200).await.json();
    assert_eq!((&changed["username"], &changed["display_name"]), (&json!("Countess"), &json!("Ada L.")));
    assert_eq!((&changed["id"], &changed["created_at"]), (&before["id"], &before["created_at"]));
    assert!(changed["updated_at"].as_str() > before["updated_at"].as_str());
    assert_eq!(me(&server, &tokens).await, changed);
    server.login("countess").await;
    server.register("ada").await;
}

#[actix_web::test]
async fn what_is_not_named_in_a_change_stays() {
    let server = Server::start().await;
    let body =
        json!({ "username": "ada", "email": "ada@example.com", "display_name": "Ada", "password": PASSWORD });
    let user = server.post(REGISTER).json(body).expect(201).await.json();
    let tokens = server.login("ada").await;
    for (change, username, display_name) in [
        (json!({ "display_name": "Countess" }), json!("ada"), json!("Countess")),
        (json!({ "username": "countess" }), json!("countess"), json!("Countess")),
        (json!({ "username": null }), json!(null), json!("Countess")),
        (json!({ "username": "ada" }), json!("ada"), json!("Countess")),
    ] {
        let changed = server.patch(ME).bearer(&tokens.access).json(change).expect(200).await.json();
        assert_eq!((&changed["username"], &changed["display_name"]), (&username, &display_name));
        assert_eq!((&changed["email"], &changed["id"]), (&user["email"], &user["id"]));
    }
}

#[actix_web::test]
async fn an_empty_change_changes_nothing() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let before = me(&server, &tokens).await;
    server.clock.advance(Duration::from_secs(5));
    let changed = server.patch(ME).bearer(&tokens.access).json(json!({})).expect(200).await.json();
    assert_eq!(changed, before);
}

#[actix_web::test]
async fn null_or_an_empty_value_in_a_form_clears() {
    let server = Server::start().await;
    let body =
        json!({ "username": "ada", "email": "ada@example.com", "display_name": "Ada", "password": PASSWORD });
    server.post(REGISTER).json(body).expect(201).await;
    let tokens = server.login("ada").await;
    let patch = || server.patch(ME).bearer(&tokens.access);
    let user = patch().json(json!({ "display_name": null })).expect(200).await.json();
    assert_eq!(user["display_name"], json!(null));
    patch().form("display_name=Ada").expect(200).await;
    let user = patch().form("display_name=&username=").expect(200).await.json();
    assert_eq!((&user["display_name"], &user["username"]), (&json!(null), &json!(null)));
}

#[actix_web::test]
async fn a_change_that_leaves_no_name_is_refused() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    for request in [
        server.patch(ME).json(json!({ "username": null, "display_name": "Ada" })),
        server.patch(ME).form("username=&display_name=Ada"),
    ] {
        let answer = request.bearer(&tokens.access).expect_problem(422, "validation_failed").await;
        assert_eq!(answer.broken(), ["username required"]);
    }
    let user = me(&server, &tokens).await;
    assert_eq!((&user["username"], &user["display_name"]), (&json!("ada"), &json!(null)));
}

#[actix_web::test]
async fn anothers_name_is_taken_and_ones_own_in_another_case_is_not() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    server.register("Bob").await;
    let change = async |name: &str| {
        server.patch(ME).bearer(&tokens.access).json(json!({ "username": name })).send().await
    };
    for taken in ["Bob", "bOB"] {
        let answer = change(taken).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (409, Some("username_taken")));
    }
    assert_eq!(me(&server, &tokens).await["username"], "ada");
    assert_eq!(change("ADA").await.json()["username"], "ADA");
}

#[actix_web::test]
async fn a_change_binds_nothing_but_names() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    let before = me(&server, &tokens).await;
    let body = json!({
        "id": "019a96b3-0400-7000-8000-000000000001", "email": "ada@example.com", "roles": ["admin"],
        "email_verified": true, "disabled": true, "password": "another-lantern-77", "display_name": "Ada",
    });
    let mut changed = server.patch(ME).bearer(&tokens.access).json(body).expect(200).await.json();
    assert_eq!(changed["display_name"], "Ada");
    changed["display_name"] = json!(null);
    assert_eq!(changed, before);
    server.login("ada").await;
}

#[actix_web::test]
async fn a_change_is_held_to_the_rules_of_names() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    for (body, broken) in [
        (json!({ "username": "a" }), vec!["username too_short"]),
        (
            json!({ "username": 7, "display_name": ["x"] }),
            vec!["username wrong_type", "display_name wrong_type"],
        ),
        (
            json!({ "username": "a b", "display_name": "\u{1b}[2J" }),
            vec!["username invalid", "display_name invalid"],
        ),
        (json!({ "username": "countess", "display_name": "x".repeat(101) }), vec!["display_name too_long"]),
    ] {
        let answer = server.patch(ME).bearer(&tokens.access).json(body).expect(422).await;
        assert_eq!(answer.broken(), broken);
    }
    assert_eq!(me(&server, &tokens).await["username"], "ada");
}

#[actix_web::test]
async fn a_wrong_password_deletes_nothing() {
    let server = Server::start().await;
    let tokens = server.user("ada").await;
    for (body, broken) in [
        (json!({ "password": "another-lantern-77" }), "password incorrect"),
        (json!({ "password": PASSWORD.to_uppercase() }), "password incorrect"),
        (json!({ "password": "" }), "password required"),
        (json!({ "password": null }), "password required"),
        (json!({ "password": [PASSWORD] }), "password wrong_type"),
        (json!({}), "password required"),
    ] {
        let answer = server.delete(ME).bearer(&tokens.access).json(body).expect(422).await;
        assert_eq!(answer.broken(), [broken]);
    }
    assert_eq!(me(&server, &tokens).await["username"], "ada");
    server.login("ada").await;
}

#[actix_web::test]
async fn a_deleted_account_is_gone_with_all_that_belongs_to_it() {
    let server = Server::start().await;
    let (tokens, other) = (server.user("ada").await, server.login("ada").await);
    assert_eq!(leave(&server, &tokens, PASSWORD).await.status, 204);
    for tokens in [&tokens, &other] {
        server.get(ME).bearer(&tokens.access).expect_problem(401, "revoked_token").await;
        let body = json!({ "refresh_token": tokens.refresh });
        server.post("/api/v1/refresh").json(body).expect_problem(401, "invalid_refresh_token").await;
    }
    let body = json!({ "username": "ada", "password": PASSWORD });
    server.post("/api/v1/login").json(body).expect_problem(401, "invalid_credentials").await;
    let left: (i64, i64) = server
        .sql("select (select count(*) from users), (select count(*) from sessions)")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(left, (0, 0));
}

#[actix_web::test]
async fn a_deleted_accounts_names_are_free_again() {
    let server = Server::start().await;
    let body = json!({ "username": "ada", "email": "ada@example.com", "password": PASSWORD });
    let first = server.post(REGISTER).json(body.clone()).expect(201).await.json();
    let tokens = server.login("ada").await;
    let form = format!("password={PASSWORD}");
    server.delete(ME).bearer(&tokens.access).form(&form).expect(204).await;
    let second = server.post(REGISTER).json(body).expect(201).await.json();
    assert_ne!(first["id"], second["id"]);
    server.get(ME).bearer(&tokens.access).expect_problem(401, "revoked_token").await;
}

#[actix_web::test]
async fn the_last_admin_stays() {
    let server = Server::start().await;
    let (ada, bob) = (server.admin("ada").await, server.user("bob").await);
    let refused = leave(&server, &ada, PASSWORD).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (409, Some("last_admin")));
    assert_eq!(me(&server, &ada).await["roles"], json!(["admin"]));
    assert_eq!(leave(&server, &bob, PASSWORD).await.status, 204);
    server.admin("eve").await;
    assert_eq!(leave(&server, &ada, PASSWORD).await.status, 204);
}

#[actix_web::test]
async fn a_disabled_admin_does_not_count() {
    let server = Server::start().await;
    let ada = server.admin("ada").await;
    server.admin("eve").await;
    let disable = server.sql("update users set disabled = $1 where username_key = 'eve'").bind(true);
    disable.execute().await.unwrap();
    assert_eq!(leave(&server, &ada, PASSWORD).await.status, 409);
}

#[actix_web::test]
async fn of_two_admins_who_leave_at_once_one_stays() {
    let server = Server::start().await;
    for _ in 0..ROUNDS {
        let (ada, eve) = (server.admin("ada").await, server.admin("eve").await);
        let (first, second) = join(leave(&server, &ada, PASSWORD), leave(&server, &eve, PASSWORD)).await;
        let (left, refused) = if first.status == 204 { (first, second) } else { (second, first) };
        assert_eq!((left.status, refused.status), (204, 409), "{}", left.text);
        assert_eq!(refused.json()["code"], "last_admin");
        server.sql("delete from users").execute().await.unwrap();
    }
}
