//! A full disk under SQLite.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use serde_json::json;

use crate::killed::is_sound;
use crate::load::Load;
use crate::program::Server;
use crate::service::{Ask, Service};
use crate::setting::{ADMIN, ADMIN_PASSWORD, has_mails, place, stop};

/// A disk of its own for the service, in a namespace of its own: nothing has to be unmounted, whatever happens.
const MOUNT: &str = "mkdir data && mount -t tmpfs -o size=16m,mode=700 portcullis data && exec \"$@\"";

/// Mounts as root, or as one who is root in a namespace of users.
fn unshare() -> Vec<&'static str> {
    let as_root: &[&str] = if rustix::process::getuid().is_root() { &["-m"] } else { &["-rm"] };
    let works = |options: &[&str]| {
        let mut trial = std::process::Command::new("unshare");
        trial.args(options).args(["sh", "-c", "mount -t tmpfs trial /tmp"]);
        trial.output().is_ok_and(|done| done.status.success())
    };
    assert!(
        works(as_root),
        "a small disk has to be mounted: run this as root with CAP_SYS_ADMIN, or where `unshare -rm` (util-linux) may make \
         namespaces of users"
    );
    [&["unshare"], as_root, &["sh", "-c", MOUNT, "sh"]].concat()
}

/// Writes until nothing more fits.
fn fill(file: &Path) {
    let mut filler = File::create(file).unwrap();
    for size in [1 << 20, 1 << 12, 1] {
        while filler.write(&vec![b'x'; size]).is_ok_and(|written| written > 0) {}
    }
}

/// A copy of what the service has on the disk at this moment.
fn copied(server: &mut Server, data: &Path, to: &Path) -> PathBuf {
    server.running.signal(Signal::STOP);
    for name in ["portcullis.db", "portcullis.db-wal"] {
        fs::copy(data.join(name), to.join(name)).unwrap();
    }
    server.running.signal(Signal::CONT);
    to.join("portcullis.db")
}

#[tokio::test(flavor = "multi_thread")]
async fn full_it_takes_no_writes_and_shows_what_is_there() {
    // Without a cache, each read asks the database.
    let place = place().with("SESSION_CACHE_SIZE", "0").through(&unshare());
    let mut server = place.serve(&[]);
    let service = Arc::new(Service::at(&server.url));
    let data = server.running.proc("root").join(place.path("data").strip_prefix("/").unwrap());
    let load = Load::start(&service, 6);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let used = service.session(ADMIN, ADMIN_PASSWORD).await;
    service.me(&used).await;
    let unused = service.session(ADMIN, ADMIN_PASSWORD).await;

    service.suffers();
    fill(&data.join("filler"));
    // What the log has room for still succeeds.
    let began = Instant::now();
    let body = json!({ "username": ADMIN, "password": ADMIN_PASSWORD });
    let write = Ask { from: "10.2.0.1", method: "POST", path: "/api/v1/login", bearer: None, body };
    while service.ask(&write).await.is_some() {
        assert!(began.elapsed() < Duration::from_secs(60), "the disk is full, and writes succeed");
    }
    for _ in 0..30 {
        for session in [&used, &unused] {
            let (status, me) = service.me(session).await;
            assert_eq!((status, &me["username"]), (200, &json!(ADMIN)), "{me}");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    is_sound(&copied(&mut server, &data, folder.path())).await;

    fs::remove_file(data.join("filler")).unwrap();
    service.is_left_alone();
    load.is_back().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let accounts = load.stop().await;
    service.keeps(&accounts).await;
    has_mails(&data.join("mail"), accounts.iter().filter(|account| account.id.is_some()).count()).await;
    is_sound(&copied(&mut server, &data, folder.path())).await;
    stop(server);
}
