//! A server of the test's own.

use std::net::TcpListener;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use portcullis::app::App;
use portcullis::clock::Clock;
use portcullis::config::Config;
use portcullis::http::Routes;
use portcullis::mail::Letter;
use portcullis::store::backup::backup;
use portcullis::store::copy::{Compared, copy};
use portcullis::store::{Executor, Tx};
use portcullis::{cli, http};
use serde_json::json;
use tempfile::TempDir;

use super::database::{Database, Scratch};
use super::post::Received;
use super::proxy::Proxy;
use super::request::Request;
use crate::DATABASE;

/// A password that every rule accepts.
pub const PASSWORD: &str = "tidal-lantern-mosaic-42";

/// A server, and the database that it and its replicas share.
pub struct Server {
    pub app: Arc<App>,
    pub clock: Clock,
    pub url: String,
    http: reqwest::Client,
    handle: ServerHandle,
    shared: Rc<Shared>,
}

/// What goes when the last server of a test does.
struct Shared {
    database: Scratch,
    mails: TempDir,
}

impl Shared {
    async fn new() -> Rc<Shared> {
        Shared::on(crate::DATABASE).await
    }

    async fn on(kind: Database) -> Rc<Shared> {
        Rc::new(Shared { database: Scratch::new(kind).await, mails: tempfile::tempdir().unwrap() })
    }
}

