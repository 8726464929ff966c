//! `/api/v1/email/verify`, its resend, and `/api/v1/me/email`.

use std::time::Duration;

use futures_util::future::join;
use serde_json::{Value, json};

use super::{ME, REGISTER, me};
use crate::api::support::{Answer, PASSWORD, Server, Tokens};

const VERIFY: &str = "/api/v1/email/verify";
const RESEND: &str = "/api/v1/email/verify/resend";
const ADA: &str = "Ada@Example.com";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Registers `ada`, whose address is [`ADA`].
async fn register(server: &Server) {
    let body = json!({ "username": "ada", "email": ADA, "password": PASSWORD });
    server.post(REGISTER).json(body).expect(201).await;
}

async fn verify(server: &Server, token: &str) -> Answer {
    server.post(VERIFY).json(json!({ "token": token })).send().await
}

async fn change(server: &Server, tokens: &Tokens, email: &str) -> Answer {
    let body = json!({ "email": email, "password": PASSWORD });
    server.put("/api/v1/me/email").bearer(&tokens.access).json(body).send().await
}

async fn is_verified(server: &Server, tokens: &Tokens) -> Value {
    me(server, tokens).await["email_verified"].clone()
}

#[actix_web::test]
async fn a_registration_mails_a_link_that_verifies_the_address_once() {
    let server = Server::with(&["--public-url=https://auth.example.com/base"]).await;
    register(&server).await;
    let tokens = server.login("ada").await;
    assert_eq!(is_verified(&server, &tokens).await, false);
    let mail = server.last_mail_to(ADA).await;
    let (page, token) = mail.page_and_token();
    let raw = String::from_utf8(mail.raw).unwrap();
    assert!(raw.contains(&format!("{page}?token={token}\r\n")), "a link to copy: {raw}");
    assert_eq!((page.as_str(), token.len()), ("https://auth.example.com/base/email/verify", 43));
    let answer = verify(&server, &token).await;
    assert_eq!((answer.status, answer.text.as_str()), (204, ""));
    assert_eq!(is_verified(&server, &tokens).await, true);
    server.post(VERIFY).json(json!({ "token": token })).expect_problem(400, "invalid_link").await;
    // A username alone has no mail.
    server.register("bob").await;
    assert_eq!(server.mails().await.len(), 1);
}

#[actix_web::test]
async fn a_link_is_good_for_a_day() {
    let server = Server::start().await;
    register(&server).await;
    let token = server.last_mail_to(ADA).await.token();
    server.clock.advance(DAY);
    server.post(VERIFY).json(json!({ "token": token })).expect_problem(400, "invalid_link").await;
}

#[actix_web::test]
async fn no_other_text_is_a_link() {
    let server = Server::start().await;
    register(&server).await;
    let token = server.last_mail_to(ADA).await.token();
    for bad in ["x", "ü", "\0", "' or 1=1 --", &token[..42], &token.to_uppercase(), &"x".repeat(9000)] {
        server.post(VERIFY).json(json!({ "token": bad })).expect_problem(400, "invalid_link").await;
    }
    for (body, broken) in [(json!({}), "token required"), (json!({ "token": [token] }), "token wrong_type")] {
        assert_eq!(server.post(VERIFY).json(body).expect(422).await.broken(), [broken]);
    }
    assert_eq!(verify(&server, &token).await.status, 204);
}

#[actix_web::test]
async fn of_two_that_use_a_link_at_once_one_does() {
    let server = Server::start().await;
    register(&server).await;
    let token = server.last_mail_to(ADA).await.token();
    let (one, other) = join(verify(&server, &token), verify(&server, &token)).await;
    let mut statuses = [one.status, other.status];
    statuses.sort();
    assert_eq!(statuses, [204, 400]);
}

#[actix_web::test]
async fn the_database_has_no_token() {
    let server = Server::start().await;
    register(&server).await;
    let token = server.last_mail_to(ADA).await.token();
    let found: (i64, i64) = server
        .sql("select count(*), count(case when length(digest) = 32 then 1 end) from links")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(found, (1, 1));
    let (digest,): (Vec<u8>,) = server.sql("select digest from links").fetch_one().await.unwrap();
    assert_ne!(digest, portcullis::secret::from_base64url(&token).unwrap());
}

