//! One `update … returning` after the other, through the service's own pool and in a runtime like its own: the least
//! that a refresh can cost.

use std::rc::Rc;
use std::time::{Duration, Instant};

use clap::Parser;
use portcullis::clock::Clock;
use portcullis::http;
use portcullis::id::SessionId;
use portcullis::store::sessions::Session;
use portcullis::store::{Db, Executor};

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    database_url: String,
    /// Connections to the database, as the service's DATABASE_MAX_CONNECTIONS.
    #[arg(long, default_value = "10")]
    connections: u32,
    /// How many updates are under way at once.
    #[arg(long)]
    tasks: usize,
    #[arg(long)]
    seconds: f64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let per_second = http::block_on(run(&arguments))?;
    println!("{}", serde_json::json!({ "per_second": per_second }));
    Ok(())
}

async fn run(arguments: &Arguments) -> anyhow::Result<f64> {
    let db = Db::open(&arguments.database_url, arguments.connections).await?;
    let ids: Vec<(SessionId,)> = db.query("select id from sessions").fetch_all().await?;
    anyhow::ensure!(ids.len() >= arguments.tasks, "there are too few sessions to update");
    let ids = Rc::new(ids);
    let start = Instant::now();
    let until = start + Duration::from_secs_f64(arguments.seconds);
    let tasks: Vec<_> = (0..arguments.tasks)
        .map(|task| {
            let (db, ids, step) = (db.clone(), ids.clone(), arguments.tasks);
            tokio::task::spawn_local(async move {
                let mut done = 0;
                // Each task has sessions of its own, as each client of the service has.
                for (id,) in ids.iter().skip(task).step_by(step).cycle() {
                    if Instant::now() >= until {
                        break;
                    }
                    update(&db, *id).await?;
                    done += 1;
                }
                anyhow::Ok(done)
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await??;
    }
    let per_second = f64::from(done) / start.elapsed().as_secs_f64();
    db.close().await;
    Ok(per_second)
}

/// Leaves alone what refresh tokens depend on, so that both sides can take turns on the same sessions.
async fn update(db: &Db, id: SessionId) -> anyhow::Result<()> {
    let sql = "update sessions set last_used_at = $2 where id = $1 and ended_at is null returning *";
    let updated: Option<Session> =
        db.query(sql).bind(id).bind(Clock::system().now()).fetch_optional().await?;
    anyhow::ensure!(updated.is_some(), "a session is gone");
    Ok(())
}
