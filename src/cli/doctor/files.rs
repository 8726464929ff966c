//! Who may read the files that hold secrets.

use std::fs;
use std::path::Path;

use super::report::{Report, Verdict};
use crate::cli::DOTENV;
use crate::config::{Config, GUESSABLE, MAKE_ANOTHER, dotenv};
use crate::private::{SECRET_FILE, is_open_to_everyone, read_secret};
use crate::store::look::sqlite_file;

const CHECK: &str = "files";

/// Settings that are secrets, or whose URLs can hold a password.
const SECRETS: [&str; 6] =
    ["SECRET_KEY", "SECRET_KEY_PREVIOUS", "JWT_SECRET", "ADMIN_PASSWORD", "DATABASE_URL", "SMTP_URL"];

/// What is wrong with the service's own secret, and what to do. The service does not start with it.
pub fn secret_refusal(config: &Config) -> Option<(String, String)> {
    let file = Path::new(SECRET_FILE);
    if config.secret_key.is_some() {
        return None;
    }
    if is_open(file) {
        return Some((
            format!("every user of this machine can read {SECRET_FILE}, and sign tokens for anyone"),
            format!("chmod 600 {SECRET_FILE}, and replace it where one may have looked: docs/keys.md"),
        ));
    }
    let guessable = read_secret(file).ok().flatten().is_some_and(|secret| secret.is_guessable());
    (guessable && config.is_public_by_https())
        .then(|| (format!("{SECRET_FILE} {GUESSABLE}"), MAKE_ANOTHER.to_owned()))
}

/// One that is not there is not.
fn is_open(path: &Path) -> bool {
    is_open_to_everyone(path).unwrap_or(false)
}

pub fn check(report: &mut Report, config: &Config) {
    if let Some((what, todo)) = secret_refusal(config) {
        report.problem(CHECK, what, todo);
    } else if config.secret_key.is_none()
        && let Err(error) = read_secret(Path::new(SECRET_FILE))
    {
        report.problem(
            CHECK,
            format!("{SECRET_FILE} can't be read: {error:#}"),
            "mend it, or set SECRET_KEY",
        );
    }

    if let Ok(Some(file)) = sqlite_file(config.database_url.expose()) {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if is_open(&file) && is_open(folder) {
            let what = format!(
                "every user of this machine can read the database, {}: password hashes are in it",
                file.display()
            );
            let beside = ["", "-wal", "-shm"].map(|end| format!("{}{end}", file.display()));
            let there: Vec<_> = beside.into_iter().filter(|file| Path::new(file).exists()).collect();
            report.problem(CHECK, what, format!("chmod 600 {}", there.join(" ")));
        }
    }

    let env = Path::new(DOTENV);
    let (variables, _) = dotenv(env);
    let secret = variables.iter().find(|(name, value)| {
        let value = value.to_string_lossy();
        let is_url = name.to_string_lossy().ends_with("_URL");
        SECRETS.iter().any(|secret| name == secret) && !value.is_empty() && (!is_url || value.contains('@'))
    });
    if let Some((name, _)) = secret.filter(|_| is_open(env)) {
        let verdict = if config.is_public_by_https() { Verdict::Problem } else { Verdict::Warning };
        let what = format!("every user of this machine can read .env, which has {}", name.to_string_lossy());
        report.note(CHECK, verdict, what, "chmod 600 .env, and replace what one may have read");
    }

    let folder = Path::new("data");
    if fs::read_dir(folder).is_ok() && is_open(folder) {
        let what = "every user of this machine may look into data/";
        report.warning(CHECK, what, "chmod 700 data");
    }
    if !report.has_complaints_about(CHECK) {
        report.ok(CHECK, "no secret can be read by every user of this machine");
    }
}
