//! An exact number of requests, for counting what one costs.

use std::net::SocketAddr;
use std::thread;

use anyhow::ensure;
use bench::connection::{Connection, get};
use clap::Args;
use serde_json::{Value, json};

/// Sends an exact number of requests.
#[derive(Args)]
pub struct Burst {
    #[arg(long)]
    address: SocketAddr,
    #[arg(long)]
    path: String,
    #[arg(long)]
    token: String,
    /// How many on each connection.
    #[arg(long)]
    each: usize,
    #[arg(long, default_value = "64")]
    connections: usize,
}

impl Burst {
    pub fn run(self) -> anyhow::Result<Value> {
        let request = get(&self.path, &self.token);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..self.connections).map(|_| scope.spawn(|| self.ask(&request))).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("it asks"))
        })?;
        Ok(json!({ "requests": self.each * self.connections }))
    }

    fn ask(&self, request: &[u8]) -> anyhow::Result<()> {
        let mut connection = Connection::new(self.address);
        for _ in 0..self.each {
            let status = connection.send(request)?.status;
            ensure!(status == 200, "answered {status}");
        }
        Ok(())
    }
}
