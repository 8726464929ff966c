//! Asking for a password, and `portcullis user set-password`.

use std::io::{self, IsTerminal};

use anyhow::{Context, bail};
use zeroize::Zeroizing;

use super::{Named, change, refused};
use crate::accounts::{AdminChanges, Password};
use crate::app::App;

pub(super) async fn set(app: &App, arguments: &Named) -> anyhow::Result<()> {
    let user = arguments.find(app).await?;
    let password = ask_for_password(Ask::Twice)?;
    let password = Password::parse(app, &password).await.map_err(super::told)?;
    let password = password.map_err(|broken| refused("the password", broken))?;
    let changes = AdminChanges { password: Some(password), ..AdminChanges::default() };
    change::apply(app, &user, &changes, &arguments.output, |user| {
        format!("Replaced the password of {user}, and ended all sessions.")
    })
    .await
}

/// A new password is asked for twice, since it can't be seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Ask {
    Once,
    Twice,
}

/// From the terminal without showing it, or the first line of standard input.
pub(in crate::cli) fn ask_for_password(ask: Ask) -> anyhow::Result<Zeroizing<String>> {
    if io::stdin().is_terminal() {
        let first =
            Zeroizing::new(rpassword::prompt_password("Password: ").context("can't ask for the password")?);
        if ask == Ask::Once {
            return Ok(first);
        }
        let again =
            Zeroizing::new(rpassword::prompt_password("Again: ").context("can't ask for the password")?);
        if first != again {
            bail!("the two passwords differ; nothing was done");
        }
        return Ok(first);
    }
    let mut line = Zeroizing::new(String::new());
    io::stdin().read_line(&mut line).context("can't read the password from standard input")?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    if length == 0 {
        bail!("there is no password on standard input: run this at a terminal, or pipe one line in");
    }
    line.truncate(length);
    Ok(line)
}
