//! A line of one's own to the database, to follow `changes` on.
//!
//! Not one of the pool's: requests that hold all of its connections must not keep the feed waiting, since a replica
//! that can't follow asks the database all the more.

use std::time::Duration;

use anyhow::anyhow;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection, PgPool, SqlitePool};

use super::changes::{self, News};
use super::db::Db;
use crate::error::{Error, Result};

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a read may take before its line is given up for a new one.
const READ_TIMEOUT: Duration = Duration::from_millis(700);

/// How many changes one read brings at most.
const BATCH: u32 = 1000;

/// The line. One that fails is dropped, and made anew by the next read.
pub struct Feed(Line);

enum Line {
    /// The pool is the requests', and only tells how to connect and whether to.
    Postgres {
        pool: PgPool,
        open: Option<Box<Open>>,
    },
    Sqlite(SqlitePool),
}

struct Open {
    reads: PgConnection,
    /// Apart, since it only ever waits; connected after the first read, which is urgent.
    wakes: Option<PgListener>,
}

impl Feed {
    /// Opens no connection yet.
    pub fn new(db: &Db) -> Feed {
        Feed(match db {
            Db::Postgres(pool) => Line::Postgres { pool: pool.clone(), open: None },
            Db::Sqlite { feed, .. } => Line::Sqlite(feed.clone()),
        })
    }

    /// Whether the database has been closed: there will be no news any more.
    pub fn is_closed(&self) -> bool {
        match &self.0 {
            Line::Postgres { pool, .. } => pool.is_closed(),
            Line::Sqlite(file) => file.is_closed(),
        }
    }

    /// Reads what came after change `seq`; with `None` no more than which is the newest.
    pub async fn read(&mut self, seq: Option<i64>) -> Result<News> {
        // After the last that there can be, nothing comes.
        let news = self.0.read(seq.unwrap_or(i64::MAX)).await;
        if let (Err(_), Line::Postgres { open, .. }) = (&news, &mut self.0) {
            *open = None;
        }
        news
    }

    /// Waits until the database says that there is something new. It may fail to say so, so that this is no more than
    /// a reason to read sooner; on SQLite it never does.
    pub async fn woken(&mut self) {
        if let Line::Postgres { open: Some(open), .. } = &mut self.0
            && let Some(wakes) = &mut open.wakes
            && wakes.recv().await.is_ok()
        {
            while wakes.next_buffered().is_some() {}
            return;
        }
        std::future::pending().await
    }
}

impl Line {
    async fn read(&mut self, seq: i64) -> Result<News> {
        match self {
            Line::Postgres { pool, open } => {
                let options = pool.connect_options();
                let open = match open {
                    Some(open) => {
                        if open.wakes.is_none() {
                            open.wakes = Some(within(CONNECT_TIMEOUT, listen(&options)).await?);
                        }
                        open
                    }
                    None => {
                        let connect = async { Ok(options.connect().await?) };
                        let reads = within(CONNECT_TIMEOUT, connect).await?;
                        open.insert(Box::new(Open { reads, wakes: None }))
                    }
                };
                within(READ_TIMEOUT, changes::news(&mut open.reads, seq, BATCH)).await
            }
            Line::Sqlite(file) => within(READ_TIMEOUT, changes::news(&*file, seq, BATCH)).await,
        }
    }
}

async fn listen(options: &PgConnectOptions) -> Result<PgListener> {
    let one = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let mut wakes = PgListener::connect_with(&one.connect_lazy_with(options.clone())).await?;
    let channel = "select left('portcullis_' || current_schema(), 63)";
    let channel: String = sqlx::query_scalar(channel).fetch_one(&mut wakes).await?;
    wakes.listen(&channel).await?;
    Ok(wakes)
}

async fn within<T>(time: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let done = tokio::time::timeout(time, work).await;
    done.unwrap_or_else(|_| Err(Error::Unavailable(anyhow!("the database did not answer within {time:?}"))))
}
