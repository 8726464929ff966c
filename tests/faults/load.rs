//! Clients that keep what they were told.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering::Relaxed, Ordering::SeqCst};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::program::PASSWORD;
use crate::service::{Answer, Ask, BACK_WITHIN, Service};

/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(40);

/// Someone who was registered, and all that follows from it.
#[derive(Debug)]
pub struct Account {
    pub name: String,
    /// As the registration told it; `None` where that was not answered.
    pub id: Option<String>,
    /// The password; two where a change was not answered.
    pub passwords: Vec<String>,
    /// One that was replaced for certain.
    pub old_password: Option<String>,
    pub sessions: Vec<Session>,
    /// How many of each were acknowledged.
    pub logins: usize,
    pub logouts: usize,
    pub password_changes: usize,
}

/// A login, and the last tokens that were received of it.
#[derive(Debug)]
pub struct Session {
    pub access: String,
    pub refresh: String,
    pub life: Life,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Open,
    /// Its end was acknowledged.
    Ended,
    /// Its end was asked for, and not answered.
    Unknown,
}

/// Several clients at work.
pub struct Load {
    service: Arc<Service>,
    stop: Arc<AtomicBool>,
    clients: Vec<(JoinHandle<Vec<Account>>, LastWrite)>,
}

/// When the last write that was acknowledged was begun.
type LastWrite = Arc<Mutex<Instant>>;

impl Load {
    /// Clients have numbers of their own, also beside those of another load on another replica.
    pub fn start(service: &Arc<Service>, clients: usize) -> Load {
        static NEXT: AtomicU16 = AtomicU16::new(1);
        let stop = Arc::new(AtomicBool::new(false));
        let start = |_| {
            let number = NEXT.fetch_add(1, Relaxed);
            let (wrote, accounts) = (LastWrite::new(Mutex::new(Instant::now())), Vec::new());
            let [high, low] = number.to_be_bytes();
            let (service, stop, address) = (service.clone(), stop.clone(), format!("10.0.{high}.{low}"));
            let client = Client { service, stop, number, address, wrote: wrote.clone(), accounts };
            (tokio::spawn(client.work()), wrote)
        };
        Load { service: service.clone(), clients: (0..clients).map(start).collect(), stop }
    }

    /// Demands that after the last fault each client can write again, in time.
    pub async fn is_back(&self) {
        self.goes_on_from(self.service.left_alone_at()).await;
    }

