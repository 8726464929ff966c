//! Accounts, each registered and logged in.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::thread;

use anyhow::{Context, ensure};
use bench::connection::{Answer, Connection, post};
use clap::Args;
use serde_json::{Value, json};

/// Registers accounts, and logs each in if its tokens are wanted.
#[derive(Args)]
pub struct Seed {
    #[arg(long)]
    address: SocketAddr,
    /// The accounts are called `{prefix}0`, `{prefix}1`, …
    #[arg(long)]
    prefix: String,
    #[arg(long)]
    users: usize,
    #[arg(long)]
    password: String,
    /// Where their access tokens go, one a line.
    #[arg(long, requires = "refresh_tokens")]
    access_tokens: Option<PathBuf>,
    #[arg(long)]
    refresh_tokens: Option<PathBuf>,
    #[arg(long, default_value = "16")]
    connections: usize,
}

/// Access token and refresh token.
type Tokens = (String, String);

impl Seed {
    pub fn run(self) -> anyhow::Result<Value> {
        let share = self.users.div_ceil(self.connections);
        let tokens = thread::scope(|scope| {
            let threads: Vec<_> = (0..self.users)
                .step_by(share)
                .map(|first| {
                    scope.spawn({
                        let this = &self;
                        move || this.some(first..(first + share).min(this.users))
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("it asks"))
                .collect::<anyhow::Result<Vec<_>>>()
        })?;
        let (access, refresh): (Vec<_>, Vec<_>) = tokens.into_iter().flatten().unzip();
        for (path, tokens) in [(&self.access_tokens, access), (&self.refresh_tokens, refresh)] {
            if let Some(path) = path {
                fs::write(path, tokens.join("\n"))?;
            }
        }
        Ok(json!({ "users": self.users }))
    }

    fn some(&self, numbers: std::ops::Range<usize>) -> anyhow::Result<Vec<Tokens>> {
        let mut connection = Connection::new(self.address);
        let mut tokens = Vec::new();
        for n in numbers {
            let username = format!("{}{n}", self.prefix);
            let account = json!({
                "username": username, "email": format!("{username}@example.com"),
                "display_name": format!("Ada Lovelace {n}"), "password": self.password,
            });
            demand(connection.send(&post("/api/v1/register", &account))?, 201)?;
            if self.access_tokens.is_some() {
                let login = json!({ "username": username, "password": self.password });
                let answer = demand(connection.send(&post("/api/v1/login", &login))?, 200)?;
                let text = |field| answer.text(field).map(str::to_owned).context("an answer without tokens");
                tokens.push((text("access_token")?, text("refresh_token")?));
            }
        }
        Ok(tokens)
    }
}

fn demand(answer: Answer, status: u16) -> anyhow::Result<Answer> {
    ensure!(answer.status == status, "answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok(answer)
}
