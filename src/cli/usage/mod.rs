//! `portcullis usage`.

mod plot;

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use chrono::{NaiveDate, NaiveTime};
use clap::Args;
use serde_json::json;

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::usage::{DAYS_BY_DEFAULT, Report, date_of, day_of, report};

/// Users and services that are shown.
const MOST: u32 = 20;

#[derive(Debug, Args)]
pub(super) struct UsageCommand {
    /// The first day (UTC), such as 2026-11-01; by default the 30 days up to the last one.
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// The last day (UTC); by default today.
    #[arg(long, value_name = "DAY")]
    to: Option<NaiveDate>,
    /// Prints JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Draws it, too: requests a day, and who asked most.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

pub(super) async fn run(config: Config, command: UsageCommand) -> anyhow::Result<()> {
    let clock = Clock::system();
    let day = |date: NaiveDate| day_of(date.and_time(NaiveTime::MIN).and_utc());
    let to = command.to.map_or_else(|| day_of(clock.now()), day);
    let from = command.from.map_or(to - DAYS_BY_DEFAULT + 1, day);
    if from > to {
        bail!("--from {} is after --to {}; give an earlier day", date_of(from), date_of(to));
    }
    let app = App::open(config, clock).await?;
    let found = report(&app.db, from, to, MOST).await;
    app.db.close().await;
    let found = found.map_err(anyhow::Error::from)?;
    if let Some(file) = command.plot {
        std::fs::write(&file, plot::draw(&found))
            .with_context(|| format!("can't write {}", file.display()))?;
    }
    if command.json {
        print_json(&found)?
    } else {
        print_table(&found)?
    }
    Ok(())
}

fn print_json(report: &Report) -> io::Result<()> {
    let days = report.days.iter().map(|(day, requests)| json!({ "day": day, "requests": requests }));
    let users = report
        .users
        .iter()
        .map(|user| json!({ "user_id": user.user_id, "name": user.name, "requests": user.requests }));
    let services =
        report.services.iter().map(|one| json!({ "service": one.service, "requests": one.requests }));
    let all = json!({
        "total": report.total,
        "days": days.collect::<Vec<_>>(),
        "users": users.collect::<Vec<_>>(),
        "services": services.collect::<Vec<_>>(),
    });
    writeln!(io::stdout().lock(), "{all:#}")
}

fn print_table(report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let ends = (report.days.first(), report.days.last());
    let (Some((from, _)), Some((to, _))) = ends else { return Ok(()) };
    writeln!(out, "{} requests from {from} to {to} (UTC)", report.total)?;
    if report.total == 0 {
        return Ok(());
    }
    writeln!(out, "\n{:36}  {:>12}", "DAY", "REQUESTS")?;
    for (day, requests) in report.days.iter().rev().filter(|(_, requests)| *requests > 0) {
        writeln!(out, "{:36}  {requests:>12}", day.to_string())?;
    }
    writeln!(out, "\n{:36}  {:>12}", "SERVICE", "REQUESTS")?;
    for one in &report.services {
        writeln!(out, "{:36}  {:>12}", one.service, one.requests)?;
    }
    writeln!(out, "\n{:36}  {:>12}  NAME", "USER", "REQUESTS")?;
    for user in &report.users {
        writeln!(out, "{:36}  {:>12}  {}", user.user_id.to_string(), user.requests, user.name)?;
    }
    Ok(())
}
