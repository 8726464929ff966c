//! The certificate and its key, where there is one.

use chrono::{DateTime, Utc};

use super::report::Report;
use crate::config::Config;
use crate::tls::Files;

const CHECK: &str = "tls";

/// A certificate that expires sooner should have been renewed.
const SOON_DAYS: i64 = 14;

pub fn check(report: &mut Report, config: &Config, now: DateTime<Utc>) {
    let Some(files) = Files::of(config) else {
        let what = if config.is_public_by_https() {
            "TLS_CERT is unset: TLS is the proxy's"
        } else {
            "TLS_CERT is unset, and nothing here speaks TLS"
        };
        return report.ok(CHECK, what);
    };
    let pair = match files.read().and_then(|held| files.pair(&held, now)) {
        Ok(pair) => pair,
        Err(error) => return report.problem(CHECK, format!("{error:#}"), "docs/tls.md has how to get one"),
    };
    let days = (pair.not_after - now).num_days();
    if days < SOON_DAYS {
        let what = format!("the certificate expires in {days} days");
        report.warning(CHECK, what, "renew it; the running service takes the new one by itself");
    }
    let host = config.public_host();
    if config.is_public_by_https() && !pair.is_for(&host) {
        let what = format!("the certificate is not for {host}, where PUBLIC_URL leads");
        report.warning(
            CHECK,
            what,
            "have it made for that name too, unless a proxy in between shows another",
        );
    }
    if !report.has_complaints_about(CHECK) {
        report.ok(CHECK, format!("certificate and key fit; valid for {days} more days"));
    }
}