#[actix_web::test]
async fn a_resend_replaces_the_link_for_who_is_logged_in_and_for_who_gives_the_address() {
    let server = Server::start().await;
    register(&server).await;
    let tokens = server.login("ada").await;
    let first = server.last_mail_to(ADA).await.token();
    server.post(RESEND).bearer(&tokens.access).expect(202).await;
    let second = server.last_mail_to(ADA).await.token();
    server.post(RESEND).json(json!({ "email": ADA.to_lowercase() })).expect(202).await;
    let third = server.last_mail_to(ADA).await.token();
    assert_eq!(server.mails_to(ADA).await.len(), 3);
    for old in [&first, &second] {
        assert_eq!(verify(&server, old).await.status, 400);
    }
    assert_eq!(verify(&server, &third).await.status, 204);
    // Now there is nothing to verify.
    server.post(RESEND).bearer(&tokens.access).expect(202).await;
    server.post(RESEND).form("email=ada%40example.com").expect(202).await;
    assert_eq!(server.mails_to(ADA).await.len(), 3);
}

#[actix_web::test]
async fn a_resend_tells_nothing_and_takes_addresses_only() {
    let server = Server::start().await;
    register(&server).await;
    let known = server.post(RESEND).json(json!({ "email": ADA })).expect(202).await;
    let unknown = server.post(RESEND).json(json!({ "email": "nobody@example.com" })).expect(202).await;
    assert_eq!(known.text, unknown.text);
    let names = |answer: &Answer| answer.headers.keys().map(|name| name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&known), names(&unknown));
    assert!(server.mails_to("nobody@example.com").await.is_empty());
    let bad = server.post(RESEND).json(json!({ "email": "ada" })).expect(422).await;
    assert_eq!(bad.broken(), ["email invalid"]);
    assert_eq!(server.post(RESEND).json(json!({})).expect(422).await.broken(), ["email required"]);
    server
        .post(RESEND)
        .bearer("nonsense")
        .json(json!({ "email": ADA }))
        .expect_problem(401, "invalid_token")
        .await;
    let bob = server.user("bob").await;
    assert_eq!(server.post(RESEND).bearer(&bob.access).expect(422).await.broken(), ["email required"]);
}

#[actix_web::test]
async fn a_mailbox_can_not_be_flooded() {
    let server = Server::start().await;
    register(&server).await;
    for _ in 0..8 {
        server.post(RESEND).json(json!({ "email": ADA })).expect(202).await;
        server.mails().await;
    }
    let mails = server.mails_to(ADA).await;
    assert_eq!(mails.len(), 5, "an hour's");
    assert_eq!(verify(&server, &mails[4].token()).await.status, 204, "the last one is good");

    let tokens = server.login("ada").await;
    for n in 0..5 {
        assert_eq!(change(&server, &tokens, &format!("victim{n}@example.com")).await.status, 202);
    }
    let victim = "victim@example.com";
    for n in 0..8 {
        // Neither another account nor a link that was taken or withdrawn makes the count forget.
        let name = format!("eve{n}");
        let tokens = server.user(&name).await;
        let asked = change(&server, &tokens, victim).await;
        if n < 5 {
            assert_eq!(asked.status, 202);
        } else {
            assert_eq!((asked.status, asked.header("retry-after")), (429, "720"));
        }
        let body = json!({ "password": PASSWORD });
        server.delete(ME).bearer(&tokens.access).json(body).expect(204).await;
    }
    assert_eq!(server.mails_to(victim).await.len(), 5);
    server.clock.advance(Duration::from_secs(720));
    let tokens = server.user("mallory").await;
    assert_eq!(change(&server, &tokens, victim).await.status, 202);
    assert_eq!(change(&server, &tokens, victim).await.status, 429);
}

