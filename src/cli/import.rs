//! `portcullis user import`.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::user::{Ask, ask_for_password};
use crate::accounts::import::{Allowed, Candidate, File, Format, HashParameters, Import, Record};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Error;

/// Users that are written in one transaction: others who write wait for so long at most.
const BATCH: usize = 500;

/// The same where each has to be hashed first, so that it shows how far it is.
const HASHED_BATCH: usize = 32;

#[derive(Debug, Args)]
pub(super) struct ImportArguments {
    /// JSON Lines, CSV with a header, or what Supabase, Firebase, Keycloak or Django export; docs/import.md has them.
    file: PathBuf,

    /// What wrote the file; found by what it has, unless it is said.
    #[arg(long, value_enum)]
    format: Option<FormatName>,

    /// Writes nothing, and tells what would become of each row.
    #[arg(long)]
    dry_run: bool,

    /// One of the users in the file. Asks for that user's password, or reads it from standard input, and writes nothing
    /// unless it is right by the hash in the file.
    #[arg(long, value_name = "EMAIL")]
    canary: Option<String>,

    /// Makes roles that don't exist. Without it, who has one is refused.
    #[arg(long)]
    create_roles: bool,

    /// Takes what stands in a column `password`, and is no hash, for the password itself, and hashes it. Without it, who has
    /// such a one is refused.
    #[arg(long)]
    plain_text_passwords: bool,

    /// Of Firebase's hash parameters, `base64_signer_key`.
    #[arg(long, value_name = "BASE64", requires_all = ["salt_separator", "rounds", "mem_cost"])]
    hash_key: Option<String>,

    /// Of Firebase's hash parameters, `base64_salt_separator`.
    #[arg(long, value_name = "BASE64", requires = "hash_key")]
    salt_separator: Option<String>,

    /// Of Firebase's hash parameters, `rounds`.
    #[arg(long, value_name = "NUMBER", requires = "hash_key")]
    rounds: Option<u32>,

