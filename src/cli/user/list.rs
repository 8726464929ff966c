//! `portcullis user list` and `show`.

use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::{Named, Output};
use crate::accounts::{EmailAddress, ROLE_NAME, role_name};
use crate::app::App;
use crate::cli::table::{Table, moment, shown};
use crate::cli::told;
use crate::http::UserBody;
use crate::id::UserId;
use crate::store::users::{self, Filter, User};

#[derive(Debug, Args)]
pub(in crate::cli) struct ListArguments {
    /// Only those whose username or e-mail address starts so, in any case.
    #[arg(long, value_name = "TEXT")]
    query: Option<String>,

    /// Only those who have this role.
    #[arg(long, value_name = "NAME", value_parser = role)]
    role: Option<String>,

    /// Only the disabled ones; with =false, only the enabled ones.
    #[arg(long, value_name = "BOOLEAN", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disabled: Option<bool>,

    /// At most so many, 1 to 1000.
    #[arg(long, value_name = "NUMBER", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,

    /// Where the list before ended, as it said.
    #[arg(long, value_name = "CURSOR")]
    cursor: Option<UserId>,

    #[command(flatten)]
    output: Output,
}

#[derive(Serialize)]
struct List<'a> {
    items: Vec<UserBody<&'a User>>,
    next_cursor: Option<UserId>,
}

fn role(text: &str) -> Result<String, String> {
    role_name(text).ok_or_else(|| format!("use {ROLE_NAME}"))
}

pub(super) async fn run(app: &App, arguments: ListArguments) -> anyhow::Result<()> {
    let ListArguments { query, role, disabled, limit, cursor, output } = arguments;
    let filter = Filter { prefix: query.as_deref().map(EmailAddress::key_of), role, disabled };
    // One more, to know whether there are more.
    let mut users = users::page(&app.db, &filter, cursor, limit + 1).await.map_err(told)?;
    let more = users.len() > limit as usize;
    users.truncate(limit as usize);
    let next = users.last().filter(|_| more).map(|last| last.id);

    let mut out = io::stdout().lock();
    if output.json {
        let list = List { items: users.iter().map(UserBody).collect(), next_cursor: next };
        writeln!(out, "{}", serde_json::to_string(&list)?)?;
        return Ok(());
    }
    if users.is_empty() {
        writeln!(out, "There are no such users.")?;
        return Ok(());
    }
    let mut table = Table::of(["USERNAME", "EMAIL", "ROLES", "STATE", "CREATED", "LAST LOGIN"]);
    for user in &users {
        table.row([
            user.username.clone().unwrap_or_default(),
            user.email.clone().unwrap_or_default(),
            user.roles.names().join(","),
            state(user).to_owned(),
            moment(user.created_at),
            user.last_login_at.map(moment).unwrap_or_default(),
        ]);
    }
    write!(out, "{table}")?;
    if let Some(next) = next {
        eprintln!("There are more: --cursor {next}");
    }
    Ok(())
}

fn state(user: &User) -> &'static str {
    if user.disabled { "disabled" } else { "enabled" }
}

pub(super) async fn show(app: &App, arguments: &Named) -> anyhow::Result<()> {
    let user = arguments.find(app).await?;
    let or_none = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), shown);
    let address = match (&user.email, user.email_verified) {
        (Some(email), true) => format!("{} (verified)", shown(email)),
        (Some(email), false) => format!("{} (not verified)", shown(email)),
        (None, _) => "-".to_owned(),
    };
    let roles = user.roles.names().join(", ");
    let lines = [
        ("id", user.id.to_string()),
        ("username", or_none(&user.username)),
        ("email", address),
        ("display name", or_none(&user.display_name)),
        ("roles", if roles.is_empty() { "-".to_owned() } else { roles }),
        ("state", state(&user).to_owned()),
        ("created", moment(user.created_at)),
        ("updated", moment(user.updated_at)),
        ("last login", user.last_login_at.map_or_else(|| "-".to_owned(), moment)),
    ];
    let lines: Vec<_> = lines.iter().map(|(name, value)| format!("{name:12}  {value}")).collect();
    arguments.output.print(&user, &lines.join("\n"))
}
