//! Mails get there: once, however often the mail server fails, and are given up where they can't.

use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use portcullis::background::prune;

use super::office::{Office, deliver, letter_to, settings_for, still};
use crate::api::support::{Manner, Server, SmtpServer};

const ADA: &str = "ada@example.com";

#[actix_web::test]
async fn a_mail_is_sent_once_and_whole() {
    let office = Office::open().await;
    office.server.posts(letter_to(ADA)).await;
    assert!(office.smtp.mails().is_empty());
    office.deliver().await;
    office.later(3600).await;
    let [mail] = &office.smtp.mails()[..] else { panic!("{:?}", office.smtp.recipients()) };
    assert_eq!((mail.to.as_str(), mail.from.as_str()), (ADA, "no-reply@auth.example.com"));
    assert_eq!(mail.link("/password/reset"), "https://auth.example.com/password/reset?token=pc_once_secret");
    assert!(mail.html.contains("pc_once_secret"));
    assert!(mail.message_id.ends_with("@auth.example.com"), "{}", mail.message_id);
    assert_eq!(office.rows().await, 0);
}

#[actix_web::test]
async fn by_itself_the_service_sends_within_a_moment() {
    let smtp = SmtpServer::start().await;
    let server = Server::with(&settings_for(&smtp, &[])).await;
    server.posts(letter_to(ADA)).await;
    smtp.has(1).await;
    server.posts(letter_to("bob@example.com")).await;
    smtp.has(2).await;
}

#[actix_web::test]
async fn nothing_is_sent_of_a_transaction_that_did_not_happen() {
    let office = Office::open().await;
    let mut tx = office.server.app.db.begin().await.unwrap();
    office.server.app.mail.post(&mut tx, letter_to(ADA), office.server.clock.now()).await.unwrap();
    drop(tx);
    office.deliver().await;
    assert!(office.smtp.mails().is_empty());
    assert_eq!(office.rows().await, 0);
}

#[actix_web::test]
async fn a_mail_server_that_is_away_is_tried_again_and_gets_it_when_it_is_back() {
    let mut office = Office::open().await;
    office.smtp.goes_away().await;
    office.server.posts(letter_to(ADA)).await;
    for (attempts, pause) in [(1, 5), (2, 10), (3, 20)] {
        office.deliver().await;
        let (tried, why, failed) = office.row().await;
        assert_eq!((tried, failed), (attempts, false));
        assert!(why.unwrap().contains("onnection"));
        // Not before its time.
        office.later(pause - 1).await;
        assert_eq!(office.row().await.0, attempts);
        // A fifth more at most, and to the second.
        office.server.clock.advance(Duration::from_secs(1 + pause / 5));
    }
    office.smtp.comes_back().await;
    office.deliver().await;
    assert_eq!(office.smtp.recipients(), [ADA]);
    assert_eq!(office.rows().await, 0);
}

#[actix_web::test]
async fn one_that_is_refused_for_now_is_taken_later() {
    let office = Office::open().await;
    office.smtp.meets(ADA, Manner::Later);
    office.server.posts(letter_to(ADA)).await;
    office.deliver().await;
    let (attempts, why, failed) = office.row().await;
    assert_eq!((attempts, failed), (1, false));
    assert!(why.unwrap().contains("4.7.1 come back later"));
    office.later(6).await;
    assert_eq!((office.smtp.recipients(), office.rows().await), (vec![ADA.to_owned()], 0));
}

#[actix_web::test]
async fn one_that_is_refused_for_good_is_given_up_and_kept_for_a_week() {
    let office = Office::open().await;
    let day = 24 * 60 * 60;
    for _ in 0..5 {
        office.smtp.meets(ADA, Manner::Never);
    }
    office.server.posts(letter_to(ADA)).await;
    office.server.posts(letter_to("bob@example.com")).await;
    office.deliver().await;
    office.later(day).await;
    // The other is none the worse.
    assert_eq!(office.smtp.recipients(), ["bob@example.com"]);
    let (attempts, why, failed) = office.row().await;
    assert_eq!((attempts, failed), (1, true));
    assert_eq!(why.unwrap(), "permanent error (550): 5.1.1 <(recipient)>: nobody of that name");

    let server = office.server.replica(&[]).await;
    office.server.clock.advance(Duration::from_secs(5 * day));
    prune(&server.app).await.unwrap();
    assert_eq!(office.rows().await, 1);
    office.server.clock.advance(Duration::from_secs(2 * day));
    prune(&server.app).await.unwrap();
    assert_eq!(office.rows().await, 0);
}

