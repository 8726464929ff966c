//! Refreshes, each connection with sessions of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bench::connection::{Connection, post};
use clap::Args;
use serde_json::{Value, json};

/// Refreshes sessions in turn, and keeps their tokens for the next time.
#[derive(Args)]
pub struct Refreshes {
    #[arg(long)]
    address: SocketAddr,
    /// Refresh tokens, one a line; replaced by their successors.
    #[arg(long)]
    tokens: PathBuf,
    #[arg(long)]
    connections: usize,
    #[arg(long)]
    seconds: f64,
}

impl Refreshes {
    pub fn run(self) -> anyhow::Result<Value> {
        let text = fs::read_to_string(&self.tokens)?;
        let mut tokens: Vec<_> = text.lines().map(str::to_owned).collect();
        let share = tokens.len() / self.connections;
        ensure!(share > 0, "there are too few tokens");
        let start = Instant::now();
        let until = start + Duration::from_secs_f64(self.seconds);
        let done = thread::scope(|scope| {
            let mine = tokens.chunks_exact_mut(share).take(self.connections);
            let threads: Vec<_> =
                mine.map(|mine| scope.spawn(|| refresh(self.address, mine, until))).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("it refreshes"))
                .sum::<anyhow::Result<usize>>()
        })?;
        let per_second = done as f64 / start.elapsed().as_secs_f64();
        fs::write(&self.tokens, tokens.join("\n"))?;
        Ok(json!({ "per_second": per_second }))
    }
}

fn refresh(address: SocketAddr, tokens: &mut [String], until: Instant) -> anyhow::Result<usize> {
    let mut connection = Connection::new(address);
    for done in 0.. {
        if Instant::now() >= until {
            return Ok(done);
        }
        let token = &mut tokens[done % tokens.len()];
        let answer = connection.send(&post("/api/v1/refresh", &json!({ "refresh_token": *token })))?;
        ensure!(answer.status == 200, "a refresh was answered {}", answer.status);
        *token = answer.text("refresh_token").context("an answer without a refresh token")?.to_owned();
    }
    unreachable!("time passes")
}
