//! Migrations over a database that has rows.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection, query_as};

use crate::database::{Database, Scratch};

/// What the statements of a migration are run on.
enum Line {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Line {
    async fn to(scratch: &Scratch, database: Database) -> Line {
        match database {
            Database::Sqlite => {
                Line::Sqlite(SqliteConnection::connect(&format!("{}?mode=rwc", scratch.url())).await.unwrap())
            }
            Database::Postgres => Line::Postgres(PgConnection::connect(&scratch.url()).await.unwrap()),
        }
    }

    async fn run(&mut self, sql: String) {
        match self {
            Line::Sqlite(line) => drop(line.execute(AssertSqlSafe(sql)).await.unwrap()),
            Line::Postgres(line) => drop(line.execute(AssertSqlSafe(sql)).await.unwrap()),
        }
    }

    /// The migrations with these numbers.
    async fn migrate(&mut self, numbers: std::ops::RangeInclusive<u32>) {
        let folder = if matches!(self, Line::Sqlite(_)) { "sqlite" } else { "postgres" };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder);
        for name in super::files(folder.file_name().unwrap().to_str().unwrap()) {
            if numbers.contains(&name[..4].parse().unwrap()) {
                self.run(std::fs::read_to_string(folder.join(name)).unwrap()).await;
            }
        }
    }

    async fn rows(&mut self, sql: &'static str) -> Vec<(String, i64, i64)> {
        match self {
            Line::Sqlite(line) => query_as(sql).fetch_all(line).await.unwrap(),
            Line::Postgres(line) => query_as(sql).fetch_all(line).await.unwrap(),
        }
    }
}

#[tokio::test]
async fn keys_and_changes_from_before_rotation_are_kept() {
    for database in super::BOTH {
        let scratch = Scratch::new(database).await;
        let mut line = Line::to(&scratch, database).await;
        line.migrate(1..=4).await;
        let (id, bytes) = match database {
            Database::Sqlite => ("x'00000000000070008000000000000001'", "x'00'"),
            Database::Postgres => ("'00000000-0000-7000-8000-000000000001'", "'\\x00'"),
        };
        for (kid, algorithm, day) in [("b", "ES256", 2), ("c", "HS256", 3), ("a", "EdDSA", 1)] {
            let at = format!("2026-11-0{day}T00:00:00Z");
            line.run(format!(
                "insert into signing_keys (kid, algorithm, state, jwk, private_key, created_at) \
                 values ('{kid}', '{algorithm}', 'active', '{{}}', {bytes}, '{at}')"
            ))
            .await;
        }
        line.run(format!(
            "insert into changes (seq, at, reason, user_id) values (1, '2026-11-01T00:00:00Z', 'logged_out', {id})"
        ))
        .await;
        line.migrate(5..=5).await;
        let keys = line.rows(
            "select kid, number, longest_ttl from signing_keys where signs_from = created_at order by kid",
        );
        let expected = [("a", 1), ("b", 2), ("c", 3)].map(|(kid, number)| (kid.to_owned(), number, 86400));
        assert_eq!(keys.await, expected, "{database:?}");
        let changes = line.rows("select reason, seq, seq from changes where user_id is not null").await;
        assert_eq!(changes, [("logged_out".to_owned(), 1, 1)], "{database:?}");
    }
}
