//! Running the program.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::header::AUTHORIZATION;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A password that every rule accepts.
pub const PASSWORD: &str = "tidal-lantern-mosaic-42";

/// What no run of the program takes, however busy the machine is.
const TOO_LONG: Duration = Duration::from_secs(60);

/// A working directory, empty at first, and all that the program's environment has but `PATH`.
pub struct Place {
    folder: Arc<TempDir>,
    environment: Vec<(String, String)>,
    /// A command that runs the program, its own arguments before the program's; none where it is run as it is.
    through: Vec<String>,
}

impl Place {
    pub fn new() -> Place {
        Place { folder: tempfile::tempdir().unwrap().into(), environment: Vec::new(), through: Vec::new() }
    }

    /// With settings that suit a test: any free port, the cheapest hash, an end at once.
    pub fn quick() -> Place {
        Place::new().with("PORT", "0").with("BCRYPT_COST", "4").with("DRAIN_DELAY", "0s")
    }

    /// With one more variable.
    pub fn with(mut self, name: &str, value: &str) -> Place {
        self.set(name, value);
        self
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// With a command that makes of itself the program, whose name and arguments come behind its own.
    pub fn through(mut self, command: &[&str]) -> Place {
        self.through = command.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The names of all that lies in the folder.
    pub fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut words = self.through.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_portcullis")]);
        let mut command = Command::new(words.next().unwrap());
        command.args(words).args(arguments).current_dir(self.folder.path()).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command that ends by itself.
    pub fn run(&self, arguments: &[&str]) -> Done {
        self.run_with_input(arguments, "")
    }

    /// Runs a command that ends by itself, with this text on its standard input.
    pub fn run_with_input(&self, arguments: &[&str], input: &str) -> Done {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        // One that does not read its input has closed it, and needs none.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        Running::new(child, &self.folder).done()
    }

    /// Starts the service, and waits until it listens.
    pub fn serve(&self, arguments: &[&str]) -> Server {
        self.start(arguments).listening()
    }

    /// Starts the service.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::new(self.command(arguments).spawn().unwrap(), &self.folder)
    }
}

/// A run that has ended.
#[derive(Debug)]
pub struct Done {
    /// `None` where a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// From the last signal that was sent, or else the start, to the end.
    pub took: Duration,
}

impl Done {
    /// Demands this exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Done {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Demands that it told these on standard error.
    #[track_caller]
    pub fn says(self, texts: &[&str]) -> Done {
        for text in texts {
            assert!(self.stderr.contains(text), "no {text:?} in: {}", self.stderr);
        }
        self
    }
}

/// A program that runs; killed where the test forgets it.
pub struct Running {
    pid: Pid,
    since: Instant,
    exited: Receiver<(ExitStatus, Instant)>,
    stdout: Option<thread::JoinHandle<String>>,
    lines: Receiver<String>,
    /// Standard error, so far.
    seen: String,
    ended: bool,
    /// There for as long as it runs.
    _folder: Arc<TempDir>,
}

impl Running {
    fn new(mut child: Child, folder: &Arc<TempDir>) -> Running {
        let (pid, since) = (Pid::from_child(&child), Instant::now());
        let (mut stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).unwrap();
            text
        });
        let (line, lines) = channel();
        thread::spawn(move || {
            let mut read = BufReader::new(stderr).lines();
            while let Some(Ok(text)) = read.next()
                && line.send(text).is_ok()
            {}
        });
        let (exit, exited) = channel();
        thread::spawn(move || exit.send((child.wait().unwrap(), Instant::now())));
        Running {
            pid,
            since,
            exited,
            stdout: Some(stdout),
            lines,
            seen: String::new(),
            ended: false,
            _folder: folder.clone(),
        }
    }

    /// The next line on standard error that has `text`.
    #[track_caller]
    pub fn line_with(&mut self, text: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(TOO_LONG) else {
                panic!("no line with {text:?} after: {}", self.seen);
            };
            self.seen += &line;
            self.seen += "\n";
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Waits until it does.
    #[track_caller]
    pub fn listening(mut self) -> Server {
        let line = self.line_with("listening on http");
        let (_, after) = line.split_once("listening on ").unwrap();
        let url = after.split([';', '"']).next().unwrap().trim().to_owned();
        Server { running: self, url }
    }

    /// What it said on standard error, as far as that was looked at.
    pub fn said(&self) -> &str {
        &self.seen
    }

    /// Where it shows itself in the system.
    pub fn proc(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.pid.to_string()).join(name)
    }

    pub fn signal(&mut self, signal: Signal) {
        self.since = Instant::now();
        kill_process(self.pid, signal).unwrap();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn done(mut self) -> Done {
        let Ok((status, at)) = self.exited.recv_timeout(TOO_LONG) else {
            panic!("still running after {TOO_LONG:?}; it said: {}", self.seen);
        };
        self.ended = true;
        while let Ok(line) = self.lines.recv() {
            self.seen += &line;
            self.seen += "\n";
        }
        Done {
            code: status.code(),
            stdout: self.stdout.take().unwrap().join().unwrap(),
            stderr: std::mem::take(&mut self.seen),
            took: at - self.since,
        }
    }

    /// The processor time that the hashing threads have had, in ticks.
    #[cfg(target_os = "linux")]
    pub fn hashing_ticks(&self) -> u64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid)).unwrap();
        let ticks = threads.map(|thread| {
            let stat = std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap_or_default();
            let (name, fields) = stat.rsplit_once(") ").unwrap_or_default();
            // The 14th field of proc_pid_stat(5), of which the first two were split off.
            let user_time = fields.split(' ').nth(11).and_then(|ticks| ticks.parse().ok());
            user_time.filter(|_| name.contains("(hasher-")).unwrap_or(0)
        });
        ticks.sum()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended && self.exited.try_recv().is_err() {
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

/// The service, listening.
pub struct Server {
    pub running: Running,
    pub url: String,
}

impl Server {
    /// Its address, without the scheme.
    pub fn address(&self) -> &str {
        self.url.split_once("://").unwrap().1
    }

    /// Ends it as an init system does.
    pub fn stop(mut self) -> Done {
        self.running.signal(Signal::TERM);
        self.running.done()
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let http = reqwest::Client::builder().no_proxy().timeout(TOO_LONG).build().unwrap();
        http.request(method.parse().unwrap(), format!("{}{path}", self.url))
    }

    pub async fn login(&self, username: &str, password: &str) -> (u16, Value) {
        let body = json!({ "username": username, "password": password });
        read(self.request("POST", "/api/v1/login").json(&body)).await
    }

    /// By a name of either kind.
    pub async fn login_as(&self, login: &str, password: &str) -> (u16, Value) {
        let body = json!({ "login": login, "password": password });
        read(self.request("POST", "/api/v1/login").json(&body)).await
    }

    pub async fn me(&self, access_token: &str) -> (u16, Value) {
        let bearer = format!("Bearer {access_token}");
        read(self.request("GET", "/api/v1/me").header(AUTHORIZATION, bearer)).await
    }
}

/// Sends a request, and reads the status and the body, where that is JSON.
pub async fn read(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

/// The last nine bits of a file's mode.
pub fn mode(path: impl AsRef<Path>) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Whether a folder has a file whose name starts so.
pub fn has_file(folder: impl AsRef<Path>, start: impl AsRef<OsStr>) -> bool {
    let start = start.as_ref().to_str().unwrap();
    let mut entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.any(|entry| entry.unwrap().file_name().to_str().unwrap().starts_with(start))
}
