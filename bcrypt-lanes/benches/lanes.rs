//! How many hashes a CPU-second, one at a time and interleaved, beside the `bcrypt` crate.
//!
//! `cargo bench -p bcrypt-lanes -- [cost] [--json]`. The variants take turns, so that another program's noise falls on
//! all of them alike, and each one's median counts.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bcrypt_lanes::{Cost, LANES, Lane};
use rustix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 15;
const SALT: [u8; 16] = *b"a salt, 16 bytes";
const PASSWORDS: [&[u8]; LANES] = [b"tidal-lantern", b"mosaic-42", b"correct horse battery staple", b"x"];

/// What is measured: the `bcrypt` crate, then this one with so many lanes.
#[derive(Clone, Copy)]
enum Variant {
    Crate,
    Lanes(usize),
}

struct Row {
    variant: Variant,
    /// Of CPU, for all lanes.
    cpu: Duration,
    wall: Duration,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    // Cargo adds a `--bench` of its own.
    let cost = arguments.iter().find(|argument| !argument.starts_with("--"));
    let cost = cost.map_or(Some(10), |cost| cost.parse().ok()).and_then(Cost::new);
    let Some(cost) = cost else {
        eprintln!("the cost is a number from {} to {}", Cost::MIN.get(), Cost::MAX.get());
        std::process::exit(2);
    };
    let rows = measure(cost);
    if json { print_json(cost, &rows) } else { print_table(cost, &rows) }
}

fn measure(cost: Cost) -> Vec<Row> {
    let variants: Vec<_> = std::iter::once(Variant::Crate).chain((1..=LANES).map(Variant::Lanes)).collect();
    let mut samples = vec![Vec::new(); variants.len()];
    for _ in 0..ROUNDS {
        for (&variant, samples) in variants.iter().zip(&mut samples) {
            let (began, spent) = (Instant::now(), cpu_time());
            variant.run(cost);
            samples.push((cpu_time() - spent, began.elapsed()));
        }
    }
    let row = |(variant, samples): (Variant, Vec<(Duration, Duration)>)| {
        let (cpu, wall) = samples.into_iter().unzip();
        Row { variant, cpu: median(cpu), wall: median(wall) }
    };
    variants.into_iter().zip(samples).map(row).collect()
}

/// This thread's.
fn cpu_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().expect("CPU time is not negative")
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

impl Variant {
    fn run(self, cost: Cost) {
        match self {
            Variant::Crate => {
                black_box(bcrypt::bcrypt(cost.get(), SALT, black_box(b"tidal-lantern\0")));
            }
            Variant::Lanes(count) => {
                let lanes = PASSWORDS.map(|password| Lane { password, salt: SALT });
                black_box(bcrypt_lanes::hash(cost, black_box(&lanes[..count])));
            }
        }
    }

    fn hashes(self) -> usize {
        match self {
            Variant::Crate => 1,
            Variant::Lanes(count) => count,
        }
    }

    fn name(self) -> String {
        match self {
            Variant::Crate => "`bcrypt` crate".to_owned(),
            Variant::Lanes(1) => "1 lane".to_owned(),
            Variant::Lanes(count) => format!("{count} lanes"),
        }
    }
}

impl Row {
    fn hashes_per_cpu_second(&self) -> f64 {
        self.variant.hashes() as f64 / self.cpu.as_secs_f64()
    }

    fn milliseconds(&self) -> f64 {
        self.wall.as_secs_f64() * 1000.0
    }
}

fn print_table(cost: Cost, rows: &[Row]) {
    println!("| cost {} | hashes a CPU-second | ms until all are done | to the `bcrypt` crate |", cost.get());
    println!("| --- | --- | --- | --- |");
    for row in rows {
        let (rate, ms) = (row.hashes_per_cpu_second(), row.milliseconds());
        println!(
            "| {} | {rate:.1} | {ms:.1} | {:.2} |",
            row.variant.name(),
            rate / rows[0].hashes_per_cpu_second()
        );
    }
}

/// One line; `lanes` is 0 for the `bcrypt` crate.
fn print_json(cost: Cost, rows: &[Row]) {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let lanes = if let Variant::Lanes(count) = row.variant { count } else { 0 };
            let (rate, ms) = (row.hashes_per_cpu_second(), row.milliseconds());
            let ratio = rate / rows[0].hashes_per_cpu_second();
            format!(r#"{{"lanes":{lanes},"hashes_per_cpu_second":{rate:.2},"milliseconds":{ms:.2},"ratio":{ratio:.3}}}"#)
        })
        .collect();
    println!(r#"{{"cost":{},"rows":[{}]}}"#, cost.get(), rows.join(","));
}
