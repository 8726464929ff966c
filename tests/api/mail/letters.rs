//! What is in a mail, whatever the values.

use std::os::unix::fs::PermissionsExt;

use portcullis::mail::{Letter, Template};
use serde_json::Value;

use super::office::{Office, letter_to};
use crate::api::support::Server;

const ALL: [Template; 7] = [
    Template::VerifyEmail,
    Template::ResetPassword,
    Template::ConfirmEmail,
    Template::EmailChangeRequested,
    Template::EmailChanged,
    Template::PasswordChanged,
    Template::NewSignIn,
];

/// Those with a link to be followed, and those that tell what was done.
const WITH_LINK: [Template; 3] = [Template::VerifyEmail, Template::ResetPassword, Template::ConfirmEmail];

#[actix_web::test]
async fn without_a_mail_server_a_mail_is_a_file_for_its_owner_alone() {
    let server = Server::start().await;
    server.posts(letter_to("ada@example.com")).await;
    let [mail] = &server.mails().await[..] else { panic!("not one mail") };
    assert_eq!((mail.to.as_str(), mail.from.as_str()), ("ada@example.com", "no-reply@localhost"));
    assert_eq!(mail.subject, "Choose a new password");
    assert!(mail.text.starts_with("Hello ada,\n"), "{}", mail.text);
    assert_eq!(mail.link("/password/reset"), "https://auth.example.com/password/reset?token=pc_once_secret");
    assert!(mail.html.contains("<p>Hello ada,</p>"), "{}", mail.html);

    let folder = &server.app.config.mail_folder;
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let id = mail.message_id.split('@').next().unwrap();
    assert_eq!(file.file_name().to_str().unwrap(), format!("{id}.eml"));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[actix_web::test]
async fn every_mail_copes_without_any_value() {
    let server = Server::start().await;
    for template in ALL {
        let mut letter = Letter::new(template, "ada@example.com").with("username", Value::Null);
        if WITH_LINK.contains(&template) {
            letter = letter.with("link", "https://auth.example.com/x?token=y");
        }
        server.posts(letter).await;
    }
    let mails = server.mails().await;
    assert_eq!(mails.len(), ALL.len());
    for mail in mails {
        assert!(mail.text.starts_with("Hello,\n\n"), "{}", mail.text);
        for word in ["none", "null", "undefined", "{{", "{%", "  \n", "\n\n\n"] {
            assert!(!mail.text.contains(word), "{word} in {}", mail.text);
        }
        let body = mail.html.split("<body>").nth(1).unwrap();
        for word in ["none", "null", "undefined", "{{", "{%", "<dl>"] {
            assert!(!body.contains(word), "{word} in {body}");
        }
        assert!(mail.text.contains("http://localhost:8080"));
    }
}

#[actix_web::test]
async fn every_mail_tells_all_that_it_is_told() {
    let server = Server::start().await;
    let told: [(&str, &str, &[Template]); 9] = [
        ("username", "ada", &ALL),
        ("link", "https://auth.example.com/a?token=b", &WITH_LINK),
        ("hours", "1", &[Template::VerifyEmail, Template::ConfirmEmail]),
        ("minutes", "30", &[Template::ResetPassword]),
        ("api_keys", "4711", &[Template::PasswordChanged]),
        ("new_email", "ada@example.org", &[Template::EmailChangeRequested, Template::EmailChanged]),
        (
            "ip",
            "192.0.2.7",
            &[Template::EmailChangeRequested, Template::PasswordChanged, Template::NewSignIn],
        ),
        (
            "user_agent",
            "curl/8.5 <me>",
            &[Template::EmailChangeRequested, Template::PasswordChanged, Template::NewSignIn],
        ),
        (
            "end_session_link",
            "https://auth.example.com/end?token=c",
            &[
                Template::EmailChangeRequested,
                Template::EmailChanged,
                Template::PasswordChanged,
                Template::NewSignIn,
            ],
        ),
    ];
    for template in ALL {
        let mut letter = Letter::new(template, "ada@example.com");
        for (name, value, _) in told.iter().filter(|(.., of)| of.contains(&template)) {
            letter = letter.with(name, *value);
        }
        if !WITH_LINK.contains(&template) {
            letter = letter.with("at", "2026-11-22T09:50:00.123456Z");
        }
        server.posts(letter).await;
    }
    for (template, mail) in ALL.into_iter().zip(server.mails().await) {
        for (name, value, _) in told.iter().filter(|(name, _, of)| of.contains(&template) && *name != "hours")
        {
            assert!(mail.text.contains(value), "no {name} in {}", mail.text);
            let escaped = value.replace('<', "&lt;").replace('>', "&gt;").replace('/', "&#x2f;");
            assert!(mail.html.contains(&escaped), "no {name} in {}", mail.html);
        }
        let when = if WITH_LINK.contains(&template) { "" } else { "22 November 2026, 09:50 UTC" };
        assert!(mail.text.contains(when) && mail.html.contains(when), "{}", mail.text);
        assert!(!mail.text.contains("1 hours"), "{}", mail.text);
        // Nothing is fetched from elsewhere, and nothing runs.
        for word in ["<img", "<link", "<script", "url(", "@import", "src="] {
            assert!(!mail.html.contains(word), "{word} in {}", mail.html);
        }
    }
}

#[actix_web::test]
async fn what_people_chose_changes_no_header_and_no_line() {
    let office = Office::open().await;
    let hostile = [
        "x\r\nBcc: eve@example.com",
        "x\nBcc: eve@example.com\n\nhello",
        "\r\n.\r\nMAIL FROM:<eve@example.com>",
        "<script>alert(1)</script>",
        "{{ link }} {% if %}",
        "=?utf-8?q?=0d=0aBcc:_eve@example.com?=",
        "\u{202e}gpj.exe\u{2028}Bcc: eve@example.com",
        "\0\u{1b}[2J\u{85}é🙂",
        &"long ".repeat(3000),
    ];
    for text in hostile {
        let letter = Letter::new(Template::NewSignIn, "ada@example.com")
            .with("username", text)
            .with("ip", text)
            .with("user_agent", text)
            .with("at", text)
            .with("end_session_link", text);
        office.server.posts(letter).await;
    }
    office.deliver().await;
    let mails = office.smtp.mails();
    assert_eq!(mails.len(), hostile.len());
    for mail in mails {
        let head = mail.head();
        let names: Vec<_> = head.iter().map(|line| line.split(':').next().unwrap()).collect();
        let expected =
            ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"];
        let mut sorted = (names.clone(), expected.to_vec());
        sorted.0.sort_unstable();
        sorted.1.sort_unstable();
        assert_eq!(sorted.0, sorted.1, "{head:?}");
        assert_eq!(mail.subject, "A new sign-in to your account");
        assert!(!mail.text.lines().any(|line| line.starts_with("Bcc") || line == "."), "{}", mail.text);
        assert!(!mail.html.contains("<script"), "{}", mail.html);
        assert!(mail.text.lines().next().unwrap().starts_with("Hello "), "{}", mail.text);
    }
}

/// The operator's own may put one there.
#[actix_web::test]
async fn a_name_in_the_subject_changes_no_header() {
    let templates = tempfile::tempdir().unwrap();
    std::fs::write(templates.path().join("new_sign_in.txt"), "Subject: {{ username }} — {{ at }}\nHello\n")
        .unwrap();
    let office = Office::with(&[&format!("--mail-templates={}", templates.path().display())]).await;
    for text in ["x\r\nBcc: eve@example.com", "=?utf-8?q?=0d=0aBcc:_eve@example.com?=x", &"ü".repeat(2000)] {
        let letter = Letter::new(Template::NewSignIn, "ada@example.com");
        office.server.posts(letter.with("username", text).with("at", "noon")).await;
    }
    office.deliver().await;
    let mails = office.smtp.mails();
    assert_eq!(mails.len(), 3);
    for mail in mails {
        assert!(
            !mail.subject.contains(['\r', '\n']) && mail.subject.ends_with(" — noon"),
            "{}",
            mail.subject
        );
        assert!(!mail.head().iter().any(|line| line.starts_with("Bcc")), "{:?}", mail.head());
        assert_eq!(mail.text.trim(), "Hello");
        // RFC 5322 section 2.1.1.
        assert!(mail.raw.split(|byte| *byte == b'\n').all(|line| line.len() < 998));
    }
}

#[actix_web::test]
async fn a_recipient_that_is_no_address_is_given_up() {
    let office = Office::open().await;
    for address in ["", "ada", "ada@example.com\r\nBcc: eve@example.com", "ada@example.com, eve@example.com"]
    {
        office.server.posts(letter_to(address)).await;
    }
    office.deliver().await;
    assert!(office.smtp.mails().is_empty());
    let failed: Vec<(Option<String>,)> = office
        .server
        .sql("select last_error from mails where failed_at is not null")
        .fetch_all()
        .await
        .unwrap();
    assert_eq!(failed.len(), 4);
    for (why,) in failed {
        assert!(why.as_ref().is_some_and(|why| why.contains("recipient")), "{why:?}");
    }
}

#[actix_web::test]
async fn a_value_that_the_template_does_not_have_is_refused() {
    let server = Server::start().await;
    let mut tx = server.app.db.begin().await.unwrap();
    let letter = letter_to("ada@example.com").with("lnik", "x");
    let error = server.app.mail.post(&mut tx, letter, server.clock.now()).await.unwrap_err();
    assert_eq!(error.code(), "internal");
}
