//! The command line: reads the settings, runs one command, and turns its outcome into an exit code.
//!
//! 0: done. 1: it could not be done; standard error says why. 2: a setting or argument is wrong, and nothing was begun.

mod audit;
mod db;
mod doctor;
mod export;
mod import;
mod keys;
mod migrate;
mod openapi;
mod serve;
mod stop;
mod table;
mod usage;
mod user;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{anyhow, ensure};
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::accounts;
use crate::config::{self, Config, LogFormat, Problem};
use crate::error::Error;
use crate::http::{self, Routes};
use crate::store::Db;
use crate::store::look::{self, sqlite_file};
use crate::telemetry;

/// Settings, in the working directory.
const DOTENV: &str = ".env";

/// An authentication service, in one program.
///
/// Settings come from flags, the environment and .env in the working directory, in that order.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Migrates the database, then serves; the default.
    Serve,
    /// Migrates the database and exits.
    Migrate,
    /// Makes, lists and changes users, brings them along and takes them along. Running services follow within a second.
    #[command(subcommand)]
    User(user::UserCommand),
    /// Shows and replaces the keys that sign access tokens. Running services follow within a second.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Looks at the audit log.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Shows who asked how often, and for which service.
    Usage(usage::UsageCommand),
    /// Looks whether the service would run well here with these settings, and changes nothing. Exits with 1 where there is a
    /// problem.
    Doctor(doctor::DoctorCommand),
    /// Copies the database to another, or into a file.
    #[command(subcommand)]
    Db(db::DbCommand),
    /// Prints the OpenAPI document.
    Openapi,
}

/// The whole program, with routes of one's own beside the service's.
pub fn main_with(own_routes: impl Fn(&mut Routes) + Clone + Send + 'static) -> ExitCode {
    let matches = config::with_settings(Cli::command()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(&matches, own_routes),
        Command::Migrate => run(&matches, migrate::run),
        Command::User(command) => run(&matches, async |config| {
            if !command.makes_users() {
                demand_database(&config).await?;
            }
            user::run(config, command).await
        }),
        Command::Keys(command) => run(&matches, async |config| {
            demand_database(&config).await?;
            keys::run(config, command).await
        }),
        Command::Audit(command) => run(&matches, async |config| {
            demand_database(&config).await?;
            audit::run(config, command).await
        }),
        Command::Usage(command) => run(&matches, async |config| {
            demand_database(&config).await?;
            usage::run(config, command).await
        }),
        Command::Doctor(command) => doctor::run(&matches, &command),
        Command::Db(command) => match command.problems() {
            problems if problems.is_empty() => run(&matches, async |config| db::run(config, command).await),
            problems => complain(&problems),
        },
        Command::Openapi => report(openapi::print()),
    }
}

/// Runs a command that needs the settings.
fn run(matches: &ArgMatches, command: impl AsyncFnOnce(Config) -> anyhow::Result<()>) -> ExitCode {
    match settings(matches) {
        Ok(config) => report(start(config, command)),
        Err(problems) => complain(&problems),
    }
}

/// Serves. Why it can't is a line of the log where that is for programs; all other commands speak to people.
fn serve(matches: &ArgMatches, own_routes: impl Fn(&mut Routes) + Clone + Send + 'static) -> ExitCode {
    let (file, _) = config::dotenv(Path::new(DOTENV));
    let as_json = config::log_format_given(matches, std::env::vars_os().chain(file)) == LogFormat::Json;
    match settings(matches).and_then(serve::judge) {
        Ok(config) => match start(config, async |config| serve::run(config, own_routes).await) {
            Err(error) if as_json => {
                telemetry::tell_failure_as_json(&in_full(&error));
                ExitCode::FAILURE
            }
            outcome => report(outcome),
        },
        Err(problems) if as_json => {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            telemetry::tell_failure_as_json(&format!("{WRONG_SETTINGS}: {}", problems.join("; ")));
            ExitCode::from(2)
        }
        Err(problems) => complain(&problems),
    }
}

