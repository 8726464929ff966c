//! `portcullis db`.

use std::convert::Infallible;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde_json::json;

use super::stop::Signals;
use super::table::Table;
use crate::config::{Config, DatabaseUrl, Problem};
use crate::store::backup::backup;
use crate::store::copy::{Compared, Step, copy};

/// Digits of a checksum that people compare.
const DIGITS: usize = 16;

#[derive(Debug, Subcommand)]
pub(super) enum DbCommand {
    /// Copies all of a database into an empty one, and compares them: SQLite to Postgres, back, or to another of its kind. The
    /// source is not changed, and may be in use, but what is written to it meanwhile is not in the copy: to move, stop the
    /// service first. The target gets its schema, and either all or nothing of the rest.
    Copy(CopyArguments),
    /// Writes a copy of the SQLite database to a new file, whole and readable by its owner alone, while the service goes on. (Of
    /// Postgres, pg_dump does.)
    Backup {
        /// It must not be there yet.
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct CopyArguments {
    /// The database to copy: sqlite://path/to/file.db or postgres://user@host:5432/name. A password can be in PGPASSWORD or
    /// ~/.pgpass instead, where the list of processes does not show it.
    #[arg(long, value_name = "URL", value_parser = url)]
    from: Result<DatabaseUrl, String>,
    /// Where to: a file that is not there yet, or a Postgres database or schema that is empty.
    #[arg(long, value_name = "URL", value_parser = url)]
    to: Result<DatabaseUrl, String>,
    /// Prints JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// What is wrong with one is told later: clap would quote it, and it may hold a password.
fn url(text: &str) -> Result<Result<DatabaseUrl, String>, Infallible> {
    Ok(text.parse())
}

impl DbCommand {
    /// What is wrong with its arguments.
    pub fn problems(&self) -> Vec<Problem> {
        let DbCommand::Copy(CopyArguments { from, to, .. }) = self else { return Vec::new() };
        let urls = [("--from", from), ("--to", to)];
        let wrong = urls.into_iter().filter_map(|(name, url)| Some((name, url.as_ref().err()?.clone())));
        let mut problems: Vec<_> =
            wrong.map(|(name, what)| Problem { name: name.to_owned(), what }).collect();
        if let (Ok(from), Ok(to)) = (from, to)
            && from.expose() == to.expose()
        {
            let what = "is the database to copy from; name another, which is empty".to_owned();
            problems.push(Problem { name: "--to".to_owned(), what });
        }
        problems
    }
}

pub(super) async fn run(config: Config, command: DbCommand) -> anyhow::Result<()> {
    let since = Instant::now();
    match command {
        DbCommand::Copy(CopyArguments { from: Ok(from), to: Ok(to), json }) => {
            copy_all(&from, &to, json, since).await
        }
        DbCommand::Copy(_) => bail!("--from and --to must be databases' URLs"),
        DbCommand::Backup { file } => {
            let (url, signals) = (&config.database_url, Signals::catch()?);
            let done = tokio::select! {
                done = backup(url.expose(), &file) => done,
                // What it has written so far goes with it.
                () = signals.any() => Err(anyhow!("it was interrupted, and nothing is left of it")),
            };
            let done = done.with_context(|| format!("no backup of {url}"))?;
            println!(
                "{} has all of {url}: {} ({} bytes), in {}.",
                file.display(),
                HumanBytes(done.bytes),
                done.bytes,
                seconds(since)
            );
            println!(
                "SECRET_KEY (or data/secret.key) is not in it, and it is of no use without: keep that, too."
            );
            Ok(())
        }
    }
}

async fn copy_all(from: &DatabaseUrl, to: &DatabaseUrl, json: bool, since: Instant) -> anyhow::Result<()> {
    let bar = ProgressBar::hidden();
    let compared = copy(from.expose(), to.expose(), |step| show(&bar, step)).await;
    bar.finish_and_clear();
    let compared = compared.with_context(|| format!("{from} was not copied to {to}"))?;
    if json { print_json(&compared) } else { print_table(&compared) }?;
    let differ: Vec<_> = compared.iter().filter(|table| !table.is_same()).collect();
    if !differ.is_empty() {
        let names: Vec<_> = differ.iter().map(|table| table.table.as_str()).collect();
        bail!(
            "what arrived in {} is not what was sent, so nothing was kept: the target is as empty as before. See whether a trigger or \
             another hand changes rows there",
            names.join(", ")
        );
    }
    if !json {
        let rows: u64 = compared.iter().map(|table| table.from.rows).sum();
        println!("\n{rows} rows of {from} are in {to}, and are the same; it took {}.", seconds(since));
        println!("Start the service there with the same SECRET_KEY (or data/secret.key).");
    }
    Ok(())
}

/// Not shown where standard error is no terminal.
fn show(bar: &ProgressBar, step: Step<'_>) {
    match step {
        Step::Total(rows) => {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {pos} of {len} ({eta} left)");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            // Each is copied, and then checked.
            bar.set_length(2 * rows);
            bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        Step::Copying(table) => bar.set_message(format!("copying {table}")),
        Step::Checking(table) => bar.set_message(format!("checking {table}")),
        Step::Done(rows) => bar.inc(rows),
    }
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
}

fn hexadecimal(checksum: &[u8]) -> String {
    checksum.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn print_table(compared: &[Compared]) -> io::Result<()> {
    let mut table = Table::of(["TABLE", "ROWS", "CHECKSUM", "ROWS THERE", "CHECKSUM THERE", ""]);
    for one in compared {
        let short = |checksum: &[u8]| hexadecimal(checksum)[..DIGITS].to_owned();
        table.row([
            one.table.clone(),
            one.from.rows.to_string(),
            short(&one.from.checksum),
            one.to.rows.to_string(),
            short(&one.to.checksum),
            if one.is_same() { "same" } else { "DIFFERENT" }.to_owned(),
        ]);
    }
    write!(io::stdout().lock(), "{table}")
}

fn print_json(compared: &[Compared]) -> io::Result<()> {
    let tables = compared.iter().map(|one| {
        let side = |sum: &crate::store::copy::Sum| json!({ "rows": sum.rows, "checksum": hexadecimal(&sum.checksum) });
        json!({ "table": one.table, "from": side(&one.from), "to": side(&one.to), "same": one.is_same() })
    });
    let all = json!({
        "same": compared.iter().all(Compared::is_same),
        "tables": tables.collect::<Vec<_>>(),
    });
    writeln!(io::stdout().lock(), "{all:#}")
}
