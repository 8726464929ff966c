//! `portcullis keys`.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::tokens::{KeyInfo, KeyState};

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Lists the keys that sign access tokens, oldest first.
    List,
    /// Publishes the next key. It signs ten minutes later, when all who verify tokens know it.
    Rotate,
    /// Drops a key that is not safe any more: what it signed is refused at once. If it is the one that signs, a new one
    /// takes its place at once, and everyone has to refresh.
    Revoke {
        /// The key's id, as `list` shows it. One in 64 begins with a hyphen.
        #[arg(value_name = "KEY", allow_hyphen_values = true)]
        kid: String,
    },
}

pub(super) async fn run(config: Config, command: KeysCommand) -> anyhow::Result<()> {
    let app = App::open(config, Clock::system()).await?;
    let done = on(&app, command).await;
    app.db.close().await;
    done
}

async fn on(app: &App, command: KeysCommand) -> anyhow::Result<()> {
    let (keyring, now) = (&app.keyring, app.clock.now());
    match command {
        KeysCommand::List => list(&keyring.list(now))?,
        KeysCommand::Rotate => {
            let (key, made) = keyring.rotate(&app.db, &app.changes, now).await?;
            let there = if made { "is published" } else { "was published already" };
            println!(
                "The next key, {} ({}), {there}; it signs from {} on.",
                key.kid,
                key.algorithm.name(),
                time(key.signs_from)
            );
        }
        KeysCommand::Revoke { kid } => {
            keyring.revoke(&app.db, &app.changes, &kid, now).await?;
            println!(
                "Revoked: what {kid} signed is refused. Services that keep the public keys may believe in it for five minutes more."
            );
        }
    }
    Ok(())
}

fn list(keys: &[KeyInfo]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if keys.is_empty() {
        return writeln!(out, "There is no signing key yet; `portcullis serve` makes the first.");
    }
    writeln!(out, "{:43}  {:9}  {:7}  {:20}  VERIFIES UNTIL", "KEY", "ALGORITHM", "STATE", "SIGNS FROM")?;
    for key in keys {
        let KeyInfo { kid, algorithm, state, signs_from, verifies_until, .. } = key;
        let until = match (state, verifies_until) {
            (KeyState::Next | KeyState::Active, None) => "replaced".to_owned(),
            (_, until) => until.map(time).unwrap_or_default(),
        };
        writeln!(
            out,
            "{kid:43}  {:9}  {:7}  {}  {until}",
            algorithm.name(),
            state.name(),
            time(*signs_from)
        )?;
    }
    Ok(())
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
