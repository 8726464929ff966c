//! `portcullis audit`.

use anyhow::bail;
use clap::Subcommand;

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Looks at every row of the audit log: whether one was changed, removed or added by another hand. Exits with 1 where one was.
    Verify,
}

pub(super) async fn run(config: Config, command: AuditCommand) -> anyhow::Result<()> {
    let AuditCommand::Verify = command;
    let app = App::open(config, Clock::system()).await?;
    let verdict = app.audit.verify(&app.db).await;
    app.db.close().await;
    let verdict = verdict.map_err(anyhow::Error::from)?;
    if let Some(broken) = verdict.broken {
        bail!(
            "the audit log is broken at {}: {}; {} rows are sound",
            broken.id,
            broken.what,
            verdict.verified
        );
    }
    let unsealed = verdict.unsealed;
    println!("The audit log is sound: {} rows, {unsealed} of them not sealed yet.", verdict.verified);
    if let Some((seq, hash)) = verdict.end {
        println!("The last sealed one is number {seq}, with the hash {hash}.");
    }
    Ok(())
}
