//! Logins, as many at once as there are connections.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bench::connection::{Connection, post};
use bench::latency;
use clap::Args;
use serde_json::{Value, json};

/// Logs in again and again, on all connections at once.
#[derive(Args)]
pub struct Logins {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    path: String,
    /// The accounts `login0`, `login1`, … that there are.
    #[arg(long, default_value = "8")]
    users: usize,
    #[arg(long)]
    password: String,
    #[arg(long)]
    connections: usize,
    /// Measured after the warm-up.
    #[arg(long)]
    seconds: f64,
    #[arg(long, default_value = "2")]
    warmup: f64,
}

#[derive(Default)]
struct Outcomes {
    /// When a login succeeded, and how long it took.
    done: Vec<(Instant, Duration)>,
    /// Answers other than 200: a full queue's 503, say.
    refused: usize,
    /// No answer at all.
    failed: usize,
}

impl Logins {
    pub fn run(self) -> anyhow::Result<Value> {
        let outcomes = Arc::new(Mutex::new(Outcomes::default()));
        for n in 0..self.connections {
            let name = format!("login{}", n % self.users);
            let request = post(&self.path, &json!({ "username": name, "password": self.password }));
            let (outcomes, mut connection) = (outcomes.clone(), Connection::new(self.address));
            thread::spawn(move || log_in(&mut connection, &request, &outcomes));
        }
        thread::sleep(Duration::from_secs_f64(self.warmup));
        *outcomes.lock().expect("no thread panics") = Outcomes::default();
        thread::sleep(Duration::from_secs_f64(self.seconds));
        let outcomes = std::mem::take(&mut *outcomes.lock().expect("no thread panics"));

        let times = latency::summary(outcomes.done.iter().map(|(_, took)| *took).collect());
        let per_second = rate(&outcomes.done.iter().map(|(at, _)| *at).collect::<Vec<_>>());
        let (refused, failed) = (outcomes.refused, outcomes.failed);
        Ok(json!({ "per_second": per_second, "latency": times, "refused": refused, "failed": failed }))
    }
}

fn log_in(connection: &mut Connection, request: &[u8], outcomes: &Mutex<Outcomes>) {
    loop {
        let start = Instant::now();
        let answer = connection.send(request);
        let mut outcomes = outcomes.lock().expect("no thread panics");
        match answer {
            Ok(answer) if answer.status == 200 => outcomes.done.push((Instant::now(), start.elapsed())),
            Ok(_) => outcomes.refused += 1,
            Err(_) => {
                outcomes.failed += 1;
                drop(outcomes);
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// How close completions are that came out of the hasher together.
const TOGETHER: Duration = Duration::from_millis(20);

/// Completions a second. They may come in batches, so it counts from the first batch, without it, to the last:
/// counted over the window itself, it would be off by up to a batch.
fn rate(times: &[Instant]) -> Option<f64> {
    let (first, last) = (*times.first()?, *times.last()?);
    let later = times.iter().filter(|time| **time > first + TOGETHER).count();
    (later > 0).then(|| later as f64 / (last - first).as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_of_batches_is_that_of_what_is_in_them() {
        let start = Instant::now();
        let times: Vec<_> = (0..40).map(|n| start + Duration::from_millis(n / 4 * 200)).collect();
        assert_eq!(rate(&times), Some(20.0));
        assert_eq!(rate(&times[..1]), None);
    }
}
