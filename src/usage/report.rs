//! Usage over all users, for who looks at it as a whole.

use super::date_of;
use crate::error::Result;
use crate::store::Db;
use crate::store::usage::{self, Days, OfAll, OfUser};

/// What was asked from one day to another.
#[derive(Debug)]
pub struct Report {
    pub total: i64,
    /// Every day in between, oldest first, also those on which nobody asked anything.
    pub days: Vec<(chrono::NaiveDate, i64)>,
    /// The users who asked most, and how much.
    pub users: Vec<OfUser>,
    /// The services that were asked most.
    pub services: Vec<OfAll>,
}

/// Days that a report has at most: ten years.
const MOST_DAYS: i64 = 3660;

/// From one day to another, both counted in days since the epoch; with so many users and services at most. A longer time is cut at its beginning.
pub async fn report(db: &Db, from: i64, to: i64, most: u32) -> Result<Report> {
    let days = Days { from: from.max(to.saturating_sub(MOST_DAYS - 1)), to };
    let counted = usage::by_day(db, days, None, MOST_DAYS as u32).await?;
    let on = |day: i64| counted.iter().find(|on| on.day == day).map_or(0, |on| on.requests);
    Ok(Report {
        total: counted.iter().map(|on| on.requests).sum(),
        days: (days.from..=days.to).map(|day| (date_of(day), on(day))).collect(),
        users: usage::by_user(db, days, None, most).await?,
        services: usage::by_service(db, days, None, most).await?,
    })
}