#[actix_web::test]
async fn what_the_server_took_without_saying_so_comes_again_as_the_same_mail() {
    let office = Office::open().await;
    office.smtp.meets(ADA, Manner::TakenUnsaid);
    office.server.posts(letter_to(ADA)).await;
    office.deliver().await;
    assert_eq!(office.row().await.0, 1);
    office.later(6).await;
    assert_eq!(office.rows().await, 0);
    let [first, second] = &office.smtp.mails()[..] else { panic!("{:?}", office.smtp.recipients()) };
    assert_eq!(first.message_id, second.message_id);
    let date = |head: Vec<String>| head.into_iter().find(|line| line.starts_with("Date: ")).unwrap();
    assert_eq!(date(first.head()), date(second.head()));
    assert_eq!(first.text, second.text);
}

#[actix_web::test]
async fn it_is_given_up_once_its_links_are_void_or_after_a_day() {
    let office = Office::open().await;
    let expires_at = office.server.clock.now() + Duration::from_secs(60);
    office.server.posts(letter_to(ADA).expires(expires_at)).await;
    office.later(60).await;
    assert!(office.smtp.mails().is_empty());
    assert_eq!(office.row().await, (1, Some("it expired before it could be sent".to_owned()), true));

    let mut office = Office::open().await;
    office.smtp.goes_away().await;
    office.server.posts(letter_to(ADA)).await;
    for _ in 0..(24 * 4 - 2) {
        office.later(15 * 60).await;
        assert!(!office.row().await.2);
    }
    office.later(60 * 60).await;
    assert!(office.row().await.2);
}

#[actix_web::test]
async fn one_that_is_slow_keeps_neither_requests_nor_other_mails() {
    let smtp = SmtpServer::start().await;
    let server = Server::with(&settings_for(&smtp, &[])).await;
    smtp.meets("slow@example.com", Manner::Held);
    server.posts(letter_to("slow@example.com")).await;
    smtp.holds(1).await;
    // It is not sent a second time meanwhile.
    server.clock.advance(Duration::from_secs(30));
    let others: Vec<_> = (0..10).map(|n| format!("{n}@example.com")).collect();
    for other in &others {
        server.posts(letter_to(other)).await;
        server.get("/api/v1/me").expect_problem(401, "missing_token").await;
    }
    smtp.has(10).await;
    let mut arrived = smtp.recipients();
    arrived.sort();
    assert_eq!(arrived, others);
    smtp.let_go();
    smtp.has(11).await;
    assert_eq!(smtp.recipients()[10], "slow@example.com");
}

#[actix_web::test]
async fn of_replicas_one_sends_it() {
    let office = Office::open().await;
    let settings = settings_for(&office.smtp, &[]);
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let replica = office.server.replica(&settings).await;
        still(&replica).await;
        replicas.push(replica);
    }
    let mut expected: Vec<_> = (10..50).map(|n| format!("{n}@example.com")).collect();
    for address in &expected {
        office.server.posts(letter_to(address)).await;
    }
    join_all(replicas.iter().chain([&office.server]).map(deliver)).await;
    let mut arrived = office.smtp.recipients();
    arrived.sort();
    expected.sort();
    assert_eq!(arrived, expected);
    assert_eq!(office.rows().await, 0);
}

