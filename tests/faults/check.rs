//! What the clients were told, held against the service.

use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::load::{Account, Life, Session};
use crate::service::{Answer, Ask, Service};
use crate::setting::{ADMIN, ADMIN_PASSWORD};

/// A new network for each request, since wrong passwords are tried, too.
fn anywhere() -> String {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let [high, low] = NEXT.fetch_add(1, Relaxed).to_be_bytes();
    format!("10.1.{high}.{low}")
}

impl Service {
    pub async fn send(&self, method: &str, path: &str, bearer: Option<&str>, body: Value) -> Answer {
        self.ask_until_told(&Ask { from: &anywhere(), method, path, bearer, body }).await
    }

    pub async fn login(&self, name: &str, password: &str) -> Answer {
        self.send("POST", "/api/v1/login", None, json!({ "username": name, "password": password })).await
    }

    /// The tokens of someone who can log in.
    pub async fn session(&self, name: &str, password: &str) -> Session {
        let (status, tokens) = self.login(name, password).await;
        assert_eq!(status, 200, "{name} can't log in: {tokens}");
        Session::of(&tokens)
    }

    pub async fn me(&self, session: &Session) -> Answer {
        self.send("GET", "/api/v1/me", Some(&session.access), Value::Null).await
    }

    pub async fn refresh(&self, session: &Session) -> Answer {
        self.send("POST", "/api/v1/refresh", None, json!({ "refresh_token": session.refresh })).await
    }

    /// Demands that all that was acknowledged is there, and that the audit log tells of it, unbroken.
    pub async fn keeps(&self, accounts: &[Account]) {
        let admin = self.session(ADMIN, ADMIN_PASSWORD).await;
        for account in accounts {
            self.keeps_sessions(account).await;
            self.keeps_password(account).await;
            self.tells_of(account, &admin).await;
        }
        // Each was registered, whether that was answered or not.
        let acknowledged = |it: &Account| 1 + it.logins + it.logouts + it.password_changes;
        let acknowledged: usize = accounts.iter().map(acknowledged).sum();
        let sealed = Instant::now();
        loop {
            let (_, verdict) =
                self.send("GET", "/api/v1/admin/audit/verify", Some(&admin.access), Value::Null).await;
            assert_eq!(verdict["broken_at"], Value::Null, "{verdict}");
            // Sealing is done once a second.
            if verdict["verified"].as_u64().unwrap() >= acknowledged as u64 {
                break;
            }
            assert!(
                sealed.elapsed() < Duration::from_secs(10),
                "of {acknowledged} events the audit log has not all: {verdict}"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.was_right();
    }

    async fn keeps_sessions(&self, Account { name, sessions, .. }: &Account) {
        for session in sessions {
            let (me, problem) = self.me(session).await;
            let code = problem["code"].as_str().unwrap_or_default();
            let expired = self.has_jumped_past(&problem);
            match session.life {
                Life::Open => {
                    if me != 200 && !expired {
                        self.is_wrong(format!("{name}'s token: {me} {problem}"));
                    }
                    let (refreshed, problem) = self.refresh(session).await;
                    if refreshed != 200 {
                        self.is_wrong(format!("{name} is logged out: {refreshed} {problem}"));
                    }
                }
                Life::Ended => {
                    if code != "revoked_token" && !expired {
                        self.is_wrong(format!("{name}'s session lives again: {me} {problem}"));
                    }
                    let (refreshed, problem) = self.refresh(session).await;
                    if problem["code"] != "invalid_refresh_token" {
                        self.is_wrong(format!("{name}'s session is refreshed again: {refreshed} {problem}"));
                    }
                }
                Life::Unknown => {}
            }
        }
    }

    async fn keeps_password(&self, Account { name, passwords, old_password, .. }: &Account) {
        let mut known = 0;
        for password in passwords {
            known += usize::from(self.login(name, password).await.0 == 200);
        }
        if known != 1 {
            self.is_wrong(format!("{known} of {name}'s passwords are right: {passwords:?}"));
        }
        if let Some(old) = old_password
            && self.login(name, old).await.0 != 401
        {
            self.is_wrong(format!("{name}'s old password still works"));
        }
    }

    async fn tells_of(&self, account: &Account, admin: &Session) {
        let Some(id) = &account.id else { return };
        let path = format!("/api/v1/admin/audit?user={id}&limit=200");
        let (_, list) = self.send("GET", &path, Some(&admin.access), Value::Null).await;
        let told =
            |event: &str| list["items"].as_array().unwrap().iter().filter(|it| it["event"] == event).count();
        for (event, acknowledged) in [
            ("user_registered", 1),
            ("login_succeeded", account.logins),
            ("logged_out", account.logouts),
            ("password_changed", account.password_changes),
        ] {
            if told(event) < acknowledged {
                self.is_wrong(format!(
                    "the log has {} of {}'s {acknowledged} {event}",
                    told(event),
                    account.name
                ));
            }
        }
    }
}