fn start(config: Config, command: impl AsyncFnOnce(Config) -> anyhow::Result<()>) -> anyhow::Result<()> {
    telemetry::start(&config);
    http::block_on(command(config))
}

/// For commands that look at what is there, or change it: in the wrong folder they would make an empty database, and tell of that;
/// in another program's, tables beside its own; and wherever nothing is yet, a secret that the service has not.
async fn demand_database(config: &Config) -> anyhow::Result<()> {
    let url = config.database_url.expose();
    if let Some(file) = sqlite_file(url)? {
        ensure!(
            file.exists(),
            "there is no file {} in {}; run this in the folder in which the service runs, or set DATABASE_URL. `portcullis serve` makes one",
            file.display(),
            std::env::current_dir().unwrap_or_default().display()
        );
    }
    let db = Db::look(url).await?;
    let begun = look::is_begun(&db).await;
    db.close().await;
    ensure!(
        begun.map_err(told)?,
        "{} holds nothing of Portcullis yet; check DATABASE_URL, or run `portcullis serve` or `portcullis migrate` first",
        config.database_url
    );
    Ok(())
}

/// From the command line, the environment and `.env`; what is wrong with any of them, all together.
fn settings(matches: &ArgMatches) -> Result<Config, Vec<Problem>> {
    let (file, mut problems) = config::dotenv(Path::new(DOTENV));
    let config = config::collect(matches, std::env::vars_os().chain(file), accounts::first_admin_problems);
    match config {
        Ok(config) if problems.is_empty() => Ok(config),
        config => {
            problems.extend(config.err().into_iter().flatten());
            Err(problems)
        }
    }
}

fn report(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("portcullis: {}", in_full(&error));
            ExitCode::FAILURE
        }
    }
}

/// What failed, and why; but not what only a client is told, nor what was said already: errors of libraries often quote their cause.
fn in_full(error: &anyhow::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    for cause in error.chain() {
        let is_for_clients = matches!(cause.downcast_ref(), Some(Error::Internal(_) | Error::Unavailable(_)));
        let text = cause.to_string();
        if !is_for_clients && said.last().is_none_or(|before| !before.ends_with(&text)) {
            said.push(text);
        }
    }
    said.join(": ")
}

/// What failed, for the person at the terminal, who is told what of a request only the log would have.
fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Validation(errors) => {
            anyhow!(errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join(" "))
        }
        Error::Internal(cause) | Error::Unavailable(cause) => cause,
        error => error.into(),
    }
}

/// Settings from a command line and an environment alone, as [`main_with`] would read them.
pub fn config_from<'a>(
    arguments: impl IntoIterator<Item = &'a str>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Config, Vec<Problem>> {
    let matches = config::with_settings(Cli::command()).try_get_matches_from(arguments);
    let matches =
        matches.map_err(|error| vec![Problem { name: "arguments".into(), what: error.to_string() }])?;
    config::collect(&matches, environment, accounts::first_admin_problems)
}

const WRONG_SETTINGS: &str = "some settings are not as they must be";

fn complain(problems: &[Problem]) -> ExitCode {
    eprintln!("portcullis: {WRONG_SETTINGS}:");
    problems.iter().for_each(|problem| eprintln!("  {problem}"));
    eprintln!("`portcullis --help` lists them all.");
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn nothing_is_said_twice() {
        let cause = anyhow!("no such table");
        let quoting = anyhow!("no such table").context("while reading: no such table");
        for (error, said) in [
            (anyhow::Error::new(Error::Internal(cause)), "no such table"),
            (quoting.context("can't start"), "can't start: while reading: no such table"),
        ] {
            assert_eq!(in_full(&error), said);
        }
        let failed: anyhow::Result<()> = Err(Error::Unavailable(anyhow!("away")).into());
        assert_eq!(in_full(&failed.context("can't start").unwrap_err()), "can't start: away");
    }
}
