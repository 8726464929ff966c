//! How many events a second the audit log takes, each committed by itself, while it is sealed every second as in the service; and
//! how many a second are verified.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use clap::Parser;
use portcullis::app::App;
use portcullis::audit::{Actor, Event};
use portcullis::clock::Clock;
use portcullis::{cli, http};

#[derive(Parser)]
struct Arguments {
    /// An empty database. Several may write to it at once, as replicas do.
    #[arg(long)]
    database_url: String,
    /// How many insert at once.
    #[arg(long, default_value = "4")]
    writers: usize,
    #[arg(long, default_value = "10")]
    seconds: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    println!("{}", http::block_on(run(&arguments))?);
    Ok(())
}

async fn run(arguments: &Arguments) -> anyhow::Result<serde_json::Value> {
    let url = format!("--database-url={}", arguments.database_url);
    let config = cli::config_from(["bench", &url, "--secret-key=bench-key-not-secret-0123456789ab"], []);
    let config = config.map_err(|_| anyhow::anyhow!("--database-url is no URL of a database"))?;
    let app = Arc::new(App::open(config, Clock::system()).await?);
    let done = Arc::new(AtomicBool::new(false));
    let sealing = tokio::task::spawn_local({
        let (app, done) = (app.clone(), done.clone());
        async move {
            while !done.load(Relaxed) {
                tokio::time::sleep(Duration::from_secs(1)).await;
                app.audit.seal(&app.db).await?;
            }
            anyhow::Ok(())
        }
    });
    let start = Instant::now();
    let until = start + Duration::from_secs(arguments.seconds);
    let writers: Vec<_> = (0..arguments.writers)
        .map(|_| {
            let app = app.clone();
            tokio::task::spawn_local(async move {
                let mut rows = 0_u64;
                while Instant::now() < until {
                    let entry =
                        Actor::service().did(Event::LoginFailed, None).with("code", "invalid_credentials");
                    app.audit.note(&app.db, entry, app.clock.now()).await?;
                    rows += 1;
                }
                anyhow::Ok(rows)
            })
        })
        .collect();
    let mut rows = 0;
    for writer in writers {
        rows += writer.await??;
    }
    let written = start.elapsed();
    done.store(true, Relaxed);
    sealing.await??;
    let sealed = start.elapsed() - written;

    let start = Instant::now();
    let verdict = app.audit.verify(&app.db).await?;
    anyhow::ensure!(
        verdict.broken.is_none() && verdict.verified >= rows,
        "the log is not sound: {verdict:?}"
    );
    let verified = start.elapsed();
    app.db.close().await;
    Ok(serde_json::json!({
        "rows": rows,
        "per_second": rows as f64 / written.as_secs_f64(),
        "sealed_after_seconds": sealed.as_secs_f64(),
        "verified_per_second": verdict.verified as f64 / verified.as_secs_f64(),
    }))
}
