//! Whether somebody may administer.

use super::report::{Report, cause};
use crate::config::Config;
use crate::store::{Db, look};

const CHECK: &str = "admins";

pub async fn check(report: &mut Report, config: &Config, db: &Db) {
    match look::admins(db).await {
        Ok((_, true)) => report.ok(CHECK, "there is an enabled admin"),
        // Who is disabled counts there: who disabled them may have meant it.
        Ok((false, _)) if config.admin_password.is_some() => {
            report.ok(CHECK, "none yet; the next start makes the first, of ADMIN_PASSWORD");
        }
        Ok((any, _)) => {
            let what = if any { "each admin is disabled" } else { "no user has the role admin" };
            let todo = if any {
                "portcullis user enable NAME, or portcullis user create --username NAME --role admin"
            } else {
                "portcullis user create --username NAME --role admin"
            };
            report.warning(CHECK, what, todo);
        }
        Err(error) => report.problem(CHECK, cause(error), "check the database's own log"),
    }
}
