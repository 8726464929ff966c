//! A service whose mails are sent when the test says so.

use std::time::Duration;

use portcullis::mail::{Letter, Template};

use crate::api::support::{Server, SmtpServer};

pub struct Office {
    pub server: Server,
    pub smtp: SmtpServer,
}

impl Office {
    /// With a mail server of its own.
    pub async fn open() -> Office {
        Office::with(&[]).await
    }

    pub async fn with(settings: &[&str]) -> Office {
        let smtp = SmtpServer::start().await;
        let server = Server::with(&settings_for(&smtp, settings)).await;
        still(&server).await;
        Office { server, smtp }
    }

    /// Sends what is due.
    pub async fn deliver(&self) {
        deliver(&self.server).await;
    }

    pub async fn later(&self, seconds: u64) {
        self.server.clock.advance(Duration::from_secs(seconds));
        self.deliver().await;
    }

    /// What the row of the one mail there is says: attempts, the last error, and whether it is given up.
    pub async fn row(&self) -> (i64, Option<String>, bool) {
        let sql = "select attempts, last_error, failed_at is not null as failed from mails";
        self.server.sql(sql).fetch_one().await.unwrap()
    }

    /// How many mails there are, the given up ones included.
    pub async fn rows(&self) -> i64 {
        let (count,): (i64,) = self.server.sql("select count(*) from mails").fetch_one().await.unwrap();
        count
    }
}

/// What a service must be told to send its mails there.
pub fn settings_for<'a>(smtp: &SmtpServer, further: &[&'a str]) -> Vec<&'a str> {
    let url: &'static str = Box::leak(format!("--smtp-url={}", smtp.url()).into_boxed_str());
    [&[url, "--mail-from=Portcullis <no-reply@auth.example.com>"], further].concat()
}

/// Has it do nothing by itself any more.
pub async fn still(server: &Server) {
    server.app.begin_shutdown();
    server.app.mail.is_done().await;
}

pub async fn deliver(server: &Server) {
    server.app.mail.deliver(&server.app.db, &server.clock).await.unwrap();
}

/// A letter with a link in it.
pub fn letter_to(address: &str) -> Letter {
    Letter::new(Template::ResetPassword, address)
        .with("username", "ada")
        .with("link", "https://auth.example.com/password/reset?token=pc_once_secret")
        .with("minutes", "30")
}
