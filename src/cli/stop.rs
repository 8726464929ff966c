//! Stopping without losing a request: first the service leaves the rotation, then the door is shut, then it ends.
//!
//! On SIGTERM the service *drains* for `DRAIN_DELAY`: `/health/ready` says 503, all is answered as before, and each
//! answer closes its connection. Whoever sends requests here has then gone elsewhere, or has no connection on which
//! one could arrive in the moment in which it is closed; but for those on which nothing was asked for the whole delay.
//!
//! Connections that wait to be accepted when the listener is closed are lost with it. So before that, on Linux, the
//! kernel is told to take no more: who knocks then is not answered, knocks again a second later, and is refused,
//! upon which a proxy goes elsewhere, since nothing was sent.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::app::App;

/// How long connections that were begun before the door was shut may take to come in and be asked something on.
#[cfg(target_os = "linux")]
const LAST_ONES: Duration = Duration::from_millis(100);

/// Those that stop the service.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
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
        })
    }

    async fn next(&mut self) -> By {
        tokio::select! {
            _ = self.terminate.recv() => By::Supervisor,
            _ = self.interrupt.recv() => By::Person,
        }
    }
}

/// Returns when the service is to take no more connections, of which `door` is where they come in.
pub(super) async fn when_told(mut signals: Signals, app: &App, door: TcpListener) {
    let delay = app.config.drain_delay;
    if signals.next().await == By::Supervisor && !delay.is_zero() {
        tracing::info!("draining: not ready any more, and answering for {delay:?}");
        app.begin_drain();
        let drained = async {
            tokio::time::sleep(delay).await;
            shut(&door).await;
        };
        tokio::select! {
            () = drained => {}
            _ = signals.next() => {}
        }
    }
    tracing::info!("stopping: no new requests, and those in flight may end");
    app.begin_shutdown();
}

/// Begins no more connections, and lets in those that were begun.
#[cfg(target_os = "linux")]
async fn shut(door: &TcpListener) {
    use socket2::{SockFilter, SockRef};
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
