//! Accounts: who someone is.
//!
//! Registering, changing name, display name and password, deleting; what an admin changes. Each is one unit of work.
//! A change that takes rights away ends sessions and notes the change in that same transaction.

mod administer;
mod delete;
mod name;
mod password;
mod profile;
mod register;

pub use administer::{AdminChanges, administer};
pub use delete::delete;
pub use name::{DisplayName, EmailAddress, ROLE_NAME, Username, role_name};
pub use password::{Password, change as change_password};
pub use profile::{Changes, update};
pub use register::{Registration, create, ensure_open};

use crate::app::App;
use crate::error::{Broken, Error, Result};
use crate::hasher::Verdict;
use crate::id::UserId;
use crate::store::users;

/// Checks the password that a user gives beside a good token, and returns its version. A wrong one is a bad `field`,
/// not a 401: the token is fine.
async fn confirm(app: &App, user: UserId, field: &'static str, password: &str) -> Result<i64> {
    let stored = users::password(&app.db, user).await?.ok_or(Error::RevokedToken)?;
    match app.hasher.verify(password, Some(&stored.hash)).await? {
        Verdict::Wrong => Err(Error::field(field, Broken::new("incorrect", "This is not your password."))),
        Verdict::Right | Verdict::RightButOutdated => Ok(stored.version),
    }
}
