//! A line to the database that a test can cut, freeze, slow down, or lose.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Whole,
    /// Connections end, and new ones end at once.
    Cut,
    /// Connections stay, and what is sent comes through later.
    Frozen,
    /// Each packet takes so long.
    Slow(Duration),
    /// What is sent is lost, and so is, for good, the connection it was sent on: as behind a firewall that forgot it.
    Lost,
}

/// Forwards connections to Postgres while the line is whole.
pub struct Proxy(watch::Sender<Line>);

impl Proxy {
    /// A proxy before the server of this URL, and the URL that leads through it.
    pub async fn before(url: &str) -> (Proxy, String) {
        let authority = url.split("//").nth(1).unwrap().split(['/', '?']).next().unwrap();
        let target = authority.rsplit('@').next().unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let through = url.replacen(&target, &listener.local_addr().unwrap().to_string(), 1);
        let (line, state) = watch::channel(Line::Whole);
        tokio::spawn(accept(listener, target, state));
        (Proxy(line), through)
    }

    pub fn cut(&self) {
        self.0.send_replace(Line::Cut);
    }

    pub fn freeze(&self) {
        self.0.send_replace(Line::Frozen);
    }

    pub fn slow_down(&self, by: Duration) {
        self.0.send_replace(Line::Slow(by));
    }

    pub fn lose(&self) {
        self.0.send_replace(Line::Lost);
    }

    pub fn mend(&self) {
        self.0.send_replace(Line::Whole);
    }
}

async fn accept(listener: TcpListener, target: String, state: watch::Receiver<Line>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(forward(client, target.clone(), state.clone()));
    }
}

async fn forward(client: TcpStream, target: String, mut state: watch::Receiver<Line>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let up = pump(from_client, to_server, state.clone());
    let down = pump(from_server, to_client, state.clone());
    let both = async { tokio::join!(up, down) };
    let cut = async { state.wait_for(|line| *line == Line::Cut).await.map(drop) };
    tokio::select! {
        _ = both => {}
        // With the test, the line ends.
        _ = cut => {}
    }
}

/// One direction, until its end.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<Line>) {
    let (sent, mut arriving) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let read = async move {
        loop {
            let mut bytes = Vec::with_capacity(16 * 1024);
            let length = from.read_buf(&mut bytes).await.unwrap_or(0);
            if sent.send((Instant::now(), bytes)).is_err() || length == 0 {
                return;
            }
        }
    };
    let write = async move {
        while let Some((at, bytes)) = arriving.recv().await {
            let Ok(line) = state.wait_for(|line| *line != Line::Frozen).await.map(|line| *line) else {
                return;
            };
            match line {
                Line::Slow(by) => tokio::time::sleep_until(at + by).await,
                Line::Lost => return std::future::pending().await,
                _ => {}
            }
            // The end, or a line that is broken: the other side is told so.
            if bytes.is_empty() || to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(read, write);
}
