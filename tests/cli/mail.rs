//! Mails, as the real program sends them.

use std::fs;
use std::time::Duration;

use portcullis::app::App;
use portcullis::cli::config_from;
use portcullis::clock::Clock;
use portcullis::id::MailId;
use portcullis::mail::{Letter, Template};
use portcullis::store::{Db, Executor};
use rustix::process::Signal;

use crate::post::smtp::Encryption;
use crate::post::{Manner, SmtpServer};
use crate::program::{Place, mode};

const SECRET: &str = "key-of-this-test-and-no-other-0123456789";
const ADA: &str = "ada@example.com";

/// `AUTH PLAIN` of the user ada with the password p@ss/word.
const LOGIN: &str = "AGFkYQBwQHNzL3dvcmQ=";

fn place(smtp_url: &str) -> Place {
    // All there is to log.
    let place =
        Place::quick().with("SECRET_KEY", SECRET).with("SMTP_URL", smtp_url).with("RUST_LOG", "trace");
    place.with("MAIL_FROM", "Portcullis <no-reply@auth.example.com>")
}

fn database(place: &Place) -> String {
    format!("sqlite://{}", place.path("data/portcullis.db").display())
}

/// Has the service in this place send a letter, as another replica would.
async fn post(place: &Place, address: &str) {
    let arguments = [&*format!("--database-url={}", database(place)), &format!("--secret-key={SECRET}")]
        .map(str::to_owned);
    let arguments = ["portcullis", &arguments[0], &arguments[1]];
    let app = App::open(config_from(arguments, []).unwrap(), Clock::system()).await.unwrap();
    let letter = Letter::new(Template::ResetPassword, address)
        .with("link", "https://auth.example.com/?token=pc_secret");
    let mut tx = app.db.begin().await.unwrap();
    app.mail.post(&mut tx, letter, app.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    app.db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_killed_sends_it_after_its_next_start() {
    let smtp = SmtpServer::start().await;
    let place = place(&smtp.url());
    let mut server = place.serve(&[]);
    smtp.meets(ADA, Manner::Held);
    post(&place, ADA).await;
    post(&place, "bob@example.com").await;
    smtp.holds(1).await;
    smtp.has(1).await;
    let db = Db::open(&database(&place), 1).await.unwrap();
    // Killed before it has noted that bob's was sent, it would send it again.
    while db.query("select id from mails").fetch_all::<(MailId,)>().await.unwrap().len() > 1 {
        tokio::task::yield_now().await;
    }
    server.running.signal(Signal::KILL);
    server.running.done();
    post(&place, "eve@example.com").await;

    // What was being sent is left alone for a minute, which is over now.
    db.query("update mails set due_at = created_at").execute().await.unwrap();
    db.close().await;
    smtp.let_go();
    let server = place.serve(&[]);
    smtp.has(3).await;
    server.stop().expect(0);
    let mut recipients = smtp.recipients();
    recipients.sort();
    assert_eq!(recipients, [ADA, "bob@example.com", "eve@example.com"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_is_encrypted_for_a_server_that_can_be_trusted() {
    for (encryption, scheme, parameter) in
        [(Encryption::StartTls, "smtp", "?tls=required"), (Encryption::Implicit, "smtps", "")]
    {
        let smtp = SmtpServer::with(encryption, Some(LOGIN)).await;
        let url = format!("{scheme}://ada:p%40ss%2fword@localhost:{}{parameter}", smtp.address.port());
        let mut place = place(&url);
        fs::write(place.path("ca.pem"), smtp.certificate()).unwrap();
        post(&place, ADA).await;

        // By itself it trusts no such certificate, and tells it nothing.
        let mut server = place.serve(&[]);
        let line = server.running.line_with("a mail was not sent yet");
        assert!(line.contains("certificate") && !line.contains(ADA), "{line}");
        let said = server.stop().expect(0).stderr;
        assert!(!said.contains("p@ss") && !said.contains("p%40ss") && !said.contains("pc_secret"), "{said}");
        assert!(smtp.mails().is_empty() && smtp.logins().is_empty());

        place.set("SSL_CERT_FILE", place.path("ca.pem").to_str().unwrap());
        let server = place.serve(&[]);
        smtp.has(1).await;
        assert_eq!(smtp.logins(), [LOGIN]);
        let said = server.stop().expect(0).stderr;
        for secret in ["p@ss", "p%40ss", LOGIN, "pc_secret", ADA] {
            assert!(!said.contains(secret), "{secret} in {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_offer_tls_where_it_must_gets_neither_password_nor_mail() {
    let smtp = SmtpServer::with(Encryption::None, Some(LOGIN)).await;
    let place = place(&format!("smtp://ada:p%40ss%2fword@{}?tls=required", smtp.address));
    post(&place, ADA).await;
    let mut server = place.serve(&[]);
    server.running.line_with("a mail was not sent yet");
    server.stop().expect(0);
    assert!(smtp.mails().is_empty() && smtp.logins().is_empty());
}

/// The operator can mend that; the mail must not be lost meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_gives_no_mail_up() {
    let smtp = SmtpServer::with(Encryption::None, Some(LOGIN)).await;
    let mut place = place(&format!("smtp://ada:hunter2@{}", smtp.address));
    post(&place, ADA).await;
    let mut server = place.serve(&[]);
    let line = server.running.line_with("a mail was not sent yet");
    assert!(line.contains("535") && !line.contains("hunter2"), "{line}");
    server.stop().expect(0);
    place.set("SMTP_URL", &format!("smtp://ada:p%40ss%2fword@{}", smtp.address));
    let server = place.serve(&[]);
    smtp.has(1).await;
    server.stop().expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_that_is_given_up_is_told_without_the_address() {
    let smtp = SmtpServer::start().await;
    let place = place(&smtp.url());
    smtp.meets(ADA, Manner::Never);
    post(&place, ADA).await;
    let mut server = place.serve(&["--log-format=json"]);
    let line: serde_json::Value =
        serde_json::from_str(&server.running.line_with("a mail is given up")).unwrap();
    assert_eq!(line["level"], "WARN");
    let text = line.to_string();
    for word in ["reset_password", "mail_id", "550", "nobody of that name"] {
        assert!(text.contains(word), "no {word} in {text}");
    }
    let said = server.stop().expect(0).stderr;
    assert!(!said.contains(ADA) && !said.contains("pc_secret"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_server_that_says_nothing_does_not_keep_it_from_stopping() {
    let smtp = SmtpServer::start().await;
    let place = place(&smtp.url());
    smtp.meets(ADA, Manner::Held);
    post(&place, ADA).await;
    let server = place.serve(&[]);
    smtp.holds(1).await;
    let done = server.stop().expect(0).says(&["left for the next start"]);
    assert!(done.took < Duration::from_secs(15), "{:?}", done.took);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_mail_server_mails_are_files_beside_the_secret() {
    let place = Place::quick().with("SECRET_KEY", SECRET);
    post(&place, ADA).await;
    let server = place.serve(&[]);
    let folder = place.path("data/mail");
    let file = loop {
        let mut entries = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        if let Some(file) = entries.find(|file| file.extension().is_some_and(|extension| extension == "eml"))
        {
            break file;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(fs::read_to_string(&file).unwrap().contains("To: ada@example.com\r\n"));
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    server.stop().expect(0);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn an_operators_templates_are_read_at_the_start() {
    let with = |files: &[(&str, &str)]| {
        let place = Place::quick().with("MAIL_TEMPLATES", "texts");
        fs::create_dir(place.path("texts")).unwrap();
        for (name, text) in files {
            fs::write(place.path("texts").join(name), text).unwrap();
        }
        place
    };
    with(&[
        ("new_sign_in.txt", "Subject: Hi {{ username }}\n{{ ip }}\n"),
        (".swp", "{{"),
        ("layout.html", "{% block title %}{% endblock %}{% block body %}{% endblock %}"),
    ])
    .serve(&[])
    .stop()
    .expect(0);
    let broken: [(&str, &str, &[&str]); 8] = [
        (
            "new_sign_in.txt",
            "Subject: x\nHello\n{{ name }}\n",
            &["new_sign_in.txt, line 3", "`name`", "user_agent"],
        ),
        ("new_sign_in.txt", "Subject: x\n{% if link %}{{ link }}{% endif %}\n", &["line 2", "`link`"]),
        ("new_sign_in.html", "<p>\n{{ username", &["new_sign_in.html, line 2"]),
        ("new_sign_in.html", "{% extends \"other.html\" %}", &["new_sign_in.html, line 1", "other.html"]),
        ("layout.html", "{{ title }}", &["layout.html, line 1"]),
        ("verify_email.txt", "Hello\n", &["verify_email.txt, line 1", "Subject: "]),
        ("verify_email.txt", "Subject: {{ username|no_such }}\n", &["verify_email.txt, line 1", "no_such"]),
        ("verify_mail.txt", "Subject: x\n", &["verify_mail.txt", "verify_email.txt", "layout.html"]),
    ];
    for (name, text, told) in broken {
        let done = with(&[(name, text)]).run(&[]).expect(1).says(told).says(&["MAIL_TEMPLATES"]);
        assert!(!done.stderr.contains("listening") && !done.stderr.contains("panicked"), "{}", done.stderr);
    }
    Place::quick().with("MAIL_TEMPLATES", "texts").run(&[]).expect(2).says(&["MAIL_TEMPLATES", "texts"]);
}

#[test]
fn a_mail_server_needs_a_sender() {
    let place = Place::quick().with("SMTP_URL", "smtp://ada:hunter2@mail.example.com");
    let done = place.run(&[]).expect(2).says(&["MAIL_FROM", "SMTP_URL"]);
    assert!(!done.stderr.contains("hunter2"), "{}", done.stderr);
    let help = place.run(&["--help"]).expect(0).stdout;
    assert!(help.contains("SMTP_URL") && !help.contains("hunter2"), "{help}");
}
