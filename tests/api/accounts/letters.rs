//! What owners are told by mail, and the link in it that ends a session.

use serde_json::json;

use super::{ME, REGISTER};
use crate::api::support::{PASSWORD, Server, Tokens};

const ADA: &str = "ada@example.com";

async fn register(server: &Server) {
    let body = json!({ "username": "ada", "email": ADA, "password": PASSWORD });
    server.post(REGISTER).json(body).expect(201).await;
}

/// As [`register`], and proves the address.
async fn register_verified(server: &Server) {
    register(server).await;
    let token = server.last_mail_to(ADA).await.token();
    server.post("/api/v1/email/verify").json(json!({ "token": token })).expect(204).await;
}

async fn login(server: &Server, from: &str, with: &str) -> Tokens {
    let body = json!({ "username": "ada", "password": PASSWORD });
    let login = server.post("/api/v1/login").header("x-forwarded-for", from).header("user-agent", with);
    Tokens::of(&login.json(body).expect(200).await.json())
}

#[actix_web::test]
async fn a_sign_in_from_a_new_network_with_a_new_device_is_told() {
    let server = Server::with(&["--trusted-proxies=127.0.0.1"]).await;
    register_verified(&server).await;
    let mine = login(&server, "192.0.2.1", "browser").await;
    login(&server, "192.0.2.2", "browser").await;
    login(&server, "192.0.2.1", "phone").await;
    login(&server, "2001:db8:1:2::3", "phone").await;
    login(&server, "2001:db8:1:2::4", "tablet").await;
    assert_eq!(server.mails_to(ADA).await.len(), 1, "the first of all, and what is known, are no news");
    let thief = login(&server, "198.51.100.7", "curl/8\u{e9}").await;
    let mail = server.last_mail_to(ADA).await;
    assert_eq!(server.mails_to(ADA).await.len(), 2);
    assert!(mail.text.contains("198.51.100.7") && mail.text.contains("curl/8"), "{}", mail.text);

    // The link leads to a page, and its button ends that session alone.
    let (page, token) = mail.page_and_token();
    assert!(page.ends_with("/session/end"));
    server.get(&format!("/session/end?token={token}")).expect(200).await;
    server.get(ME).bearer(&thief.access).expect(200).await;
    for _ in 0..2 {
        let done = server.post("/session/end").form(&format!("token={token}")).expect(200).await;
        assert!(done.text.contains("signed out"), "{}", done.text);
        server.get(ME).bearer(&thief.access).expect_problem(401, "revoked_token").await;
    }
    server.get(ME).bearer(&mine.access).expect(200).await;
    // It is good for nothing else.
    server.get(ME).bearer(&token).expect_problem(401, "invalid_token").await;
    let body = json!({ "refresh_token": token });
    server.post("/api/v1/refresh").json(body).expect_problem(401, "invalid_refresh_token").await;
}

#[actix_web::test]
async fn a_changed_password_is_told_with_the_link_that_ends_the_session() {
    let server = Server::start().await;
    register(&server).await;
    let tokens = server.login("ada").await;
    let body = json!({ "current_password": PASSWORD, "new_password": "copper-ferry-almanac-17" });
    server.put("/api/v1/me/password").bearer(&tokens.access).json(body).expect(204).await;
    let mail = server.last_mail_to(ADA).await;
    assert!(mail.subject.contains("password"), "{}", mail.subject);
    server.get(ME).bearer(&tokens.access).expect(200).await;
    server.post("/session/end").form(&format!("token={}", mail.token())).expect(200).await;
    server.get(ME).bearer(&tokens.access).expect_problem(401, "revoked_token").await;
}

#[actix_web::test]
async fn the_owner_stops_a_change_of_address_with_the_session_that_asked_for_it() {
    let server = Server::start().await;
    register(&server).await;
    let thief = server.login("ada").await;
    let body = json!({ "email": "thief@example.com", "password": PASSWORD });
    server.put("/api/v1/me/email").bearer(&thief.access).json(body).expect(202).await;
    let end = server.last_mail_to(ADA).await.token();
    server.post("/session/end").form(&format!("token={end}")).expect(200).await;
    let token = server.last_mail_to("thief@example.com").await.token();
    let body = json!({ "token": token });
    server.post("/api/v1/email/verify").json(body).expect_problem(400, "invalid_link").await;
    server.get(ME).bearer(&thief.access).expect_problem(401, "revoked_token").await;
}

#[actix_web::test]
async fn who_has_no_address_is_told_nothing() {
    let server = Server::start().await;
    let tokens = server.user("bob").await;
    let body = json!({ "current_password": PASSWORD, "new_password": "copper-ferry-almanac-17" });
    server.put("/api/v1/me/password").bearer(&tokens.access).json(body).expect(204).await;
    assert!(server.mails().await.is_empty());
}

