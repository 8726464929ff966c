//! Accounts: who someone is.
//!
//! Registering, proving the address, changing names, address and password, coming back without it, deleting; what an admin makes,
//! changes and deletes, roles among it; bringing users along and taking them along. Each is one unit of work.
//! A change that takes rights away ends sessions and notes the change in that same transaction; and each is an event of the
//! audit log in it.

mod administer;
mod delete;
mod email;
mod export;
mod find;
mod first_admin;
pub mod import;
mod links;
mod name;
mod password;
mod profile;
mod quota;
mod recovery;
mod register;
mod roles;

pub use administer::{AdminChanges, RoleChanges, administer};
pub use delete::{delete, delete_user};
pub use email::{request_change as request_email_change, resend_verification, verify as verify_email};
pub use export::export;
pub use find::find;
pub use first_admin::{first_admin_problems, provide_admin};
pub use name::{DisplayName, EmailAddress, ROLE_NAME, RoleDescription, Username, role_name};
pub use password::{Password, change as change_password};
pub use profile::{Changes, update};
pub use quota::{remove_quota, set_quota};
pub use recovery::{answer as answer_link_requests, forgot, resend, reset as reset_password};
pub use register::{Registration, Standing, create, ensure_free, ensure_open, register};
pub use roles::{create_role, delete_role};

use std::net::IpAddr;

use crate::app::App;
use crate::error::{Broken, Error, Result};
use crate::hasher::Verdict;
use crate::id::UserId;
use crate::limits::Subject;
use crate::store::users;

/// Checks the password that a user gives beside a good token, and returns its version. A wrong one is a bad `field`,
/// not a 401: the token is fine. It counts as a guess.
async fn confirm(
    app: &App,
    user: UserId,
    field: &'static str,
    password: &str,
    address: Option<IpAddr>,
) -> Result<i64> {
    let subject = Subject::User(user.as_bytes());
    let guess = app.guessing.begin(&app.db, subject, address, app.clock.now()).await?;
    let stored = users::password(&app.db, user).await?.ok_or(Error::RevokedToken)?;
    match app.hasher.verify(password, Some(&stored.hash)).await? {
        Verdict::Wrong => {
            guess.failed(&app.db, app.clock.now()).await?;
            Err(Error::field(field, Broken::new("incorrect", "This is not your password.")))
        }
        Verdict::Right | Verdict::RightButOutdated => {
            let mut tx = app.db.begin().await?;
            guess.succeeded(&mut tx, [subject], app.clock.now()).await?;
            tx.commit().await?;
            Ok(stored.version)
        }
    }
}
