//! Requests at a constant rate. Each has a time at which it is due, whatever became of the one before, and its latency
//! counts from there: a server that stalls is charged for all who would have come meanwhile ("coordinated omission").

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use bench::connection::{Connection, get};
use bench::latency;
use clap::Args;
use serde_json::{Value, json};

/// Asks at a constant rate.
#[derive(Args)]
pub struct Rate {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    path: String,
    #[arg(long)]
    token: String,
    #[arg(long, default_value = "1000")]
    per_second: f64,
    #[arg(long, default_value = "64")]
    connections: u32,
    /// Measured after one second of warm-up.
    #[arg(long)]
    seconds: f64,
}

const WARM_UP: Duration = Duration::from_secs(1);

/// How long after the end answers are still waited for.
const LAST_CALL: Duration = Duration::from_secs(10);

impl Rate {
    pub fn run(self) -> anyhow::Result<Value> {
        let start = Instant::now() + Duration::from_millis(50);
        let request = get(&self.path, &self.token);
        let sent = thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections)
                .map(|n| {
                    scope.spawn({
                        let request = &request;
                        let this = &self;
                        move || this.ask(n, start, request)
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("it asks")).collect::<Vec<_>>()
        });
        let failed: usize = sent.iter().map(|(_, failed)| failed).sum();
        let times = sent.into_iter().flat_map(|(times, _)| times).collect();
        Ok(json!({ "latency": latency::summary(times), "failed": failed }))
    }

    /// The requests of the `n`th connection: their latencies, and how many were not answered with a 200.
    fn ask(&self, n: u32, start: Instant, request: &[u8]) -> (Vec<Duration>, usize) {
        let between = Duration::from_secs_f64(f64::from(self.connections) / self.per_second);
        let (measured_from, end) = (start + WARM_UP, start + WARM_UP + Duration::from_secs_f64(self.seconds));
        let mut due = start + between * n / self.connections;
        let (mut connection, mut times, mut failed) = (Connection::new(self.address), Vec::new(), 0);
        while due < end {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            // What is not even sent by now counts as unserved.
            let answered = Instant::now() < end + LAST_CALL
                && connection.send(request).is_ok_and(|answer| answer.status == 200);
            if due >= measured_from {
                times.push(due.elapsed());
                failed += usize::from(!answered);
            }
            due += between;
        }
        (times, failed)
    }
}
