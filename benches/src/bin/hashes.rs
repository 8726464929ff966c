//! The `bcrypt` crate's own function, on as many threads as there are cores to it.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};

const PASSWORD: &str = "tidal-lantern-mosaic-42";

#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value = "12")]
    cost: u32,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// How many passwords are checked in a second.
    Rate {
        #[arg(long)]
        seconds: f64,
    },
    /// Checks one password for each line on standard input, and prints the milliseconds that took.
    Each,
}

#[expect(clippy::disallowed_methods, reason = "it is what the service is measured against")]
fn check(hash: &str) {
    assert!(bcrypt::verify(PASSWORD, hash).expect("the hash is sound"));
}

#[expect(clippy::disallowed_methods, reason = "it is what the service is measured against")]
fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let hash = bcrypt::hash(PASSWORD, arguments.cost)?;
    match arguments.command {
        Command::Rate { seconds } => {
            let threads = thread::available_parallelism()?.get();
            let seconds = Duration::from_secs_f64(seconds);
            let rates = thread::scope(|scope| {
                let threads: Vec<_> = (0..threads).map(|_| scope.spawn(|| rate(&hash, seconds))).collect();
                threads.into_iter().map(|thread| thread.join().expect("it hashes")).collect::<Vec<_>>()
            });
            println!("{}", serde_json::json!({ "per_second": rates.iter().sum::<f64>() }));
        }
        Command::Each => {
            for line in std::io::stdin().lines() {
                line?;
                let start = Instant::now();
                check(&hash);
                println!("{}", start.elapsed().as_secs_f64() * 1000.0);
                std::io::stdout().flush()?;
            }
        }
    }
    Ok(())
}

/// Hashes until the time is up, and takes the time of whole hashes.
fn rate(hash: &str, seconds: Duration) -> f64 {
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < seconds {
        check(hash);
        done += 1;
    }
    f64::from(done) / start.elapsed().as_secs_f64()
}