/// What a login answers.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Server {
    /// With the settings of all tests: the cheapest hash.
    pub async fn start() -> Server {
        Server::with(&[]).await
    }

    /// With further settings, as flags.
    pub async fn with(settings: &[&str]) -> Server {
        Server::with_routes(settings, |_| {}).await
    }

    /// With routes of the test's own.
    pub async fn with_routes(
        settings: &[&str],
        routes: impl Fn(&mut Routes) + Clone + Send + 'static,
    ) -> Server {
        let shared = Shared::new().await;
        let url = shared.database.url();
        let clock = Clock::manual(Clock::system().now());
        Server::on(shared, &url, clock, settings, routes).await
    }

    /// With a proxy before the database, to cut the line at.
    pub async fn behind_a_proxy() -> (Server, Proxy) {
        let shared = Shared::new().await;
        let (proxy, url) = Proxy::before(&shared.database.url()).await;
        let server = Server::on(shared, &url, Clock::manual(Clock::system().now()), &[], |_| {}).await;
        (server, proxy)
    }

    /// What came of starting the service once more on the same database: its error, if any.
    pub async fn start_again(&self, settings: &[&str]) -> Result<(), String> {
        let config = config(&self.shared.database.url(), self.shared.mails.path(), settings);
        App::start(config, self.clock.clone()).await.map(drop).map_err(|error| format!("{error:#}"))
    }

    /// A second server on the same database and clock, behind a proxy.
    pub async fn replica_behind_a_proxy(&self) -> (Server, Proxy) {
        let (proxy, url) = Proxy::before(&self.shared.database.url()).await;
        let server = Server::on(self.shared.clone(), &url, self.clock.clone(), &[], |_| {}).await;
        (server, proxy)
    }

    /// A second server on the same database and clock.
    pub async fn replica(&self, settings: &[&str]) -> Server {
        let url = self.shared.database.url();
        Server::on(self.shared.clone(), &url, self.clock.clone(), settings, |_| {}).await
    }

    /// The service on a copy of this one's database, which may be in use meanwhile, in another of this kind.
    pub async fn copied_to(&self, kind: Database) -> Server {
        let shared = Shared::on(kind).await;
        let url = shared.database.url();
        let compared = copy(&self.shared.database.url(), &url, |_| {}).await.unwrap();
        assert!(compared.iter().all(Compared::is_same), "{compared:?}");
        Server::on(shared, &url, self.clock.clone(), &[], |_| {}).await
    }

    /// The service on a backup of this one's database, which may be in use meanwhile. Only on SQLite.
    pub async fn backed_up(&self) -> Server {
        let shared = Shared::on(Database::Sqlite).await;
        let url = shared.database.url();
        let file = Path::new(url.strip_prefix("sqlite://").unwrap());
        let written = backup(&self.shared.database.url(), file).await.unwrap();
        assert_eq!(std::fs::metadata(file).unwrap().len(), written.bytes);
        Server::on(shared, &url, self.clock.clone(), &[], |_| {}).await
    }

    async fn on(
        shared: Rc<Shared>,
        database: &str,
        clock: Clock,
        settings: &[&str],
        routes: impl Fn(&mut Routes) + Clone + Send + 'static,
    ) -> Server {
        let config = config(database, shared.mails.path(), settings);
        let app = Arc::new(App::start(config, clock.clone()).await.expect("the service starts"));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = http::serve(app.clone(), listener, routes).unwrap();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        let server = Server { app, clock, url, http, handle, shared };
        server.follows().await;
        server
    }

    /// The database's URL, for a program beside the server.
    pub fn database_url(&self) -> String {
        self.shared.database.url()
    }

    /// Waits until it follows the changes of all replicas, and so answers from memory.
    pub async fn follows(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.app.changes.are_followed() {
            assert!(Instant::now() < deadline, "the server does not follow the changes");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until it has noticed that it does not.
    pub async fn follows_no_more(&self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while self.app.changes.are_followed() {
            assert!(Instant::now() < deadline, "the server believes that it follows the changes");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// How many changes there are.
    pub async fn changes(&self) -> i64 {
        let (count,): (i64,) = self.sql("select count(*) from changes").fetch_one().await.unwrap();
        count
    }

    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(&self.http, &self.url, method, path)
    }

    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    pub fn post(&self, path: &str) -> Request {
        self.request("POST", path)
    }

    pub fn put(&self, path: &str) -> Request {
        self.request("PUT", path)
    }

    pub fn patch(&self, path: &str) -> Request {
        self.request("PATCH", path)
    }

    pub fn delete(&self, path: &str) -> Request {
        self.request("DELETE", path)
    }

    /// Registers a user of this name, with [`PASSWORD`]; returns the id.
    pub async fn register(&self, username: &str) -> String {
        let body = json!({ "username": username, "password": PASSWORD });
        let user = self.post("/api/v1/register").json(body).expect(201).await.json();
        user["id"].as_str().unwrap().to_owned()
    }

    /// Logs a user in.
    pub async fn login(&self, username: &str) -> Tokens {
        let body = json!({ "username": username, "password": PASSWORD });
        let tokens = self.post("/api/v1/login").json(body).expect(200).await.json();
        Tokens::of(&tokens)
    }

    /// Registers a user and logs in.
    pub async fn user(&self, username: &str) -> Tokens {
        self.register(username).await;
        self.login(username).await
    }

    /// A user with the role `admin`, logged in.
    pub async fn admin(&self, username: &str) -> Tokens {
        self.user_with(username, "admin").await
    }

    /// A user with a role, logged in.
    pub async fn user_with(&self, username: &str, role: &str) -> Tokens {
        use portcullis::accounts::{self, Password, Registration, Standing, Username};
        use portcullis::audit::Actor;
        let registration = Registration {
            username: Some(Username::parse(username).unwrap()),
            email: None,
            password: Password::parse(&self.app, PASSWORD).await.unwrap().unwrap(),
            display_name: None,
        };
        let standing = Standing { roles: vec![role.to_owned()], ..Standing::default() };
        accounts::create(&self.app, &registration, &standing, &Actor::service()).await.unwrap();
        self.login(username).await
    }

    /// All mails that were written so far, or asked for, in the order in which they were posted. Only where there is no mail
    /// server.
    pub async fn mails(&self) -> Vec<Received> {
        portcullis::accounts::answer_link_requests(&self.app).await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.mails_to_send().await > 0 {
            assert!(Instant::now() < deadline, "the mails are not sent");
            self.app.mail.deliver(&self.app.db, &self.clock).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Received::all_in(self.shared.mails.path())
    }

    /// How many mails are on their way.
    pub async fn mails_to_send(&self) -> i64 {
        let sql = "select count(*) from mails where failed_at is null";
        let (count,): (i64,) = self.sql(sql).fetch_one().await.unwrap();
        count
    }

    /// Has a letter sent.
    pub async fn posts(&self, letter: Letter) {
        let mut tx = self.app.db.begin().await.unwrap();
        self.app.mail.post(&mut tx, letter, self.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Ends a transaction of the test's own when somebody waits for what it holds.
    pub async fn commit_once_waited_for(&self, mut tx: Tx) {
        match DATABASE {
            // Whoever comes has to wait for a turn to write.
            Database::Sqlite => tokio::task::yield_now().await,
            Database::Postgres => {
                let own = Executor::query(&mut tx, "select pg_backend_pid()");
                let (own,): (i32,) = own.fetch_one().await.unwrap();
                let sql =
                    "select exists (select 1 from pg_stat_activity where $1 = any (pg_blocking_pids(pid)))";
                let waits = async || self.sql(sql).bind(own).fetch_one::<(bool,)>().await.unwrap().0;
                let since = Instant::now();
                while !waits().await {
                    assert!(since.elapsed() < Duration::from_secs(10), "nobody waits for it");
                }
            }
        }
        tx.commit().await.unwrap();
    }

    /// Runs a statement in the server's database, for what no endpoint does or shows.
    pub fn sql(&self, sql: &'static str) -> portcullis::store::Query<'_> {
        portcullis::store::Executor::query(&self.app.db, sql)
    }
}

/// The settings of all tests, and further ones; of a flag that is given twice the last one counts.
fn config(database: &str, mails: &Path, settings: &[&str]) -> Config {
    let database = format!("--database-url={database}");
    let fixed = ["portcullis", "--bcrypt-cost=4", "--secret-key=test-key-not-secret-0123456789ab", &database];
    let name = |flag: &str| flag.split('=').next().unwrap().to_owned();
    let fixed = fixed.into_iter().filter(|fixed| settings.iter().all(|setting| name(setting) != name(fixed)));
    let config = cli::config_from(fixed.chain(settings.iter().copied()), []).expect("sound settings");
    Config { mail_folder: mails.to_owned(), ..config }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Only sends the word; the server's threads end by themselves.
        drop(self.handle.stop(false));
    }
}

impl Tokens {
    pub fn of(body: &serde_json::Value) -> Tokens {
        let text =
            |field: &str| body[field].as_str().unwrap_or_else(|| panic!("no {field} in {body}")).to_owned();
        Tokens { access: text("access_token"), refresh: text("refresh_token") }
    }
}
