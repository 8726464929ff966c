//! What is found of the mail server, or of the folder for mails.

use std::fs;
use std::net::TcpListener;

use super::{Found, chmod, place};
use crate::post::SmtpServer;
use crate::post::smtp::Encryption;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_is_tried_without_a_mail() {
    // Base64 of `\0ada\0p@ss`.
    const LOGIN: &str = "AGFkYQBwQHNz";
    let smtp = SmtpServer::with(Encryption::Implicit, Some(LOGIN)).await;
    let place = place().with("MAIL_FROM", "Portcullis <no-reply@example.com>");
    let url = |password: &str| format!("--smtp-url=smtps://ada:{password}@localhost:{}", smtp.address.port());
    Found::with(&place, &[&url("p%40ss")]).has("mail", "problem", &["localhost", "certificate"]);
    let ca = place.path("ca.pem");
    fs::write(&ca, smtp.certificate()).unwrap();
    let place = place.with("SSL_CERT_FILE", ca.to_str().unwrap());
    Found::with(&place, &[&url("p%40ss")]).well();
    assert_eq!(smtp.logins(), [LOGIN]);
    let found =
        Found::with(&place, &[&url("hunter2")]).has("mail", "problem", &["localhost", "docs/mail.md"]);
    assert!(!found.done.stdout.contains("hunter2"));
    assert!(smtp.mails().is_empty());

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    Found::with(&place, &[&format!("--smtp-url=smtp://{closed}")]).has(
        "mail",
        "problem",
        &[&closed.to_string(), "refused"],
    );

    // Without one, mails are files.
    let place = super::place();
    Found::with(&place, &["--public-url=https://auth.example.com"]).has(
        "mail",
        "warning",
        &["nobody gets them", "SMTP_URL"],
    );
    fs::create_dir(place.path("data")).unwrap();
    chmod(place.path("data"), 0o700);
    fs::write(place.path("data/mail"), "no folder").unwrap();
    Found::of(&place).has("mail", "problem", &["data/mail", "can't write"]);
}
