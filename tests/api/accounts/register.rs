//! `POST /api/v1/register`.

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::json;

use super::{ME, REGISTER};
use crate::api::support::{PASSWORD, Server, Tokens};

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
