//! Stopping without losing a request: first the service leaves the rotation, then the door is shut, then it ends.
//!
//! On SIGTERM the service *drains* for `DRAIN_DELAY`: `/health/ready` says 503, all is answered as before, and each
//! answer closes its connection. Whoever sends requests here has then gone elsewhere, or has no connection on which
//! one could arrive in the moment in which it is closed; but for those on which nothing was asked for the whole delay.
//!
//! Connections that wait to be accepted when the listener is closed are lost with it. So before that, on Linux, the
//! kernel is told to take no more: who knocks then is not answered, knocks again a second later, and is refused,
//! upon which a proxy goes elsewhere, since nothing was sent.
//!
//! Then requests in flight end, and only after the last of them the threads that answer: each has opened connections to
//! the database that the others use as well, and they end with it.
//!
//! SIGHUP, by which daemons are told to read their files again, has the certificate's looked at. It also comes when the terminal is
//! closed at which the service was started: then there is a person who has gone.

use std::io::{self, IsTerminal, stderr, stdin, stdout};
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::App;

/// How long connections that were begun before the door was shut may take to come in and be asked something on.
#[cfg(target_os = "linux")]
const LAST_ONES: Duration = Duration::from_millis(100);

/// How long requests in flight may take once the service has been told to stop.
const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// For whoever accepts connections to notice that it is to accept none.
const PAUSE: Duration = Duration::from_millis(20);

/// Those that would end the process by themselves: the service, or a command that would leave something half done.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Which of the standard streams were a terminal.
    terminals: [bool; 3],
}

/// Who it was that said so.
#[derive(PartialEq)]
enum By {
    /// A supervisor, which restarts one replica after the other.
    Supervisor,
    /// A person at a terminal, who waits.
    Person,
}

impl Signals {
    /// From now on they no longer end the process.
    pub(super) fn catch() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            terminals: terminals(),
        })
    }

    /// Waits for any of them.
    pub(super) async fn any(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }

    /// The next one that stops the service.
    async fn next(&mut self, app: &Arc<App>) -> By {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return By::Supervisor,
                _ = self.interrupt.recv() => return By::Person,
                _ = self.hangup.recv() => {}
            }
            if self.terminals.iter().zip(terminals()).any(|(was, is)| *was && !is) {
                return By::Person;
            }
            look_again(app);
        }
    }
}

/// One that was closed is none any more.
fn terminals() -> [bool; 3] {
    [stdin().is_terminal(), stdout().is_terminal(), stderr().is_terminal()]
}

/// What can be read again without a restart. Nobody waits: a file can be on a disk that hangs.
fn look_again(app: &Arc<App>) {
    if app.tls.is_none() {
        tracing::info!("SIGHUP changes nothing here: settings are read at the start alone");
        return;
    }
    let app = app.clone();
    tokio::task::spawn_blocking(move || {
        if let Some(tls) = &app.tls {
            tls.follow_at_once(app.clock.now());
            tracing::info!("SIGHUP: looked at the files of the certificate and its key");
        }
    });
}

/// Returns when the service is to take no more connections, of which `door` is where they come in.
pub(super) async fn when_told(mut signals: Signals, app: &Arc<App>, door: &TcpListener) {
    let delay = app.config.drain_delay;
    if signals.next(app).await == By::Supervisor && !delay.is_zero() {
        tracing::info!("draining: not ready any more, and answering for {delay:?}");
        app.begin_drain();
        let drained = async {
            tokio::time::sleep(delay).await;
            shut(door).await;
        };
        tokio::select! {
            () = drained => {}
            _ = signals.next(app) => {}
        }
    }
    tracing::info!("stopping: no new requests, and those in flight may end");
    app.begin_shutdown();
}

/// Refuses connections, of which none is accepted any more, and waits until the requests in flight have ended: `false`
/// where they take too long.
pub(super) async fn answered(app: &App, door: TcpListener) -> bool {
    tokio::time::sleep(PAUSE).await;
    // Where a listener can't be shut down, who knocks waits until it is closed.
    let _ = SockRef::from(&door).shutdown(Shutdown::Both);
    drop(door);
    let none_left = async {
        while app.requests_in_flight() > 0 {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(ANSWERED_WITHIN, none_left).await.is_ok()
}

/// Begins no more connections, and lets in those that were begun.
#[cfg(target_os = "linux")]
async fn shut(door: &TcpListener) {
    use socket2::SockFilter;
    // In the language of the kernel's packet filters: of a segment whose flags, byte 13 of its header, have SYN, keep
    // nothing; of others all. Connections that are there send no SYN.
    let no_syn = [
        SockFilter::new(0x30, 0, 0, 13),
        SockFilter::new(0x45, 0, 1, 0x02),
        SockFilter::new(0x06, 0, 0, 0),
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
    match SockRef::from(door).attach_filter(&no_syn) {
        Ok(()) => tokio::time::sleep(LAST_ONES).await,
        Err(error) => {
            tracing::debug!("the kernel takes no filter, and the listener is closed as it is: {error}")
        }
    }
}

/// Elsewhere the listener is closed as it is.
#[cfg(not(target_os = "linux"))]
async fn shut(_: &TcpListener) {}
