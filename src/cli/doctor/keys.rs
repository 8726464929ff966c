//! The secret, and the keys that are encrypted under it.

use std::path::Path;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::report::{Report, cause};
use crate::app::{BRING_IT_BACK, fingerprint};
use crate::config::{Config, KeyRotation};
use crate::private::{SECRET_FILE, read_secret};
use crate::store::{Db, secret_fingerprint};
use crate::tokens::{KeyInfo, KeyState, look};

const CHECK: &str = "keys";

/// How late the next key may be: a running service looks every minute.
const LATE: TimeDelta = TimeDelta::hours(1);

pub async fn check(report: &mut Report, config: &Config, db: &Db, now: DateTime<Utc>) {
    let known = match secret_fingerprint::present(db).await {
        Ok(Some(known)) => known,
        Ok(None) => return report.ok(CHECK, "none yet; the first start makes one"),
        Err(error) => return report.problem(CHECK, cause(error), "check the database's own log"),
    };
    let secret = match &config.secret_key {
        Some(set) => Some(set.clone()),
        None => read_secret(Path::new(SECRET_FILE)).ok().flatten(),
    };
    let Some(secret) = secret else {
        let what = format!(
            "this database has a secret, but SECRET_KEY is not set and {SECRET_FILE} is not here, or can't be read"
        );
        return report.problem(CHECK, what, BRING_IT_BACK);
    };
    let previous = config.secret_key_previous.as_ref();
    if fingerprint(&secret).as_slice() != known
        && previous.is_none_or(|secret| fingerprint(secret).as_slice() != known)
    {
        return report.problem(
            CHECK,
            "the keys in this database were made under another SECRET_KEY",
            BRING_IT_BACK,
        );
    }
    let found = match look(db, &secret, previous, now).await {
        Ok(found) => found,
        Err(error) => return report.problem(CHECK, cause(error), "check the database's own log"),
    };
    if !found.unreadable.is_empty() {
        let what = format!("{} can't be decrypted with SECRET_KEY", found.unreadable.join(", "));
        report.problem(CHECK, what, "portcullis keys revoke drops a key; what it signed is refused then");
    }
    match found.keys.iter().find(|key| key.state == KeyState::Active) {
        Some(key) => look_at(report, config, key, found.keys.last().unwrap_or(key), now),
        None if found.unreadable.is_empty() => report.ok(CHECK, "none yet; the first start makes one"),
        None => {}
    }
}

fn look_at(report: &mut Report, config: &Config, key: &KeyInfo, newest: &KeyInfo, now: DateTime<Utc>) {
    let wanted = config.jwt_algorithm;
    if newest.algorithm != wanted {
        let what = format!(
            "JWT_ALGORITHM is {}, and the newest key is one of {}",
            wanted.name(),
            newest.algorithm.name()
        );
        report.warning(
            CHECK,
            what,
            "the next start makes one of the other kind, for all replicas; give all the same setting",
        );
    }
    let every = config.key_rotation.0.and_then(|every| TimeDelta::from_std(every).ok());
    let next = every.and_then(|every| newest.signs_from.checked_add_signed(every));
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let days = (now - key.signs_from).num_days();
    let (kid, algorithm) = (&key.kid, key.algorithm.name());
    match next {
        Some(next) if next + LATE < now => {
            let what = format!("{kid} ({algorithm}) should have been replaced at {}", time(next));
            report.warning(CHECK, what, "a running service does so; or `portcullis keys rotate`");
        }
        Some(next) => report.ok(
            CHECK,
            format!("{kid} ({algorithm}) signs for {days} days now; the next one at {}", time(next)),
        ),
        None => {
            let why =
                if config.key_rotation == KeyRotation(None) { "KEY_ROTATION=off" } else { "its time is far" };
            report.ok(
                CHECK,
                format!("{kid} ({algorithm}) signs for {days} days now, and none replaces it ({why})"),
            );
        }
    }
}
