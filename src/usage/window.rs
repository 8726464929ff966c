//! For which days a quota is.

use chrono::{DateTime, Datelike, Utc};

use super::{date_of, day_of};
use crate::store::quotas::Per;

/// The first day of the day or month, and the first one after it.
#[derive(Clone, Copy)]
pub struct Window {
    pub first: i64,
    pub next: i64,
}

impl Window {
    pub fn of(per: Per, now: DateTime<Utc>) -> Window {
        let today = day_of(now);
        match per {
            Per::Day => Window { first: today, next: today + 1 },
            Per::Month => {
                let date = date_of(today);
                let first = today - i64::from(date.day0());
                Window { first, next: first + i64::from(date.num_days_in_month()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_day_or_a_month_of_the_calendar() {
        for (at, per, days) in [
            ("2026-11-22T23:59:59.999999Z", Per::Day, ("2026-11-22", "2026-11-23")),
            ("2026-11-23T00:00:00Z", Per::Day, ("2026-11-23", "2026-11-24")),
            ("2026-11-01T00:00:00Z", Per::Month, ("2026-11-01", "2026-12-01")),
            ("2026-12-31T23:59:59Z", Per::Month, ("2026-12-01", "2027-01-01")),
            ("2028-02-29T12:00:00Z", Per::Month, ("2028-02-01", "2028-03-01")),
        ] {
            let Window { first, next } = Window::of(per, at.parse().unwrap());
            assert_eq!(
                (date_of(first).to_string(), date_of(next).to_string()),
                (days.0.into(), days.1.into())
            );
        }
    }
}
