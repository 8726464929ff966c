//! `portcullis user`.

mod change;
mod create;
mod delete;
mod list;
mod password;

use std::io::{self, Write};

use anyhow::anyhow;
use clap::{Args, Subcommand};

use super::export::{self, ExportArguments};
use super::import::{self, ImportArguments};
use super::table::shown;
use super::told;
use crate::accounts;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Broken;
use crate::http::UserBody;
use crate::store::users::User;
pub(super) use password::{Ask, ask_for_password};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Creates a user, also where registration is closed. Asks for the password, or reads it from standard input.
    Create(create::CreateArguments),
    /// Lists users, the newest first.
    List(list::ListArguments),
    /// Shows all that is known of a user, but the password's hash.
    Show(Named),
    /// Disables a user, whose sessions all end.
    Disable(Named),
    /// Enables a user again, who then has to log in.
    Enable(Named),
    /// Replaces a user's password, and ends all sessions. Asks for it, or reads it from standard input.
    SetPassword(Named),
    /// Gives a user roles.
    Grant(change::RolesOf),
    /// Takes roles of a user.
    Revoke(change::RolesOf),
    /// Deletes a user and all that belongs to it. Asks for the name once more.
    Delete(delete::DeleteArguments),
    /// Brings users along from another system, with their passwords. Who exists is left alone, so that it can be run again.
    Import(ImportArguments),
    /// Writes all users to standard output, as JSON Lines that `import` reads.
    Export(ExportArguments),
}

/// A user who is there.
#[derive(Debug, Args)]
pub(super) struct Named {
    /// The username, the e-mail address or the id.
    #[arg(value_name = "USER")]
    user: String,

    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
struct Output {
    /// Prints JSON, as the API has it.
    #[arg(long)]
    json: bool,
}

impl UserCommand {
    /// Whether a database that is not there yet may be made for it.
    pub fn makes_users(&self) -> bool {
        matches!(self, UserCommand::Create(_) | UserCommand::Import(_))
    }
}

pub(super) async fn run(config: Config, command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::Create(arguments) => create::run(config, arguments).await,
        UserCommand::Import(arguments) => import::run(config, arguments).await,
        UserCommand::Export(arguments) => export::run(config, arguments).await,
        command => {
            let app = App::open(config, Clock::system()).await?;
            let done = on(&app, command).await;
            app.db.close().await;
            done
        }
    }
}

async fn on(app: &App, command: UserCommand) -> anyhow::Result<()> {
    match command {
        UserCommand::List(arguments) => list::run(app, arguments).await,
        UserCommand::Show(arguments) => list::show(app, &arguments).await,
        UserCommand::Disable(arguments) => change::disable(app, &arguments, true).await,
        UserCommand::Enable(arguments) => change::disable(app, &arguments, false).await,
        UserCommand::SetPassword(arguments) => password::set(app, &arguments).await,
        UserCommand::Grant(arguments) => change::grant(app, arguments).await,
        UserCommand::Revoke(arguments) => change::revoke(app, arguments).await,
        UserCommand::Delete(arguments) => delete::run(app, &arguments).await,
        // They open the database themselves, once their arguments are sound.
        UserCommand::Create(_) | UserCommand::Import(_) | UserCommand::Export(_) => Ok(()),
    }
}

impl Named {
    async fn find(&self, app: &App) -> anyhow::Result<User> {
        let found = accounts::find(app, &self.user).await.map_err(told)?;
        let name = &self.user;
        found.ok_or_else(|| {
            anyhow!("there is no user {name:?}; name one by the username, the e-mail address or the id")
        })
    }
}

impl Output {
    /// Prints a user, or a sentence for people.
    fn print(&self, user: &User, sentence: &str) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(&UserBody(user))?)?;
        } else {
            writeln!(out, "{sentence}")?;
        }
        Ok(())
    }
}

/// What people call a user.
fn name(user: &User) -> String {
    shown(user.username.as_deref().or(user.email.as_deref()).unwrap_or_default())
}

fn refused(what: &str, broken: Broken) -> anyhow::Error {
    anyhow!("{what} is refused: {}", broken.message)
}
