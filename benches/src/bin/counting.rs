//! What it costs to count a request: nothing else, on one thread, for a user who was counted before.

use std::hint::black_box;
use std::time::Instant;

use clap::Parser;
use portcullis::clock::Clock;
use portcullis::id::UserId;
use portcullis::usage::{Service, Usage};

#[derive(Parser)]
struct Arguments {
    /// How many requests are counted.
    #[arg(long)]
    requests: u32,
    /// Of how many users, in turn.
    #[arg(long)]
    users: usize,
}

fn main() {
    let arguments = Arguments::parse();
    let (usage, clock) = (Usage::default(), Clock::system());
    let users: Vec<UserId> = (0..arguments.users).map(|_| UserId::new(clock.now())).collect();
    let count = |user: &UserId| {
        usage.count(black_box(*user), None, Service::Own, black_box(clock.now()));
    };
    users.iter().for_each(count);
    let start = Instant::now();
    users.iter().cycle().take(arguments.requests as usize).for_each(count);
    let nanoseconds = start.elapsed().as_nanos() as f64 / f64::from(arguments.requests);
    println!("{}", serde_json::json!({ "nanoseconds": nanoseconds }));
}