    pub async fn goes_on_from(&self, since: Instant) {
        while !self.clients.iter().all(|(_, wrote)| *wrote.lock().unwrap() > since) {
            assert!(since.elapsed() < BACK_WITHIN, "after {BACK_WITHIN:?} not every client can write again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("all write again after {:?}", since.elapsed());
    }

    /// Ends it; all that is known of the accounts.
    pub async fn stop(self) -> Vec<Account> {
        self.stop.store(true, SeqCst);
        let mut accounts = Vec::new();
        for (client, _) in self.clients {
            accounts.extend(client.await.unwrap());
        }
        let sum = |of: fn(&Account) -> usize| accounts.iter().map(of).sum::<usize>();
        let (logins, logouts) = (sum(|account| account.logins), sum(|account| account.logouts));
        let changes = sum(|account| account.password_changes);
        println!(
            "{} accounts, {logins} logins, {logouts} logouts, {changes} changes of password",
            accounts.len()
        );
        assert!(logins > 0 && logouts > 0 && changes > 0, "the load was none");
        accounts
    }
}

struct Client {
    service: Arc<Service>,
    stop: Arc<AtomicBool>,
    number: u16,
    address: String,
    wrote: LastWrite,
    accounts: Vec<Account>,
}

/// The load ends, or something is wrong.
struct Over;
type Outcome<T> = Result<T, Over>;

impl Client {
    async fn work(mut self) -> Vec<Account> {
        for round in 0.. {
            let name = format!("user-{}-{round}", self.number);
            let Ok(account) = self.register(name).await else { break };
            self.accounts.push(account);
            if self.live(round).await.is_err() {
                break;
            }
        }
        self.accounts
    }

    fn account(&mut self) -> &mut Account {
        self.accounts.last_mut().unwrap()
    }

    async fn live(&mut self, round: usize) -> Outcome<()> {
        self.log_in().await?;
        self.log_in().await?;
        for _ in 0..3 {
            self.me(0).await?;
            self.refresh(0).await?;
        }
        self.refresh(1).await?;
        self.me(1).await?;
        match (round + usize::from(self.number)) % 3 {
            0 => self.log_out(1).await?,
            1 => self.change_password(0).await?,
            _ => {}
        }
        self.me(0).await
    }

    /// Asks once. `None`: nobody knows what came of it.
    async fn ask(
        &self,
        method: &str,
        path: &str,
        bearer: Option<&str>,
        body: Value,
    ) -> Outcome<Option<Answer>> {
        if self.stop.load(SeqCst) {
            return Err(Over);
        }
        tokio::time::sleep(PAUSE).await;
        let began = Instant::now();
        let answer = self.service.ask(&Ask { from: &self.address, method, path, bearer, body }).await;
        if method != "GET" && answer.as_ref().is_some_and(|(status, _)| *status < 300) {
            *self.wrote.lock().unwrap() = began;
        }
        Ok(answer)
    }

    fn unexpected(&self, what: &str, answer: &Answer) -> Over {
        let name = self.accounts.last().map(|account| account.name.as_str()).unwrap_or_default();
        self.service.is_wrong(format!("{name}: {what} was answered {} {}", answer.0, answer.1));
        Over
    }

    async fn register(&self, name: String) -> Outcome<Account> {
        let email = format!("{name}@example.com");
        let body = json!({ "username": name, "email": email, "password": PASSWORD });
        let mut is_unknown = false;
        let id = loop {
            match self.ask("POST", "/api/v1/register", None, body.clone()).await? {
                Some((201, user)) => break user["id"].as_str().map(str::to_owned),
                Some((409, _)) if is_unknown => break None,
                Some(other) => return Err(self.unexpected("a registration", &other)),
                None => is_unknown = true,
            }
        };
        Ok(Account {
            name,
            id,
            passwords: vec![PASSWORD.to_owned()],
            old_password: None,
            sessions: Vec::new(),
            logins: 0,
            logouts: 0,
            password_changes: 0,
        })
    }

    async fn log_in(&mut self) -> Outcome<()> {
        let body = json!({ "username": self.account().name, "password": self.account().passwords[0] });
        loop {
            match self.ask("POST", "/api/v1/login", None, body.clone()).await? {
                Some((200, tokens)) => {
                    self.account().logins += 1;
                    self.account().sessions.push(Session::of(&tokens));
                    return Ok(());
                }
                Some(other) => return Err(self.unexpected("a login", &other)),
                None => {}
            }
        }
    }

    async fn refresh(&mut self, n: usize) -> Outcome<()> {
        let body = json!({ "refresh_token": self.account().sessions[n].refresh });
        loop {
            match self.ask("POST", "/api/v1/refresh", None, body.clone()).await? {
                Some((200, tokens)) => {
                    let session = &mut self.account().sessions[n];
                    *session = Session { life: session.life, ..Session::of(&tokens) };
                    return Ok(());
                }
                Some(other) => return Err(self.unexpected("a refresh", &other)),
                None => {}
            }
        }
    }

    /// With its access token; a new one, where this one has expired because the clock has jumped.
    async fn with_token(
        &mut self,
        n: usize,
        method: &str,
        path: &str,
        body: Value,
    ) -> Outcome<Option<Answer>> {
        loop {
            let token = self.account().sessions[n].access.clone();
            let answer = self.ask(method, path, Some(&token), body.clone()).await?;
            match &answer {
                Some((401, problem)) if self.service.has_jumped_past(problem) => {
                    self.refresh(n).await?;
                }
                _ => return Ok(answer),
            }
        }
    }

    async fn me(&mut self, n: usize) -> Outcome<()> {
        match self.with_token(n, "GET", "/api/v1/me", Value::Null).await? {
            None => Ok(()),
            Some((200, me)) if me["username"] == self.account().name.as_str() => Ok(()),
            Some(other) => Err(self.unexpected("who someone is", &other)),
        }
    }

    async fn log_out(&mut self, n: usize) -> Outcome<()> {
        loop {
            let life = self.account().sessions[n].life;
            match self.with_token(n, "POST", "/api/v1/logout", Value::Null).await? {
                Some((204, _)) => break self.account().logouts += 1,
                Some((401, problem)) if life == Life::Unknown && problem["code"] == "revoked_token" => break,
                Some(other) => return Err(self.unexpected("a logout", &other)),
                None => self.account().sessions[n].life = Life::Unknown,
            }
        }
        self.account().sessions[n].life = Life::Ended;
        Ok(())
    }

    /// From this session, which is the only one that stays.
    async fn change_password(&mut self, n: usize) -> Outcome<()> {
        let (old, new) = (self.account().passwords[0].clone(), format!("{PASSWORD}-{}", self.number));
        let body = json!({ "current_password": old, "new_password": new });
        let mut life = Life::Ended;
        loop {
            let answer = self.with_token(n, "PUT", "/api/v1/me/password", body.clone()).await?;
            match answer {
                Some((204, _)) => break self.account().password_changes += 1,
                // It is the new one already.
                Some((422, problem))
                    if life == Life::Unknown && problem["errors"][0]["field"] == "current_password" =>
                {
                    break;
                }
                Some(other) => return Err(self.unexpected("a change of password", &other)),
                None => {
                    life = Life::Unknown;
                    self.account().passwords = vec![old.clone(), new.clone()];
                    self.others(n, Life::Unknown);
                }
            }
        }
        self.account().passwords = vec![new];
        self.account().old_password = Some(old);
        self.others(n, Life::Ended);
        Ok(())
    }

    fn others(&mut self, n: usize, life: Life) {
        let others = self.account().sessions.iter_mut().enumerate().filter(|(other, _)| *other != n);
        others
            .filter(|(_, session)| session.life != Life::Ended)
            .for_each(|(_, session)| session.life = life);
    }
}

impl Session {
    pub fn of(tokens: &Value) -> Session {
        let token = |name: &str| tokens[name].as_str().unwrap().to_owned();
        Session { access: token("access_token"), refresh: token("refresh_token"), life: Life::Open }
    }
}
