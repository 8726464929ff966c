//! How the database goes about a statement.

use portcullis::store::Executor;

use super::{Database, Server};

/// The plan of a statement for these values, as literals, line by line; on Postgres one more, for any values.
pub async fn plans(server: &Server, sql: &str, values: &[String]) -> Vec<String> {
    if crate::DATABASE == Database::Sqlite {
        let mut sql = format!("explain query plan {sql}");
        for (n, value) in values.iter().enumerate().rev() {
            sql = sql.replace(&format!("${}", n + 1), value);
        }
        let rows: Vec<(i64, i64, i64, String)> = server.sql(sql.leak()).fetch_all().await.unwrap();
        return vec![rows.into_iter().map(|(.., line)| line + "\n").collect()];
    }
    let mut plans = Vec::new();
    for mode in ["force_custom_plan", "force_generic_plan"] {
        let mut tx = server.app.db.begin().await.unwrap();
        let execute = format!("explain execute search ({})", values.join(", "));
        for sql in [format!("set local plan_cache_mode = {mode}"), format!("prepare search as {sql}")] {
            tx.query(sql.leak()).execute().await.unwrap();
        }
        let rows: Vec<(String,)> = tx.query(execute.leak()).fetch_all().await.unwrap();
        tx.query("deallocate search").execute().await.unwrap();
        plans.push(rows.into_iter().map(|(line,)| line + "\n").collect());
    }
    plans
}

/// An id as a literal, of which only the first byte counts.
pub fn id(first: u8) -> String {
    let digits = format!("{first:02x}{}", "00".repeat(15));
    match crate::DATABASE {
        Database::Sqlite => format!("x'{digits}'"),
        Database::Postgres => format!("'{digits}'"),
    }
}