#[actix_web::test]
async fn pages_do_what_their_links_promise_and_only_by_their_buttons() {
    let server = Server::start().await;
    register(&server).await;
    let token = server.last_mail_to(ADA).await.token();
    let page = server.get(&format!("/email/verify?token={token}")).expect(200).await;
    assert!(page.text.contains(&token) && page.text.contains("<form method=\"post\">"), "{}", page.text);
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    let done = server.post("/email/verify").form(&format!("token={token}")).expect(200).await;
    assert!(done.text.contains("confirmed") && !done.text.contains("<form"), "{}", done.text);
    let again = server.post("/email/verify").form(&format!("token={token}")).expect(400).await;
    assert!(again.text.contains("not good any more"), "{}", again.text);

    server.post("/api/v1/password/forgot").json(json!({ "email": ADA })).expect(202).await;
    let token = server.last_mail_to(ADA).await.token();
    let form = |password: &str| format!("token={token}&new_password={password}");
    let weak = server.post("/password/reset").form(&form("short")).expect(422).await;
    assert!(weak.text.contains("8 to 128 characters") && weak.text.contains("<form"), "{}", weak.text);
    server.post("/password/reset").form(&form("copper-ferry-almanac-17")).expect(200).await;
    let body = json!({ "login": "ada", "password": "copper-ferry-almanac-17" });
    server.post("/api/v1/login").json(body).expect(200).await;
}

#[actix_web::test]
async fn a_page_shows_nothing_but_what_it_was_made_to() {
    let server = Server::start().await;
    for path in ["/email/verify", "/password/reset", "/session/end"] {
        server.get(path).expect(400).await;
        let page =
            server.get(&format!("{path}?token=%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E")).expect(200).await;
        assert!(!page.text.contains("<script"), "{}", page.text);
        server.post(path).form("token=nonsense&new_password=copper-ferry-almanac-17").expect(400).await;
    }
}

#[actix_web::test]
async fn what_an_admin_changes_is_told_without_the_admins_whereabouts() {
    let server = Server::start().await;
    register(&server).await;
    let admin = server.admin("root").await;
    let list = server.get("/api/v1/admin/users?query=ada").bearer(&admin.access).expect(200).await.json();
    let path = format!("/api/v1/admin/users/{}", list["items"][0]["id"].as_str().unwrap());
    let body = json!({ "display_name": "Ada", "email": "ADA@example.com" });
    server.patch(&path).bearer(&admin.access).json(body).expect(200).await;
    assert_eq!(server.mails().await.len(), 1, "of the registration");
    let body = json!({ "email": "ada@new.example", "password": "copper-ferry-almanac-17" });
    server.patch(&path).bearer(&admin.access).json(body).expect(200).await;
    let told = server.mails_to("ADA@example.com").await;
    let subjects: Vec<_> = told.iter().map(|mail| mail.subject.as_str()).collect();
    assert_eq!(subjects, ["Your password was changed", "Your e-mail address was changed"]);
    for mail in told {
        assert!(!mail.text.contains("127.0.0.1") && !mail.text.contains("?token="), "{}", mail.text);
    }
}

/// An address that nobody has proven may be a stranger's, to whom nobody is to write through this service.
#[actix_web::test]
async fn strangers_are_not_written_to_in_words_that_someone_chose() {
    let server = Server::with(&["--trusted-proxies=127.0.0.1"]).await;
    let body = json!({ "username": "www.evil.example", "email": ADA, "password": PASSWORD });
    server.post(REGISTER).json(body).expect(201).await;
    let mut password = PASSWORD.to_owned();
    for n in 0..8 {
        let body = json!({ "email": ADA, "password": password });
        let from = format!("192.0.2.{n}");
        let login = server.post("/api/v1/login").header("x-forwarded-for", &from);
        let login = login.header("user-agent", &format!("Unlock-{n}: https://evil.example"));
        let tokens = Tokens::of(&login.json(body).expect(200).await.json());
        let next = format!("copper-ferry-almanac-{n}");
        let body = json!({ "current_password": password, "new_password": next });
        server.put("/api/v1/me/password").bearer(&tokens.access).json(body).expect(204).await;
        password = next;
    }
    let mails = server.mails_to(ADA).await;
    assert_eq!(mails.len(), 1 + 5 + 5, "a verification, five sign-ins, five passwords");
    for mail in mails {
        assert!(!mail.text.contains("evil") && !mail.html.contains("evil"), "{}", mail.text);
    }
}
