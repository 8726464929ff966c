//! `portcullis migrate`.

use crate::config::Config;
use crate::store::Db;

pub(super) async fn run(config: Config) -> anyhow::Result<()> {
    let db = Db::open(config.database_url.expose(), config.database_max_connections).await?;
    db.close().await;
    println!("The database is up to date.");
    Ok(())
}
