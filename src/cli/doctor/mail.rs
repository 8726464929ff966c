//! Whether mails would leave.

use std::path::Path;

use rustix::fs::{Access, access};

use super::report::Report;
use crate::config::Config;
use crate::mail;

const CHECK: &str = "mail";

pub async fn check(report: &mut Report, config: &Config) {
    match &config.smtp_url {
        Some(server) => match mail::reach(server).await {
            Ok(()) => report
                .ok(CHECK, format!("{server} lets this service in; whether it sends on, only a mail shows")),
            Err(why) => {
                let todo = "check SMTP_URL; docs/mail.md has what servers usually want";
                report.problem(CHECK, format!("{server} can't be used: {why}"), todo);
            }
        },
        None => look_at_folder(report, config),
    }
}

fn look_at_folder(report: &mut Report, config: &Config) {
    let folder = &config.mail_folder;
    let nearest =
        folder.ancestors().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let nearest = nearest.into_iter().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    if !nearest.is_dir() || access(nearest, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let what = format!("mails become files in {}, where this user can't write", folder.display());
        return report.problem(CHECK, what, "give the service's user the folder, or set SMTP_URL");
    }
    let what = format!("mails become files in {}, and nobody gets them", folder.display());
    if config.is_public_by_https() {
        report.warning(CHECK, what, "set SMTP_URL: docs/mail.md");
    } else {
        report.ok(CHECK, what);
    }
}