/// The mail server has it; a second one would be on purpose.
#[actix_web::test]
async fn what_was_sent_while_the_database_went_away_is_not_sent_again() {
    let office = Office::open().await;
    office.smtp.meets(ADA, Manner::Held);
    office.server.posts(letter_to(ADA)).await;
    let sending = office.server.app.mail.deliver(&office.server.app.db, &office.server.clock);
    let meanwhile = async {
        office.smtp.holds(1).await;
        office.server.sql("alter table mails rename to mails_away").execute().await.unwrap();
        office.smtp.let_go();
    };
    let (sent, ()) = join(sending, meanwhile).await;
    assert!(sent.is_err());
    office.server.sql("alter table mails_away rename to mails").execute().await.unwrap();
    assert_eq!(office.rows().await, 1);
    office.later(60).await;
    assert_eq!((office.smtp.recipients(), office.rows().await), (vec![ADA.to_owned()], 0));
}

/// As after a crash: what was being sent is left alone for a minute, and then is anyone's.
#[actix_web::test]
async fn what_a_replica_did_not_get_to_send_another_does() {
    let office = Office::open().await;
    office.server.posts(letter_to(ADA)).await;
    let taken = "update mails set attempts = 1, due_at = $1";
    let lease = office.server.clock.now() + Duration::from_secs(60);
    office.server.sql(taken).bind(lease).execute().await.unwrap();
    office.later(59).await;
    assert!(office.smtp.mails().is_empty());
    office.later(1).await;
    assert_eq!(office.smtp.recipients(), [ADA]);
}

#[actix_web::test]
async fn when_the_service_stops_what_is_being_sent_may_end() {
    let smtp = SmtpServer::start().await;
    let server = Server::with(&settings_for(&smtp, &[])).await;
    smtp.meets(ADA, Manner::Held);
    server.posts(letter_to(ADA)).await;
    smtp.holds(1).await;
    server.app.begin_shutdown();
    server.posts(letter_to("bob@example.com")).await;
    smtp.let_go();
    server.app.mail.is_done().await;
    assert_eq!(smtp.recipients(), [ADA]);
    assert_eq!(server.mails_to_send().await, 1);
}

#[actix_web::test]
async fn in_the_database_nothing_of_it_can_be_read_or_changed() {
    let office = Office::open().await;
    office.server.posts(letter_to(ADA)).await;
    office.server.posts(letter_to("bob@example.com")).await;
    let rows: Vec<(Vec<u8>, String)> =
        office.server.sql("select sealed, template from mails order by id").fetch_all().await.unwrap();
    for (sealed, template) in &rows {
        assert_eq!(template, "reset_password");
        for word in ["pc_once", "example.com", "ada", "link"] {
            assert!(!sealed.windows(word.len()).any(|bytes| bytes == word.as_bytes()), "{word}");
        }
    }
    // One mail's content in the row of another.
    office.server.sql("update mails set sealed = $1").bind(rows[0].0.as_slice()).execute().await.unwrap();
    office.deliver().await;
    assert_eq!(office.smtp.recipients(), [ADA]);
    let (_, why, failed) = office.row().await;
    assert!(!failed && why.unwrap().contains("SECRET_KEY"));
}

#[actix_web::test]
async fn what_was_posted_under_the_secret_before_is_sent() {
    let office = Office::open().await;
    office.server.posts(letter_to(ADA)).await;
    let settings = settings_for(
        &office.smtp,
        &[
            "--secret-key=another-key-not-secret-0123456789",
            "--secret-key-previous=test-key-not-secret-0123456789ab",
        ],
    );
    let changed = office.server.replica(&settings).await;
    still(&changed).await;
    deliver(&changed).await;
    assert_eq!(office.smtp.recipients(), [ADA]);
}

#[actix_web::test]
async fn no_request_waits_for_a_mail() {
    let smtp = SmtpServer::start().await;
    let server = Server::with(&settings_for(&smtp, &[])).await;
    for n in 0..8 {
        let address = format!("{n}@example.com");
        smtp.meets(&address, Manner::Held);
        server.posts(letter_to(&address)).await;
    }
    // All places are taken.
    smtp.holds(4).await;
    let began = Instant::now();
    server.user("ada").await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert!(smtp.mails().is_empty());
    smtp.let_go();
    smtp.has(8).await;
}