/// What a thief with session and password asked for is over when the thief is.
#[actix_web::test]
async fn who_is_thrown_out_takes_no_account_along() {
    let server = Server::start().await;
    register(&server).await;
    let admin = server.admin("root").await;
    let list = server.get("/api/v1/admin/users?query=ada").bearer(&admin.access).expect(200).await.json();
    let user = format!("/api/v1/admin/users/{}", list["items"][0]["id"].as_str().unwrap());
    for way in 0..6 {
        let (owner, thief) = (server.login("ada").await, server.login("ada").await);
        let evil = format!("evil{way}@example.com");
        assert_eq!(change(&server, &thief, &evil).await.status, 202);
        let token = server.last_mail_to(&evil).await.token();
        let logout =
            |scope: &str| server.post("/api/v1/logout").bearer(&owner.access).json(json!({ "scope": scope }));
        let administer = |body: Value| server.patch(&user).bearer(&admin.access).json(body);
        match way {
            0 => drop(logout("others").expect(204).await),
            1 => drop(logout("all").expect(204).await),
            2 => {
                let sessions =
                    server.get("/api/v1/me/sessions").bearer(&thief.access).expect(200).await.json();
                let sessions = sessions["items"].as_array().unwrap().clone();
                let thief = sessions.iter().find(|session| session["current"] == true).unwrap();
                let path = format!("/api/v1/me/sessions/{}", thief["id"].as_str().unwrap());
                server.delete(&path).bearer(&owner.access).expect(204).await;
            }
            3 => drop(server.delete(&format!("{user}/sessions")).bearer(&admin.access).expect(204).await),
            4 => drop(administer(json!({ "email": "safe@example.com" })).expect(200).await),
            _ => drop(administer(json!({ "disabled": true })).expect(200).await),
        }
        server.post(VERIFY).json(json!({ "token": token })).expect_problem(400, "invalid_link").await;
    }
    let email = server.get(&user).bearer(&admin.access).expect(200).await.json()["email"].clone();
    assert_eq!(email, "safe@example.com");
}

#[actix_web::test]
async fn ones_own_logout_leaves_what_one_asked_for() {
    let server = Server::start().await;
    register(&server).await;
    let tokens = server.login("ada").await;
    assert_eq!(change(&server, &tokens, "ada@new.example").await.status, 202);
    server.post("/api/v1/logout").bearer(&tokens.access).expect(204).await;
    let token = server.last_mail_to("ada@new.example").await.token();
    assert_eq!(verify(&server, &token).await.status, 204);
}

#[actix_web::test]
async fn a_deletion_beside_the_use_of_a_link_is_no_deadlock() {
    let server = Server::start().await;
    let admin = server.admin("root").await;
    for n in 0..10 {
        let email = format!("user{n}@example.com");
        let body = json!({ "email": email, "password": PASSWORD });
        let user = server.post(REGISTER).json(body).expect(201).await.json();
        let path = format!("/api/v1/admin/users/{}", user["id"].as_str().unwrap());
        let token = server.last_mail_to(&email).await.token();
        let delete = server.delete(&path).bearer(&admin.access).send();
        let (deleted, verified) = join(delete, verify(&server, &token)).await;
        assert_eq!(deleted.status, 204, "{}", deleted.text);
        assert!([204, 400].contains(&verified.status), "{}", verified.text);
    }
}

#[actix_web::test]
async fn an_address_changes_when_the_new_one_is_proven_and_the_old_one_is_told() {
    let server = Server::start().await;
    register(&server).await;
    let (tokens, other) = (server.login("ada").await, server.login("ada").await);
    assert_eq!(verify(&server, &server.last_mail_to(ADA).await.token()).await.status, 204);
    let answer = change(&server, &tokens, "ada@new.example").await;
    assert_eq!((answer.status, answer.text.as_str()), (202, ""));
    let unchanged = me(&server, &tokens).await;
    assert_eq!((&unchanged["email"], &unchanged["email_verified"]), (&json!(ADA), &json!(true)));
    let warned = server.last_mail_to(ADA).await;
    assert!(warned.text.contains("ada@new.example"), "{}", warned.text);

    let link = server.last_mail_to("ada@new.example").await;
    assert_eq!(verify(&server, &link.token()).await.status, 204);
    let changed = me(&server, &tokens).await;
    assert_eq!((&changed["email"], &changed["email_verified"]), (&json!("ada@new.example"), &json!(true)));
    // Told at the address that it was.
    let told = server.last_mail_to(ADA).await;
    assert_ne!(told.subject, warned.subject);
    assert!(told.text.contains("ada@new.example"), "{}", told.text);
    // Nobody is logged out, and the old address is nobody's.
    server.get(ME).bearer(&other.access).expect(200).await;
    let login =
        |email: &str| server.post("/api/v1/login").json(json!({ "email": email, "password": PASSWORD }));
    login(ADA).expect_problem(401, "invalid_credentials").await;
    login("ADA@new.example").expect(200).await;
    let body = json!({ "email": ADA, "password": PASSWORD });
    server.post(REGISTER).json(body).expect(201).await;
}

