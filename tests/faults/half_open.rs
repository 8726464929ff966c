//! Connections on which nothing, or only half of something, ever comes.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::program::Server;
use crate::service::{Service, TOLD_WITHIN};
use crate::setting::{ADMIN, ADMIN_PASSWORD, place, stop};

/// What its clients send, and then no more. None of them reads.
const HALVES: [&str; 5] = [
    "",
    "GET /health/live HTTP/1.1\r\nhost: localhost\r\nx-half:",
    // One who reads it, and one who refuses it unread.
    "POST /api/v1/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"login\":",
    "POST /nowhere HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"login\":",
    // Sent a byte at a time.
    "GET /health/live HTTP/1.1\r\nhost: localhost\r\nx-slow: slow slow slow slow slow slow slow slow slow\r\n\r\n",
];

/// Of each.
const CONNECTIONS: usize = 80;

/// Those that ask for a lot at once, and read nothing of it.
const WHO_DO_NOT_READ: usize = 100;
const A_LOT: &str = "GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// By when all of them are closed.
const CLOSED_WITHIN: Duration = Duration::from_secs(45);

/// What all of them may take of memory, in KiB; it is about half of it.
const MEMORY: u64 = 100 * 1024;

async fn open(address: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(address.parse().unwrap()).await.unwrap()
}

fn open_files(server: &Server) -> usize {
    fs::read_dir(server.running.proc("fd")).unwrap().count()
}

/// In KiB.
fn memory(server: &Server) -> u64 {
    let status = fs::read_to_string(server.running.proc("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_cost_the_others_nothing_and_are_closed() {
    let server = place().serve(&[]);
    let service = Arc::new(Service::at(&server.url));
    let healthy = service.session(ADMIN, ADMIN_PASSWORD).await;
    service.me(&healthy).await;
    let (files, before) = (open_files(&server), memory(&server));

    let mut all = JoinSet::new();
    for half in HALVES {
        for _ in 0..CONNECTIONS {
            let address = server.address().to_owned();
            all.spawn(async move {
                let mut connection = open(&address).await;
                let pause = if half.contains("slow") { Duration::from_secs(1) } else { Duration::ZERO };
                let pieces = if pause.is_zero() { half.len().max(1) } else { 1 };
                for piece in half.as_bytes().chunks(pieces) {
                    if connection.write_all(piece).await.is_err() {
                        break;
                    }
                    tokio::time::sleep(pause).await;
                }
                std::future::pending::<()>().await;
                drop(connection);
            });
        }
    }
    for _ in 0..WHO_DO_NOT_READ {
        let address = server.address().to_owned();
        all.spawn(async move {
            let mut connection = open(&address).await;
            let _ = connection.write_all(A_LOT.repeat(40).as_bytes()).await;
            std::future::pending::<()>().await;
            drop(connection);
        });
    }
    let began = Instant::now();
    let (mut most_files, mut most_memory) = (0, 0);
    loop {
        let asked = Instant::now();
        let me = service.me(&healthy).await.0;
        let login = service.login(ADMIN, ADMIN_PASSWORD).await.0;
        assert_eq!((me, login), (200, 200));
        assert!(asked.elapsed() < TOLD_WITHIN * 2, "a healthy client waited for {:?}", asked.elapsed());
        most_files = most_files.max(open_files(&server));
        most_memory = most_memory.max(memory(&server));
        // Its own line and the databases' may differ by a few.
        if most_files > files + 400 && open_files(&server) <= files + 10 {
            break;
        }
        let open = open_files(&server) - files;
        assert!(began.elapsed() < CLOSED_WITHIN, "{open} of {most_files} files are still open");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("closed after {:?}; {} KiB more at most", began.elapsed(), most_memory - before);
    assert!(most_memory - before < MEMORY, "{most_memory} KiB, {before} before");
    all.abort_all();
    service.was_right();
    stop(server);
}
