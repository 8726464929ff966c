//! The load that wrk does not make: requests at a constant rate, logins, refreshes, and the accounts for all of it.
//! Each command prints one JSON object.

mod burst;
mod logins;
mod rate;
mod refreshes;
mod seed;

use clap::Parser;

#[derive(Parser)]
enum Command {
    Burst(burst::Burst),
    Logins(logins::Logins),
    Rate(rate::Rate),
    Refreshes(refreshes::Refreshes),
    Seed(seed::Seed),
}

fn main() -> anyhow::Result<()> {
    let told = match Command::parse() {
        Command::Burst(command) => command.run()?,
        Command::Logins(command) => command.run()?,
        Command::Rate(command) => command.run()?,
        Command::Refreshes(command) => command.run()?,
        Command::Seed(command) => command.run()?,
    };
    println!("{told}");
    // Threads that still wait for an answer are not waited for.
    std::process::exit(0)
}
