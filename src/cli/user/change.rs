//! `portcullis user disable`, `enable`, `grant` and `revoke`.

use clap::Args;

use super::{Named, Output, name};
use crate::accounts::{self, AdminChanges, RoleChanges};
use crate::app::App;
use crate::audit::Actor;
use crate::cli::told;
use crate::store::users::User;

#[derive(Debug, Args)]
pub(in crate::cli) struct RolesOf {
    #[command(flatten)]
    named: Named,

    /// The roles: admin, say.
    #[arg(value_name = "ROLE", required = true)]
    roles: Vec<String>,
}

pub(super) async fn disable(app: &App, arguments: &Named, disabled: bool) -> anyhow::Result<()> {
    let user = arguments.find(app).await?;
    let changes = AdminChanges { disabled: Some(disabled), ..AdminChanges::default() };
    apply(app, &user, &changes, &arguments.output, |user| {
        if disabled {
            format!("Disabled {user}, and ended all sessions.")
        } else {
            format!("Enabled {user}, who can log in again.")
        }
    })
    .await
}

pub(super) async fn grant(app: &App, arguments: RolesOf) -> anyhow::Result<()> {
    set_roles(app, &arguments.named, RoleChanges::Also(arguments.roles)).await
}

pub(super) async fn revoke(app: &App, arguments: RolesOf) -> anyhow::Result<()> {
    set_roles(app, &arguments.named, RoleChanges::Without(arguments.roles)).await
}

async fn set_roles(app: &App, named: &Named, roles: RoleChanges) -> anyhow::Result<()> {
    let user = named.find(app).await?;
    let changes = AdminChanges { roles: Some(roles), ..AdminChanges::default() };
    let after = accounts::administer(app, user.id, &changes, &Actor::service()).await.map_err(told)?;
    let sentence = match after.roles.names() {
        [] => format!("{} has no role now.", name(&after)),
        [one] => format!("{} has the role {one} now.", name(&after)),
        several => format!("{} has the roles {} now.", name(&after), several.join(", ")),
    };
    named.output.print(&after, &sentence)
}

/// Does it, and says so in a sentence about the user's name.
pub(super) async fn apply(
    app: &App,
    user: &User,
    changes: &AdminChanges,
    output: &Output,
    sentence: impl FnOnce(&str) -> String,
) -> anyhow::Result<()> {
    let after = accounts::administer(app, user.id, changes, &Actor::service()).await.map_err(told)?;
    output.print(&after, &sentence(&name(&after)))
}
