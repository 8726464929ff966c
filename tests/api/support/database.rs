//! An empty database for each test, gone after it.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};
use tempfile::TempDir;

/// Which database a run of the suite is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each test target is for one of them")]
pub enum Database {
    Sqlite,
    Postgres,
}

/// A test's own database.
pub enum Scratch {
    Sqlite(TempDir),
    Postgres { server: String, schema: String },
}

impl Scratch {
    pub async fn new(database: Database) -> Scratch {
        match database {
            Database::Sqlite => Scratch::Sqlite(tempfile::tempdir().unwrap()),
            Database::Postgres => {
                #[expect(clippy::disallowed_methods, reason = "the suite's own setting, not the service's")]
                let server = std::env::var("TEST_DATABASE_URL")
                    .expect("TEST_DATABASE_URL must name a Postgres database; `./scripts/test` starts one");
                let schema = format!("test_{}", portcullis::id::UserId::new(chrono::DateTime::UNIX_EPOCH))
                    .replace('-', "");
                run(&server, format!("create schema {schema}")).await;
                Scratch::Postgres { server, schema }
            }
        }
    }

    pub fn url(&self) -> String {
        match self {
            Scratch::Sqlite(folder) => format!("sqlite://{}", folder.path().join("test.db").display()),
            Scratch::Postgres { server, schema } => {
                let separator = if server.contains('?') { '&' } else { '?' };
                format!("{server}{separator}options[search_path]={schema}")
            }
        }
    }

    /// As somebody else than the service does, who makes the database where there is none.
    #[allow(dead_code, reason = "the API suite alone needs it")]
    pub async fn run(&self, sql: &'static str) {
        match self {
            Scratch::Sqlite(folder) => {
                let options = SqliteConnectOptions::new().filename(folder.path().join("test.db"));
                let mut connection = options.create_if_missing(true).connect().await.unwrap();
                connection.execute(sql).await.unwrap();
                connection.close().await.unwrap();
            }
            Scratch::Postgres { .. } => run(&self.url(), sql.to_owned()).await,
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let Scratch::Postgres { server, schema } = self else { return };
        let (server, schema) = (server.clone(), schema.clone());
        // The test's own runtime is ending.
        let cleaner = std::thread::spawn(move || {
            let drop = run(&server, format!("drop schema {schema} cascade"));
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(drop);
        });
        cleaner.join().unwrap();
    }
}

async fn run(server: &str, sql: String) {
    let mut connection = PgConnection::connect(server).await.expect("Postgres answers at TEST_DATABASE_URL");
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
}
