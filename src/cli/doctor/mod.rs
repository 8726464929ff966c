//! `portcullis doctor`: whether the service would run well here with these settings. It looks, and changes nothing: no migration
//! is run, no file and no key is made.
//!
//! A file for each subject. What a check takes is bounded, also where a database or a mail server is frozen.

mod admins;
mod clock;
mod database;
mod files;
mod keys;
mod mail;
mod ready;
mod report;
mod settings;
mod tls;

use std::process::ExitCode;
use std::time::Duration;

use clap::ArgMatches;

use crate::clock::Clock;
use crate::config::Config;
use crate::http;
use report::Report;

/// How long the database may take to say goodbye.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

pub(super) use files::secret_refusal;

#[derive(Debug, clap::Args)]
pub(super) struct DoctorCommand {
    /// Prints the report as JSON.
    #[arg(long, conflicts_with = "ready")]
    json: bool,
    /// Only asks the service that runs here, at HOST and PORT, whether it is ready: exit code 0 if so, and 1 if not. For health
    /// checks.
    #[arg(long)]
    ready: bool,
}

pub(super) fn run(matches: &ArgMatches, command: &DoctorCommand) -> ExitCode {
    let config = match super::settings(matches) {
        Ok(config) => config,
        Err(problems) if command.ready => return super::complain(&problems),
        Err(problems) => {
            let mut report = Report::default();
            settings::wrong(&mut report, &problems);
            report.print(command.json);
            return ExitCode::from(2);
        }
    };
    if command.ready {
        return super::report(http::block_on(ready::ask(&config)));
    }
    let report = http::block_on(examine(&config));
    report.print(command.json);
    if report.has_problems() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn examine(config: &Config) -> Report {
    let (mut report, clock) = (Report::default(), Clock::system());
    settings::check(&mut report, config);
    files::check(&mut report, config);
    tls::check(&mut report, config, clock.now());
    if let Some(db) = database::open(&mut report, config).await {
        if let Some(has_tables) = database::migrations(&mut report, &db).await {
            database::check(&mut report, config, &db, has_tables).await;
            if has_tables {
                keys::check(&mut report, config, &db, clock.now()).await;
                admins::check(&mut report, config, &db).await;
            }
            clock::check(&mut report, &db, &clock, has_tables).await;
        }
        // A frozen one must not keep the process.
        let _ = tokio::time::timeout(CLOSED_WITHIN, db.close()).await;
    }
    mail::check(&mut report, config).await;
    report
}
