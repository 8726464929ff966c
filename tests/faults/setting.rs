//! Where a test takes place: the program with its settings.

use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::program::{Place, Server};

pub const ADMIN: &str = "root";
pub const ADMIN_PASSWORD: &str = "quartz-meadow-harbour-17";

/// A folder and settings, on a port that stays the same from one start to the next. Limits are on; clients have addresses of
/// their own, behind a proxy that is trusted.
pub fn place() -> Place {
    Place::new()
        .with("PORT", &free_port().to_string())
        .with("BCRYPT_COST", "4")
        .with("TRUSTED_PROXIES", "127.0.0.1")
        .with("ADMIN_USERNAME", ADMIN)
        .with("ADMIN_PASSWORD", ADMIN_PASSWORD)
}

/// One that nobody uses at the moment, nor is given without asking for it: what is killed leaves it free for seconds.
pub fn free_port() -> u16 {
    static NEXT: LazyLock<AtomicU16> =
        LazyLock::new(|| AtomicU16::new((RandomState::new().hash_one(()) % 12_000) as u16));
    let mut ports = (0..12_000).map(|_| 20_000 + NEXT.fetch_add(1, Relaxed) % 12_000);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("no port is free")
}

/// Ends the service, and demands that it never lost its head.
pub fn stop(server: Server) {
    let done = server.stop().expect(0);
    assert!(!done.stderr.contains("panicked"), "{}", done.stderr);
}

/// Waits until so many mails have left, as files.
pub async fn has_mails(folder: &Path, count: usize) {
    let began = Instant::now();
    loop {
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let mails = files.filter(|file| file.extension().is_some_and(|extension| extension == "eml")).count();
        if mails >= count {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "only {mails} of {count} mails have left");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
