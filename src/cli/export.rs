//! `portcullis user export`.

use std::io::{self, BufWriter, Write};

use anyhow::anyhow;
use clap::Args;

use crate::accounts;
use crate::config::Config;
use crate::store::Db;

#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// With the password hashes, without which no one can log in elsewhere. Keep such a file as you keep the database.
    #[arg(long)]
    with_hashes: bool,
}

pub(super) async fn run(config: Config, arguments: ExportArguments) -> anyhow::Result<()> {
    // Needs no secret: where that is lost, this is how the users are taken along.
    let db = Db::open(config.database_url.expose(), config.database_max_connections).await?;
    let done = on(&db, &arguments).await;
    db.close().await;
    done
}

async fn on(db: &Db, arguments: &ExportArguments) -> anyhow::Result<()> {
    if arguments.with_hashes {
        eprintln!(
            "portcullis: the export has the password hashes: keep it as you keep the database, and delete it after use"
        );
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let mut after = None;
    while let Some((users, last)) =
        accounts::export(db, after, arguments.with_hashes).await.map_err(|error| anyhow!(error))?
    {
        for user in users {
            writeln!(out, "{user}")?;
        }
        after = Some(last);
    }
    out.flush()?;
    Ok(())
}
