//! A clock that jumps, as it does when it is set by hand or by NTP. The monotonic one does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::load::{Load, Session};
use crate::program::PASSWORD;
use crate::service::{Ask, Service};
use crate::setting::{ADMIN, ADMIN_PASSWORD, has_mails, place, stop};

/// By how many seconds the clock is off, one after the other.
const OFFSETS: [i64; 5] = [3600, 0, -60, -3660, 0];

/// libfaketime, for programs of several threads.
fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let mut files = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1"));
    files.find(|file| file.exists()).expect(
        "there is no libfaketime, by which the clock of the service is set: install the package `faketime` (scripts/test \
         does so where it can)",
    )
}

/// Whole at every moment.
fn set(clock: &Path, offset: i64) {
    let draft = clock.with_extension("draft");
    fs::write(&draft, format!("{offset:+}\n")).unwrap();
    fs::rename(draft, clock).unwrap();
}

/// What is known before a jump.
struct Before {
    session: Session,
    ended: Session,
}

impl Service {
    /// Of one office, where somebody mistypes the password now and then.
    async fn log_in_at_the_office(&self, password: &str) -> u16 {
        let body = json!({ "username": "ada", "password": password });
        let ask = Ask { from: "10.2.0.1", method: "POST", path: "/api/v1/login", bearer: None, body };
        self.ask_until_told(&ask).await.0
    }

    async fn log_out(&self, session: &Session) {
        let (status, problem) = self.send("POST", "/api/v1/logout", Some(&session.access), Value::Null).await;
        assert_eq!(status, 204, "{problem}");
    }

    async fn before(&self) -> Before {
        let session = self.session("ada", PASSWORD).await;
        let ended = self.session("ada", PASSWORD).await;
        assert_eq!(self.me(&session).await.0, 200);
        self.log_out(&ended).await;
        Before { session, ended }
    }

    /// Demands that what a jump of so many seconds leaves behind is as it should be.
    async fn is_well_after(&self, jump: i64, before: Before) {
        let (me, problem) = self.me(&before.session).await;
        let expired = jump >= 900 && problem["code"] == "expired_token";
        assert!(me == 200 || expired, "after {jump} s a token of before is answered {me} {problem}");
        let (refreshed, problem) = self.refresh(&before.session).await;
        assert_eq!(refreshed, 200, "after {jump} s someone is logged out: {problem}");
        assert_eq!(self.me(&before.ended).await.0, 401, "after {jump} s a session lives again");
        assert_eq!(self.refresh(&before.ended).await.0, 401, "after {jump} s a session is refreshed again");

        assert_eq!(self.log_in_at_the_office("a typo").await, 401);
        let status = self.log_in_at_the_office(PASSWORD).await;
        assert_eq!(status, 200, "after {jump} s, one typo keeps the owner out");
        self.tells_of_a_logout().await;
    }

    /// Demands that who follows what is revoked is told.
    async fn tells_of_a_logout(&self) {
        let admin = self.session(ADMIN, ADMIN_PASSWORD).await;
        let news = async |path: &str| self.send("GET", path, Some(&admin.access), Value::Null).await.1;
        let mut seen = news("/api/v1/revocations?since=0").await["next"].as_i64().unwrap();
        let session = self.session("ada", PASSWORD).await;
        let (_, list) =
            self.send("GET", "/api/v1/me/sessions?limit=200", Some(&session.access), Value::Null).await;
        let current = list["items"].as_array().unwrap().iter().find(|item| item["current"] == true).unwrap();
        self.log_out(&session).await;
        let began = Instant::now();
        loop {
            let told = news(&format!("/api/v1/revocations?since={seen}&wait=1")).await;
            if told["items"].as_array().unwrap().iter().any(|item| item["sid"] == current["id"]) {
                return;
            }
            seen = told["next"].as_i64().unwrap();
            assert!(began.elapsed() < Duration::from_secs(5), "a logout is not told of");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jumping_it_logs_nobody_out_and_stops_nothing() {
    let place = place();
    let clock = place.path("clock");
    set(&clock, 0);
    let place = place
        .with("LD_PRELOAD", library().to_str().unwrap())
        .with("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap())
        .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .with("FAKETIME_NO_CACHE", "1");
    let server = place.serve(&[]);
    let service = Arc::new(Service::out_of_joint(&server.url));
    let ada = json!({ "username": "ada", "password": PASSWORD });
    assert_eq!(service.send("POST", "/api/v1/register", None, ada).await.0, 201);
    assert_eq!(service.log_in_at_the_office("a typo").await, 401);
    let load = Load::start(&service, 4);
    let mut now = 0;
    for offset in OFFSETS {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let before = service.before().await;
        let jumped = Instant::now();
        set(&clock, offset);
        service.is_well_after(offset - now, before).await;
        load.goes_on_from(jumped).await;
        now = offset;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let accounts = load.stop().await;
    service.keeps(&accounts).await;
    has_mails(&place.path("data/mail"), accounts.iter().filter(|account| account.id.is_some()).count()).await;
    stop(server);
}