#[actix_web::test]
async fn a_change_needs_the_password_and_an_address_that_is_free() {
    let server = Server::start().await;
    register(&server).await;
    let tokens = server.login("ada").await;
    let eve = json!({ "email": "eve@example.com", "password": PASSWORD });
    server.post(REGISTER).json(eve).expect(201).await;
    let put = |body: Value| server.put("/api/v1/me/email").bearer(&tokens.access).json(body);
    for (body, broken) in [
        (json!({ "email": "new@example.com", "password": "wrong" }), vec!["password incorrect"]),
        (json!({ "email": "new@example.com" }), vec!["password required"]),
        (json!({ "email": "new", "password": PASSWORD }), vec!["email invalid"]),
        (json!({ "email": null }), vec!["email required", "password required"]),
    ] {
        assert_eq!(put(body).expect(422).await.broken(), broken);
    }
    let taken = json!({ "email": "EVE@example.com", "password": PASSWORD });
    put(taken).expect_problem(409, "email_taken").await;
    server.put("/api/v1/me/email").json(json!({})).expect_problem(401, "missing_token").await;
    assert_eq!(server.mails().await.len(), 2, "of the registrations alone");
}

#[actix_web::test]
async fn who_is_slower_to_prove_an_address_does_not_get_it() {
    let server = Server::start().await;
    register(&server).await;
    let tokens = server.login("ada").await;
    assert_eq!(change(&server, &tokens, "shared@example.com").await.status, 202);
    let token = server.last_mail_to("shared@example.com").await.token();
    let body = json!({ "email": "shared@example.com", "password": PASSWORD });
    server.post(REGISTER).json(body).expect(201).await;
    server.post(VERIFY).json(json!({ "token": token })).expect_problem(409, "email_taken").await;
    assert_eq!(me(&server, &tokens).await["email"], ADA);
    // Nothing is half done: once it is free, the link still works.
    server.sql("delete from users where email_key = 'shared@example.com'").execute().await.unwrap();
    assert_eq!(verify(&server, &token).await.status, 204);
}

#[actix_web::test]
async fn a_first_address_is_proven_as_any_other() {
    let server = Server::start().await;
    let tokens = server.user("bob").await;
    assert_eq!(change(&server, &tokens, "bob@example.com").await.status, 202);
    assert_eq!(server.mails().await.len(), 1);
    let token = server.last_mail_to("bob@example.com").await.token();
    assert_eq!(verify(&server, &token).await.status, 204);
    assert_eq!(me(&server, &tokens).await["email"], "bob@example.com");
}

#[actix_web::test]
async fn without_a_proof_there_is_no_login_where_it_is_demanded() {
    let server = Server::with(&["--require-verified-email=true"]).await;
    let nameless = json!({ "username": "bob", "password": PASSWORD });
    assert_eq!(server.post(REGISTER).json(nameless).expect(422).await.broken(), ["email required"]);
    register(&server).await;
    let login =
        |password: &str| server.post("/api/v1/login").json(json!({ "login": "ada", "password": password }));
    login(PASSWORD).expect_problem(403, "email_not_verified").await;
    login("wrong").expect_problem(401, "invalid_credentials").await;
    let form = format!("grant_type=password&username=ada&password={PASSWORD}");
    let refused = server.post("/oauth/token").form(&form).expect(400).await;
    assert_eq!(refused.json()["error"], "invalid_grant");
    server.post(RESEND).json(json!({ "email": ADA })).expect(202).await;
    let token = server.last_mail_to(ADA).await.token();
    assert_eq!(verify(&server, &token).await.status, 204);
    server.login("ada").await;
    // Made on the command line, without an address.
    server.admin("root").await;
}
