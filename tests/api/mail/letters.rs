//! What is in a mail, whatever the values.

use portcullis::mail::{Letter, Template};

use crate::api::support::Server;

#[actix_web::test]
async fn without_a_mail_server_a_mail_is_a_file() {
    let server = Server::start().await;
    let letter = Letter::new(Template::ResetPassword, "ada@example.com")
        .with("username", "ada")
        .with("link", "https://auth.example.com/password/reset?token=pc_once_abc")
        .with("minutes", "30");
    server.posts(letter).await;
    let [mail] = &server.mails().await[..] else { panic!("not one mail") };
    assert_eq!((mail.to.as_str(), mail.from.as_str()), ("ada@example.com", "no-reply@localhost"));
    assert_eq!(mail.subject, "Choose a new password");
    assert!(mail.text.starts_with("Hello ada,\n"), "{}", mail.text);
    assert_eq!(mail.link("/password/reset"), "https://auth.example.com/password/reset?token=pc_once_abc");
    assert!(mail.html.contains("<p>Hello ada,</p>"), "{}", mail.html);
    assert!(mail.html.contains("href=\"https:&#x2f;&#x2f;auth.example.com"), "{}", mail.html);
}
