//! A line of one's own to the database, to follow `changes` on.
//!
//! Not one of the pool's: requests that hold all of its connections must not keep the feed waiting, since a replica
//! that can't follow asks the database all the more.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::changes::{self, News, channel};
use super::connect::{CONNECT_TIMEOUT, connect};
use super::db::Db;
use super::failure::Unusable;
use super::lanes::Lane;
use super::outage::Outage;
use super::pool::Pool;
use super::signing_keys::{self, SigningKey};
use crate::error::{Error, Result};

/// Before the listener connects, and before it tries again.
const LISTENER_PAUSE: Duration = Duration::from_secs(1);

/// How long a read may take before its line is given up for a new one.
const READ_TIMEOUT: Duration = Duration::from_millis(700);

/// How many changes one read brings at most.
const BATCH: u32 = 1000;

/// The line. One that fails is dropped, and made anew by the next read.
pub struct Feed {
    line: Line,
    outage: Outage,
}

enum Line {
    /// The pool is the requests', and only tells how to connect and whether to.
    Postgres {
        pool: Pool,
        open: Option<Box<Open>>,
    },
    /// PgBouncer lends it, so that there is no hearing from the database: the feed is looked at.
    Lent {
        pool: Pool,
        open: Option<Box<PgConnection>>,
    },
    Sqlite(Lane),
}

struct Open {
    reads: PgConnection,
    listener: Listener,
}

/// Waits for word from the database on a connection of its own. It may fail to hear, and tries again; nobody depends on it.
struct Listener {
    woken: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Feed {
    /// Opens no connection yet.
    pub fn new(db: &Db) -> Feed {
        let line = match db {
            Db::Postgres(pool) if pool.is_lent() => Line::Lent { pool: pool.clone(), open: None },
            Db::Postgres(pool) => Line::Postgres { pool: pool.clone(), open: None },
            Db::Sqlite { feed, .. } => Line::Sqlite(feed.clone()),
        };
        Feed { line, outage: db.outage().clone() }
    }

    /// Whether the database has been closed: there will be no news any more.
    pub fn is_closed(&self) -> bool {
        match &self.line {
            Line::Postgres { pool, .. } | Line::Lent { pool, .. } => pool.is_closed(),
            Line::Sqlite(lane) => lane.pool.is_closed(),
        }
    }

    /// Reads what came after change `seq`; with `None` no more than which is the newest.
    pub async fn read(&mut self, seq: Option<i64>) -> Result<News> {
        // After the last that there can be, nothing comes.
        let news = self.line.read(seq.unwrap_or(i64::MAX)).await;
        self.kept_if_sound(news)
    }

    /// Reads all keys that sign access tokens.
    pub async fn signing_keys(&mut self) -> Result<Vec<SigningKey>> {
        let keys = self.line.signing_keys().await;
        self.kept_if_sound(keys)
    }

    /// A connection on which something failed may be in the middle of it.
    fn kept_if_sound<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if !self.is_closed() {
            self.outage.note(&outcome);
        }
        match (&outcome, &mut self.line) {
            (Err(_), Line::Postgres { open, .. }) => *open = None,
            (Err(_), Line::Lent { open, .. }) => *open = None,
            _ => {}
        }
        outcome
    }

    /// Waits until the database says that there is something new. It may fail to say so, so that this is no more than
    /// a reason to read sooner; on SQLite it never does.
    pub async fn woken(&mut self) {
        match &self.line {
            Line::Postgres { open: Some(open), .. } => open.listener.woken.notified().await,
            _ => std::future::pending().await,
        }
    }
}

impl Line {
    async fn read(&mut self, seq: i64) -> Result<News> {
        match self {
            Line::Postgres { pool, open } => {
                within(READ_TIMEOUT, changes::news(opened(pool, open).await?, seq, BATCH)).await
            }
            Line::Lent { pool, open } => {
                within(READ_TIMEOUT, changes::news_at_once(lent(pool, open).await?, seq, BATCH)).await
            }
            Line::Sqlite(lane) => within(READ_TIMEOUT, changes::news(&*lane, seq, BATCH)).await,
        }
    }

    async fn signing_keys(&mut self) -> Result<Vec<SigningKey>> {
        match self {
            Line::Postgres { pool, open } => {
                within(READ_TIMEOUT, signing_keys::all(opened(pool, open).await?)).await
            }
            Line::Lent { pool, open } => {
                within(READ_TIMEOUT, signing_keys::all_at_once(lent(pool, open).await?)).await
            }
            Line::Sqlite(lane) => within(READ_TIMEOUT, signing_keys::all(&*lane)).await,
        }
    }
}

/// The connection to read on, made if there is none.
async fn opened<'a>(pool: &Pool, open: &'a mut Option<Box<Open>>) -> Result<&'a mut PgConnection> {
    let open = match open {
        Some(open) => open,
        None => {
            let options = pool.connect_options();
            let reads = async {
                let mut reads = connect(&options).await.map_err(away)?;
                // Prepared now: that takes a round of its own, for which a read has no time where the line is slow.
                changes::news(&mut reads, i64::MAX, BATCH).await?;
                signing_keys::all(&mut reads).await?;
                Ok(reads)
            };
            let reads = within(CONNECT_TIMEOUT, reads).await?;
            open.insert(Box::new(Open { reads, listener: Listener::start(options) }))
        }
    };
    Ok(&mut open.reads)
}

/// The same, by way of PgBouncer.
async fn lent<'a>(pool: &Pool, open: &'a mut Option<Box<PgConnection>>) -> Result<&'a mut PgConnection> {
    Ok(match open {
        Some(line) => line,
        None => open.insert(Box::new(connect(&pool.connect_options()).await.map_err(away)?)),
    })
}

impl Listener {
    fn start(options: Arc<PgConnectOptions>) -> Listener {
        let woken = Arc::new(Notify::new());
        let notify = woken.clone();
        let task = tokio::spawn(async move {
            loop {
                // First, too: when the service starts there is enough to do.
                tokio::time::sleep(LISTENER_PAUSE).await;
                let Err(error) = listen(&options, &notify).await;
                tracing::debug!(
                    "the database can't wake the feed of changes, which looks by itself: {error}"
                );
            }
        });
        Listener { woken, task }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen(options: &PgConnectOptions, notify: &Notify) -> sqlx::Result<Infallible> {
    let mut connection = PgPoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    connection = connection.acquire_timeout(CONNECT_TIMEOUT);
    // It asks for next to nothing, and being slow at that is no news.
    let options = options.clone().disable_statement_logging();
    let mut listener = PgListener::connect_with(&connection.connect_lazy_with(options)).await?;
    let channel = concat!("select ", channel!());
    let channel: String = sqlx::query_scalar(channel).fetch_one(&mut listener).await?;
    listener.listen(&channel).await?;
    loop {
        listener.recv().await?;
        notify.notify_one();
    }
}

/// What to do is for who starts something.
fn away(Unusable { place, what, .. }: Unusable) -> Error {
    Error::Unavailable(anyhow!("{place}: {what}"))
}

async fn within<T>(time: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let done = tokio::time::timeout(time, work).await;
    done.unwrap_or_else(|_| Err(Error::Unavailable(anyhow!("no answer within {time:?}"))))
}
