//! `portcullis user`.

use std::io::{self, IsTerminal};

use anyhow::{Context, anyhow, bail};
use clap::{Args, Subcommand};
use zeroize::Zeroizing;

use super::export::{self, ExportArguments};
use super::import::{self, ImportArguments};
use crate::accounts::{self, EmailAddress, Password, Registration, Standing, Username};
use crate::app::App;
use crate::audit::Actor;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::{Broken, Error};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Creates a user, also where registration is closed. Asks for the password, or reads it from standard input.
    Create(CreateArguments),
    /// Brings users along from another system, with their passwords. Who exists is left alone, so that it can be run again.
    Import(ImportArguments),
    /// Writes all users to standard output, as JSON Lines that `import` reads.
    Export(ExportArguments),
}

#[derive(Debug, Args)]
pub(super) struct CreateArguments {
    /// 3 to 64 of A-Z a-z 0-9 . _ -
    #[arg(long, value_name = "NAME", required_unless_present = "email")]
    username: Option<String>,

    /// The e-mail address.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,

    /// A role that the user gets: admin, say. May be given several times.
    #[arg(long = "role", value_name = "NAME")]
    roles: Vec<String>,
}

pub(super) async fn run(config: Config, command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Create(arguments) => create(config, arguments).await,
        UserCommand::Import(arguments) => import::run(config, arguments).await,
        UserCommand::Export(arguments) => export::run(config, arguments).await,
    }
}

async fn create(config: Config, arguments: CreateArguments) -> anyhow::Result<()> {
    let username = arguments.username.as_deref().map(Username::parse).transpose();
    let username = username.map_err(|broken| refused("--username", broken))?;
    let email = arguments.email.as_deref().map(EmailAddress::parse).transpose();
    let email = email.map_err(|broken| refused("--email", broken))?;
    let password = ask_for_password(Ask::Twice)?;

    let app = App::open(config, Clock::system()).await?;
    let password =
        Password::parse(&app, &password).await?.map_err(|broken| refused("the password", broken))?;
    let registration = Registration { username, email, password, display_name: None };
    let standing = Standing { email_verified: false, roles: arguments.roles };
    let created = accounts::create(&app, &registration, &standing, &Actor::service()).await;
    app.db.close().await;
    match created {
        Ok(user) => println!("Created user {}.", user.id),
        Err(Error::Validation(errors)) => {
            bail!(errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join(" "))
        }
        // What the log would have of a request's failure, the person at the terminal is told.
        Err(Error::Internal(cause) | Error::Unavailable(cause)) => return Err(cause),
        Err(error) => bail!(error),
    }
    Ok(())
}

fn refused(what: &str, broken: Broken) -> anyhow::Error {
    anyhow!("{what} is refused: {}", broken.message)
}

/// A new password is asked for twice, since it can't be seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    Once,
    Twice,
}

/// From the terminal without showing it, or the first line of standard input.
pub(super) fn ask_for_password(ask: Ask) -> anyhow::Result<Zeroizing<String>> {
    if io::stdin().is_terminal() {
        let first =
            Zeroizing::new(rpassword::prompt_password("Password: ").context("can't ask for the password")?);
        if ask == Ask::Once {
            return Ok(first);
        }
        let again =
            Zeroizing::new(rpassword::prompt_password("Again: ").context("can't ask for the password")?);
        if first != again {
            bail!("the two passwords differ; nothing was created");
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
