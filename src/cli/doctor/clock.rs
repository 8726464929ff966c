//! This machine's clock, against what the database knows of time.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::report::{Report, cause};
use crate::clock::Clock;
use crate::store::{Db, look};

const CHECK: &str = "clock";

/// What passes for the same time.
const NOTICEABLE: TimeDelta = TimeDelta::seconds(1);

/// From here on replicas refuse each other's tokens.
const HARMFUL: TimeDelta = TimeDelta::seconds(5);

const SET_IT: &str = "let NTP set both clocks (timedatectl, chrony)";

pub async fn check(report: &mut Report, db: &Db, clock: &Clock, has_tables: bool) {
    let asked = clock.now();
    match look::server(db).await {
        Ok(Some(server)) => {
            // The server told its time at some moment in between.
            let answered = clock.now();
            let off = if server.now < asked {
                asked - server.now
            } else {
                (server.now - answered).max(TimeDelta::zero())
            };
            let side = if server.now < asked { "ahead of" } else { "behind" };
            let what = format!("{} s {side} the database's", off.as_seconds_f64().round());
            match off {
                off if off > HARMFUL => report.problem(CHECK, what, SET_IT),
                off if off > NOTICEABLE => report.warning(CHECK, what, SET_IT),
                _ => report.ok(CHECK, "the same time as the database's"),
            }
        }
        Ok(None) => {}
        Err(error) => return report.problem(CHECK, cause(error), "check the database's own log"),
    }
    if has_tables {
        match look::newest(db).await {
            Ok(newest) => against(report, newest, clock.now()),
            Err(error) => report.problem(CHECK, cause(error), "check the database's own log"),
        }
    }
    if !report.has_complaints_about(CHECK) && !has_tables {
        report.ok(CHECK, "nothing was written yet that it could be held against");
    }
}

fn against(report: &mut Report, newest: Option<DateTime<Utc>>, now: DateTime<Utc>) {
    match newest {
        Some(newest) if newest > now + HARMFUL => {
            let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
            let what = format!(
                "here it is {}, and the newest change in the database is from {}",
                time(now),
                time(newest)
            );
            report.warning(CHECK, what, SET_IT);
        }
        _ => report.ok(CHECK, "not behind the newest change in the database"),
    }
}