    /// Of Firebase's hash parameters, `mem_cost`.
    #[arg(long, value_name = "NUMBER", requires = "hash_key")]
    mem_cost: Option<u32>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatName {
    JsonLines,
    Csv,
    Supabase,
    Firebase,
    Keycloak,
    Django,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Format {
        match name {
            FormatName::JsonLines => Format::JsonLines,
            FormatName::Csv => Format::Csv,
            FormatName::Supabase => Format::Supabase,
            FormatName::Firebase => Format::Firebase,
            FormatName::Keycloak => Format::Keycloak,
            FormatName::Django => Format::Django,
        }
    }
}

pub(super) async fn run(config: Config, arguments: ImportArguments) -> anyhow::Result<()> {
    let path = arguments.file.display();
    let text = std::fs::read_to_string(&arguments.file).with_context(|| format!("can't read {path}"))?;
    let file =
        File::read(&text, arguments.format.map(Format::from)).map_err(|why| anyhow!("{path}: {why}"))?;
    drop(text);
    let ImportArguments { hash_key, salt_separator, rounds, mem_cost, .. } = &arguments;
    let parameters = match (hash_key, salt_separator, rounds, mem_cost) {
        (Some(signer_key), Some(salt_separator), Some(rounds), Some(mem_cost)) => Some(HashParameters {
            signer_key: signer_key.clone(),
            salt_separator: salt_separator.clone(),
            rounds: *rounds,
            mem_cost: *mem_cost,
        }),
        _ if file.format == Format::Firebase => bail!(
            "a Firebase export is of no use without its project's hash parameters: give --hash-key, --salt-separator, \
             --rounds and --mem-cost, which the console shows under Authentication, Users, Password hash parameters"
        ),
        _ => None,
    };
    let app = App::open(config, Clock::system()).await?;
    let done = on(&app, &file, parameters.as_ref(), &arguments).await;
    app.db.close().await;
    done
}

async fn on(
    app: &App,
    file: &File,
    parameters: Option<&HashParameters>,
    arguments: &ImportArguments,
) -> anyhow::Result<()> {
    let ImportArguments { create_roles: new_roles, plain_text_passwords, .. } = *arguments;
    let mut import = Import::new(app, Allowed { new_roles, plain_text_passwords }).await.map_err(told)?;
    let now = app.clock.now();
    let records = || file.records(parameters, now).zip(1..);
    if let Some(canary) = &arguments.canary {
        let candidates = records().filter_map(|(record, _)| import.check(record.ok()?).ok());
        check_canary(app, canary, candidates).await?;
    }

    // The rows of a dry run show how far it is.
    let bar = if arguments.dry_run { ProgressBar::hidden() } else { progress(file.len() as u64) };
    let mut report = Report { dry_run: arguments.dry_run, counts: BTreeMap::new(), bar: &bar };
    let size = if plain_text_passwords { HASHED_BATCH } else { BATCH };
    let done = all(&mut import, records(), size, &mut report).await;
    bar.finish_and_clear();
    // Also of one that was broken off.
    import.end().await.map_err(told)?;
    done?;
    report.summary()
}

/// Goes through all rows, batch by batch.
async fn all(
    import: &mut Import<'_>,
    records: impl Iterator<Item = (Result<Record, String>, u64)>,
    size: usize,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let mut batch = Vec::new();
    for (record, row) in records {
        let name = record.as_ref().map_or_else(|_| "?".to_owned(), name);
        batch.push((row, name, record.and_then(|record| import.check(record))));
        if batch.len() == size {
            finish(import, std::mem::take(&mut batch), report).await?;
        }
    }
    finish(import, batch, report).await
}

/// Writes a batch, or looks what would become of it.
async fn finish(
    import: &mut Import<'_>,
    batch: Vec<(u64, String, Result<Candidate, String>)>,
    report: &mut Report<'_>,
) -> anyhow::Result<()> {
    let first = batch.first().map_or(0, |(row, ..)| *row);
    let (mut rows, mut candidates) = (Vec::new(), Vec::new());
    for (row, name, checked) in batch {
        let refused = checked.map(|candidate| candidates.push(candidate)).err();
        rows.push((row, name, refused));
    }
    let mut made = Vec::new();
    if report.dry_run {
        for candidate in &candidates {
            made.push(!import.exists(candidate).await.map_err(told)?);
        }
    } else {
        let written = import.write(candidates).await.map_err(told);
        made = written.with_context(|| {
            format!("stopped at row {first}; what was before it is written: run it again")
        })?;
    }
    let mut made = made.into_iter();
    for (row, name, refused) in rows {
        match refused {
            Some(why) => report.row(row, &name, Outcome::Refused, &why)?,
            None if made.next() == Some(true) => report.row(row, &name, Outcome::Imported, "")?,
            None => report.row(row, &name, Outcome::Exists, "")?,
        }
    }
    Ok(())
}

async fn check_canary(
    app: &App,
    canary: &str,
    mut candidates: impl Iterator<Item = Candidate>,
) -> anyhow::Result<()> {
    let found = candidates.find(|candidate| candidate.is(canary));
    let found = found.ok_or_else(|| {
        anyhow!("nothing was written: the file has no user {canary:?} that could be imported (--dry-run tells why)")
    })?;
    let password = ask_for_password(Ask::Once)?;
    if !found.accepts(app, &password).await.map_err(told)? {
        bail!(
            "nothing was written: this is not {canary:?}'s password, or the hash in the file is read wrongly"
        );
    }
    Ok(())
}

/// Not shown where standard error is no terminal.
fn progress(rows: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{wide_bar} {pos} of {len} ({eta} left)");
    ProgressBar::new(rows).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// By which a row is found in the file.
fn name(record: &Record) -> String {
    record
        .email
        .as_ref()
        .or(record.username.as_ref())
        .map_or_else(|| "?".to_owned(), |name| format!("{name:?}"))
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Imported,
    Exists,
    Refused,
}

/// What became of the rows.
struct Report<'a> {
    dry_run: bool,
    counts: BTreeMap<Outcome, u64>,
    bar: &'a ProgressBar,
}

impl Report<'_> {
    /// Each row is told in a dry run; else who is refused alone.
    fn row(&mut self, row: u64, name: &str, outcome: Outcome, why: &str) -> io::Result<()> {
        *self.counts.entry(outcome).or_default() += 1;
        self.bar.inc(1);
        let line = match outcome {
            Outcome::Refused => format!("row {row}: {name} refused: {why}"),
            _ if !self.dry_run => return Ok(()),
            Outcome::Imported => format!("row {row}: {name} imported"),
            Outcome::Exists => format!("row {row}: {name} exists"),
        };
        self.bar.suspend(|| writeln!(io::stdout(), "{line}"))
    }

    fn summary(&self) -> anyhow::Result<()> {
        let count = |outcome| self.counts.get(&outcome).copied().unwrap_or(0);
        let [imported, exists, refused] = [Outcome::Imported, Outcome::Exists, Outcome::Refused].map(count);
        let nothing = if self.dry_run { " Nothing was written." } else { "" };
        let mut out = BufWriter::new(io::stdout());
        writeln!(out, "{imported} imported, {exists} exist already, {refused} refused.{nothing}")?;
        out.flush()?;
        if refused > 0 {
            bail!("{refused} of {} rows are refused, for the reasons above", imported + exists + refused);
        }
        Ok(())
    }
}

/// What the log would have of a request's failure, the person at the terminal is told.
fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Internal(cause) | Error::Unavailable(cause) => cause,
        error => anyhow!(error),
    }
}
