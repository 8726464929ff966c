//! `/api/v1/me/usage`, and the days that are asked for there and by admins.

use actix_web::web::{Data, Json};
use actix_web::{HttpRequest, Responder};
use chrono::NaiveDate;
use serde::Serialize;

use super::CurrentUser;
use super::limited::tell_quota;
use super::params::Params;
use crate::app::App;
use crate::error::{Error, Result};
use crate::store::usage::{Days, of_user};
use crate::usage::{DAYS_BY_DEFAULT, date_of, day_of};

#[derive(Serialize)]
struct UsageBody {
    total: i64,
    days: Vec<DayBody>,
}

#[derive(Serialize)]
struct DayBody {
    day: NaiveDate,
    service: String,
    requests: i64,
}

pub(super) async fn mine(
    app: Data<App>,
    request: HttpRequest,
    user: CurrentUser,
    params: Params,
) -> Result<impl Responder> {
    tell_quota(&app, &request, &user).await?;
    let rows = of_user(&app.db, user.id, days(&app, &params)?).await?;
    let total = rows.iter().map(|row| row.requests).sum();
    let day = rows.into_iter().map(|row| DayBody {
        day: date_of(row.day),
        service: row.service,
        requests: row.requests,
    });
    Ok(Json(UsageBody { total, days: day.collect() }))
}

/// `from` and `to`, both included; the last days up to `to`, or to today, where there is no `from`.
pub(super) fn days(app: &App, params: &Params) -> Result<Days> {
    const DAY: &str = "a day as in 2026-11-22";
    let to = params.parsed("to", DAY, day)?.unwrap_or_else(|| day_of(app.clock.now()));
    let from = params.parsed("from", DAY, day)?.unwrap_or(to - DAYS_BY_DEFAULT + 1);
    if from > to {
        return Err(Error::InvalidRequest(
            "`from` must not be after `to`, which is today by default.".into(),
        ));
    }
    Ok(Days { from, to })
}

/// In days since the epoch.
fn day(text: &str) -> Option<i64> {
    let in_form = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let date: NaiveDate = text.parse().ok().filter(|_| in_form && !text.starts_with('-'))?;
    Some(day_of(date.and_time(chrono::NaiveTime::MIN).and_utc()))
}
