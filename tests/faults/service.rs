//! Asking the service, and judging each answer as it comes.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use serde_json::Value;

/// By when a failure is told.
pub const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// The same where the database does answer all the while, but slowly.
const TOLD_SLOWLY_WITHIN: Duration = Duration::from_secs(8);

/// How long after a fault nothing fails any more.
pub const BACK_WITHIN: Duration = Duration::from_secs(10);

/// What no answer takes.
const HANGS_AFTER: Duration = Duration::from_secs(30);

/// The service as its clients see it.
pub struct Service {
    http: reqwest::Client,
    url: String,
    /// Whether times are out of joint: tokens may have expired.
    clock_jumps: bool,
    faults: Mutex<Vec<Fault>>,
    wrong: Mutex<Vec<String>>,
}

/// What is, or was, the matter.
struct Fault {
    from: Instant,
    until: Option<Instant>,
    /// Whether the process is dead, and lines to it are refused or cut.
    is_dead: bool,
    told_within: Duration,
}

impl Fault {
    fn explains(&self, began: Instant, ended: Instant) -> bool {
        let is_of_its_time =
            self.from <= ended && self.until.is_none_or(|until| began <= until + BACK_WITHIN);
        is_of_its_time && ended - began <= self.told_within
    }
}

/// A request; each client has an address of its own, so that none is limited for the others.
pub struct Ask<'a> {
    pub from: &'a str,
    pub method: &'a str,
    pub path: &'a str,
    pub bearer: Option<&'a str>,
    /// Null: none.
    pub body: Value,
}

/// A status and a body.
pub type Answer = (u16, Value);

impl Service {
    pub fn at(url: &str) -> Service {
        let http = reqwest::Client::builder().no_proxy().timeout(HANGS_AFTER).build().unwrap();
        Service {
            http,
            url: url.to_owned(),
            clock_jumps: false,
            faults: Mutex::default(),
            wrong: Mutex::default(),
        }
    }

    /// Where the clock jumps.
    pub fn out_of_joint(url: &str) -> Service {
        Service { clock_jumps: true, ..Service::at(url) }
    }

    /// Whether this refuses a token because the clock has jumped past its end.
    pub fn has_jumped_past(&self, problem: &Value) -> bool {
        self.clock_jumps && problem["code"] == "expired_token"
    }

    /// From now on, requests may fail, as the contract has it.
    pub fn suffers(&self) {
        self.begins(false, TOLD_WITHIN);
    }

    /// The same, and it may take longer.
    pub fn is_slow(&self) {
        self.begins(false, TOLD_SLOWLY_WITHIN);
    }

    /// From now on, nobody may be there.
    pub fn dies(&self) {
        self.begins(true, TOLD_WITHIN);
    }

    fn begins(&self, is_dead: bool, told_within: Duration) {
        self.faults().push(Fault { from: Instant::now(), until: None, is_dead, told_within });
    }

    /// The cause is gone: from here on, its effects have [`BACK_WITHIN`].
    pub fn is_left_alone(&self) {
        self.faults().last_mut().unwrap().until = Some(Instant::now());
    }

    /// When the last fault ended.
    pub fn left_alone_at(&self) -> Instant {
        self.faults().last().and_then(|fault| fault.until).unwrap()
    }

    fn faults(&self) -> MutexGuard<'_, Vec<Fault>> {
        self.faults.lock().unwrap()
    }

    /// Keeps what is not as it must be; the test fails for it [at its end](Self::was_right).
    pub fn is_wrong(&self, what: String) {
        eprintln!("WRONG: {what}");
        self.wrong.lock().unwrap().push(what);
    }

    /// Demands that nothing was wrong.
    #[track_caller]
    pub fn was_right(&self) {
        let wrong = self.wrong.lock().unwrap();
        let some = wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
        assert!(wrong.is_empty(), "{} were wrong:\n{some}", wrong.len());
    }

    /// Asks, and judges the answer. `None`: nobody knows what came of it, for a reason that is allowed at the moment.
    pub async fn ask(&self, ask: &Ask<'_>) -> Option<Answer> {
        let Ask { from, method, path, bearer, body } = ask;
        let mut request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.url));
        request = request.header("x-forwarded-for", *from);
        if let Some(token) = bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let began = Instant::now();
        let read = async {
            let answer = request.send().await?;
            let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
            reqwest::Result::Ok((status, headers, answer.bytes().await?))
        };
        let answer = read.await;
        let ended = Instant::now();
        let explained = |dead: bool| {
            self.faults().iter().any(|fault| (fault.is_dead || !dead) && fault.explains(began, ended))
        };
        let (told, what) = match answer {
            Ok((status, headers, body)) => {
                let json: Value = serde_json::from_slice(&body).unwrap_or_default();
                if status < 400 {
                    return Some((status, json));
                }
                let is_problem = headers.get(CONTENT_TYPE).is_some_and(|it| it == "application/problem+json");
                let told = is_problem && json["status"] == status && json["code"].is_string();
                if told && status < 500 {
                    return Some((status, json));
                }
                let passing = status == 503
                    && headers.contains_key(RETRY_AFTER)
                    && ["unavailable", "overloaded"].iter().any(|code| json["code"] == *code);
                (told && passing && explained(false), format!("{status} {json}"))
            }
            Err(error) => (!error.is_timeout() && explained(true), format!("{error:?}")),
        };
        if !told {
            self.is_wrong(format!("{method} {path} failed after {:?}: {what}", ended - began));
        }
        None
    }

    /// Asks until it is told, which is soon.
    pub async fn ask_until_told(&self, ask: &Ask<'_>) -> Answer {
        let began = Instant::now();
        loop {
            if let Some(answer) = self.ask(ask).await {
                return answer;
            }
            assert!(began.elapsed() < HANGS_AFTER, "{} {} fails for good", ask.method, ask.path);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
