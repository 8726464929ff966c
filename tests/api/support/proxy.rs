//! A line to the database that a test can cut or freeze.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Whole,
    /// Connections end, and new ones end at once.
    Cut,
    /// Connections stay, and nothing comes through.
    Frozen,
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

    pub fn mend(&self) {
        self.0.send_replace(Line::Whole);
    }
}

async fn accept(listener: TcpListener, target: String, state: watch::Receiver<Line>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(forward(client, target.clone(), state.clone()));
    }
}

async fn forward(mut client: TcpStream, target: String, mut state: watch::Receiver<Line>) {
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    loop {
        let line = *state.borrow_and_update();
        match line {
            Line::Cut => return,
            Line::Frozen => {
                if state.changed().await.is_err() {
                    return;
                }
            }
            Line::Whole => tokio::select! {
                _ = copy_bidirectional(&mut client, &mut server) => return,
                _ = state.changed() => {}
            },
        }
    }
}
