//! `portcullis user create`.

use clap::Args;

use super::{Ask, Output, ask_for_password, refused};
use crate::accounts::{self, DisplayName, EmailAddress, Password, Registration, Standing, Username};
use crate::app::App;
use crate::audit::Actor;
use crate::cli::told;
use crate::clock::Clock;
use crate::config::Config;

#[derive(Debug, Args)]
pub(in crate::cli) struct CreateArguments {
    /// 3 to 64 of A-Z a-z 0-9 . _ -
    #[arg(long, value_name = "NAME", required_unless_present = "email")]
    username: Option<String>,

    /// The e-mail address.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,

    /// The address counts as verified.
    #[arg(long, requires = "email")]
    email_verified: bool,

    /// A name to show, of at most 100 characters.
    #[arg(long, value_name = "NAME")]
    display_name: Option<String>,

    /// A role that the user gets: admin, say. May be given several times.
    #[arg(long = "role", value_name = "NAME")]
    roles: Vec<String>,

    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(config: Config, arguments: CreateArguments) -> anyhow::Result<()> {
    let username = arguments.username.as_deref().map(Username::parse).transpose();
    let username = username.map_err(|broken| refused("--username", broken))?;
    let email = arguments.email.as_deref().map(EmailAddress::parse).transpose();
    let email = email.map_err(|broken| refused("--email", broken))?;
    let display_name = arguments.display_name.as_deref().map(DisplayName::parse).transpose();
    let display_name = display_name.map_err(|broken| refused("--display-name", broken))?;
    let password = ask_for_password(Ask::Twice)?;

    let app = App::open(config, Clock::system()).await?;
    let password =
        Password::parse(&app, &password).await?.map_err(|broken| refused("the password", broken))?;
    let registration = Registration { username, email, password, display_name };
    let standing = Standing { email_verified: arguments.email_verified, roles: arguments.roles };
    let created = accounts::create(&app, &registration, &standing, &Actor::service()).await;
    app.db.close().await;
    let user = created.map_err(told)?;
    arguments.output.print(&user, &format!("Created user {}.", user.id))
}
