//! Who the first admin is. What an account's names and password must be is not known here: whoever
//! [collects](super::collect) the settings judges that.

use std::fmt;

use zeroize::Zeroizing;

use super::value::Parsed;

/// The first admin's password, which is never shown.
#[derive(Clone)]
pub struct AdminPassword(Zeroizing<String>);

impl AdminPassword {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AdminPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

pub(super) fn admin_name(text: &str) -> Parsed<String> {
    Ok(text.to_owned())
}

pub(super) fn admin_password(text: &str) -> Parsed<AdminPassword> {
    Ok(AdminPassword(Zeroizing::new(text.to_owned())))
}
