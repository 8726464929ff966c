//! What the system is told of the socket that takes connections.

use std::io;
use std::net::TcpListener;

/// Connections that wait to be taken. Of more that come at once, the rest try again a second later; a listener is made with 128.
const BACKLOG: i32 = 1024;

/// How long, in milliseconds, a client may take nothing of its answer. actix waits for ever for one that does not read, or has
/// vanished in the middle; the system gives its connection up.
#[cfg(target_os = "linux")]
const UNREAD_TIMEOUT: u32 = 20_000;

/// To be done before anyone connects: a connection has from its listener how long it waits. (Elsewhere than on Linux that is for the proxy
/// to do.)
pub(super) fn prepare(listener: &TcpListener) -> io::Result<()> {
    rustix::net::listen(listener, BACKLOG)?;
    #[cfg(target_os = "linux")]
    rustix::net::sockopt::set_tcp_user_timeout(listener, UNREAD_TIMEOUT)?;
    Ok(())
}
