//! `portcullis user delete`.

use std::io;

use anyhow::{Context, bail};
use clap::Args;

use super::{Named, name};
use crate::accounts;
use crate::app::App;
use crate::audit::Actor;
use crate::cli::told;

#[derive(Debug, Args)]
pub(in crate::cli) struct DeleteArguments {
    #[command(flatten)]
    named: Named,

    /// Deletes without asking.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(app: &App, arguments: &DeleteArguments) -> anyhow::Result<()> {
    let user = arguments.named.find(app).await?;
    let name = name(&user);
    if !arguments.yes {
        eprintln!("This deletes {name} ({}) and all that belongs to it. To go on, type {name}:", user.id);
        let mut typed = String::new();
        io::stdin().read_line(&mut typed).context("can't read the answer from standard input")?;
        if typed.trim_end_matches(['\r', '\n']) != name {
            bail!("that was not {name}; nothing was deleted. --yes deletes without asking");
        }
    }
    accounts::delete_user(app, user.id, &Actor::service()).await.map_err(told)?;
    arguments.named.output.print(&user, &format!("Deleted {name} ({}).", user.id))
}
