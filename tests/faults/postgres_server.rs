//! A Postgres of the test's own, on which a commit is on the disk: to be killed, stopped and frozen; and its standby, to be promoted.
//!
//! Its programs are found as scripts/with-postgres finds them.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::setting::free_port;

/// What no start or stop takes.
const TOO_LONG: Duration = Duration::from_secs(60);

/// A server, and its database.
pub struct Postgres {
    folder: TempDir,
    programs: Programs,
    port: u16,
    password: String,
    postmaster: Option<Child>,
}

/// Where the programs are, and whom they run as: Postgres refuses root.
struct Programs {
    folder: PathBuf,
    user: Option<(u32, u32)>,
}

impl Postgres {
    /// Makes one, and starts it.
    pub async fn start() -> Postgres {
        let password = portcullis::secret::base64url(&portcullis::secret::random::<16>());
        let mut server = Postgres::nowhere(password);
        server.file("password", &server.password);
        let mut initdb = server.command("initdb");
        initdb.args(["-D", "data", "-U", "postgres", "--pwfile=password", "--auth-local=trust"]);
        initdb.args(["--auth-host=password", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        succeed(&mut initdb);
        server.start_again().await;
        server
    }

    /// A standby that follows this one; from now on no commit is acknowledged that it does not have.
    pub async fn standby(&self) -> Postgres {
        let mut standby = Postgres::nowhere(self.password.clone());
        let mut copy = standby.command("pg_basebackup");
        copy.args(["--pgdata=data", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        succeed(copy.args(["--dbname", &self.url()]));
        standby.start_again().await;
        self.sql("alter system set synchronous_standby_names = '*'").await;
        self.sql("select pg_reload_conf()").await;
        let began = Instant::now();
        while !self.sql("select from pg_stat_replication where sync_state = 'sync'").await {
            assert!(began.elapsed() < TOO_LONG, "{}", standby.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        standby
    }

    /// Makes a standby a server by itself; it takes writes when this returns.
    pub async fn promote(&self) {
        assert!(self.sql("select where pg_promote()").await, "{}", self.log());
    }

    fn nowhere(password: String) -> Postgres {
        // Not where the environment may say: that may be a folder of root's own.
        let folder = tempfile::Builder::new().prefix("portcullis-faults").tempdir_in("/tmp").unwrap();
        let server =
            Postgres { folder, programs: Programs::find(), port: free_port(), password, postmaster: None };
        server.owns(server.folder.path());
        server
    }

    fn file(&self, name: &str, text: &str) {
        let file = self.folder.path().join(name);
        fs::write(&file, text).unwrap();
        self.owns(&file);
    }

    fn owns(&self, path: &Path) {
        if let Some((user, group)) = self.programs.user {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }

    fn command(&self, name: &str) -> Command {
        self.programs.command(name, self.folder.path())
    }

    /// Whether it has a row.
    async fn sql(&self, sql: &'static str) -> bool {
        let mut connection = PgConnection::connect(&self.url()).await.unwrap();
        sqlx::query(sql).fetch_optional(&mut connection).await.unwrap().is_some()
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// Starts what was stopped or killed; it answers when this returns.
    pub async fn start_again(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut command = self.command("postgres");
        command.args(["-D", "data", "-p", &self.port.to_string()]);
        command.args([
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            "unix_socket_directories=",
            "-c",
            "fsync=on",
        ]);
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.postmaster = Some(command.spawn().unwrap());
        let began = Instant::now();
        while PgConnection::connect(&self.url()).await.is_err() {
            let ended = self.postmaster.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none() && began.elapsed() < TOO_LONG, "{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// All at once, as when the power goes.
    pub fn kill(&mut self) {
        let all = self.all();
        all.iter().for_each(|process| send(*process, Signal::KILL));
        self.postmaster.take().unwrap().wait().unwrap();
        let began = Instant::now();
        while all.iter().any(|process| is_there(*process)) {
            assert!(began.elapsed() < TOO_LONG, "it can't be killed");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// As `pg_ctl stop -m fast` does.
    pub fn stop(&mut self) {
        let mut postmaster = self.postmaster.take().unwrap();
        send(Pid::from_child(&postmaster), Signal::INT);
        postmaster.wait().unwrap();
    }

    /// From now on it takes connections, and answers nothing.
    pub fn freeze(&self) {
        self.all().into_iter().for_each(|process| send(process, Signal::STOP));
    }

    pub fn thaw(&self) {
        self.all().into_iter().for_each(|process| send(process, Signal::CONT));
    }

    /// The postmaster, then its children.
    fn all(&self) -> Vec<Pid> {
        let postmaster = Pid::from_child(self.postmaster.as_ref().unwrap());
        let children = fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children")).unwrap();
        let children = children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        [postmaster].into_iter().chain(children).collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.postmaster.is_some() {
            self.kill();
        }
    }
}

impl Programs {
    fn find() -> Programs {
        let user = rustix::process::getuid().is_root().then(|| {
            let known = ["postgres", "nobody"].into_iter().find_map(user_named);
            known.expect("Postgres refuses to run as root, and there is no user `postgres` or `nobody`")
        });
        let mut folders: Vec<PathBuf> = Vec::new();
        folders.extend(env::var_os("PG_BIN").map(PathBuf::from));
        folders.extend(env::var_os("PATH").iter().flat_map(env::split_paths));
        let mut installed: Vec<_> = ["/usr/lib/postgresql", "/usr"]
            .into_iter()
            .flat_map(|parent| fs::read_dir(parent).into_iter().flatten().flatten())
            .filter(|entry| {
                let name = entry.file_name().into_string().unwrap_or_default();
                name.trim_start_matches("pgsql-").parse::<f32>().is_ok()
            })
            .map(|entry| entry.path().join("bin"))
            .collect();
        // The newest first.
        installed.sort_by_key(|folder| std::cmp::Reverse(version_in(folder)));
        folders.extend(installed);
        let all_there = |folder: &&PathBuf| {
            ["postgres", "initdb", "pg_basebackup"].iter().all(|name| folder.join(name).is_file())
        };
        let folder = folders.iter().find(all_there).cloned().expect(
            "no Postgres to kill: install the package `postgresql`, or set PG_BIN to the folder that has initdb, postgres and pg_basebackup",
        );
        Programs { folder, user }
    }

    fn command(&self, name: &str, folder: &Path) -> Command {
        let mut command = Command::new(self.folder.join(name));
        command.current_dir(folder).stdin(Stdio::null());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

fn succeed(command: &mut Command) {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// The user and group of this name.
fn user_named(name: &str) -> Option<(u32, u32)> {
    let all = fs::read_to_string("/etc/passwd").unwrap();
    let mut fields = all.lines().find(|line| line.starts_with(&format!("{name}:")))?.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

fn version_in(folder: &Path) -> u32 {
    let digits = folder.to_str().unwrap_or_default().chars().filter(char::is_ascii_digit).collect::<String>();
    digits.parse().unwrap_or(0)
}

/// One that has ended meanwhile needs none.
fn send(process: Pid, signal: Signal) {
    let _ = kill_process(process, signal);
}

/// Whether it runs; one that nobody has waited for yet does not.
fn is_there(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}
