//! What stands in a column, in a form that both databases can give and take: as SQLite keeps it.
//!
//! Times are texts, JSON is a text, ids are bytes, true is 1, exactly as the store writes them there. So a checksum is the same
//! whichever database it is taken from.

use std::fmt::Write;

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Postgres, Row, Sqlite, Type};
use uuid::Uuid;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Integer,
    Text,
    Bytes,
    Boolean,
    Uuid,
    Time,
    Json,
}

/// What stands in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Kind {
    /// By the name of a type of Postgres.
    pub fn of_postgres(name: &str) -> Option<Kind> {
        Some(match name {
            "int8" => Kind::Integer,
            "text" => Kind::Text,
            "bytea" => Kind::Bytes,
            "bool" => Kind::Boolean,
            "uuid" => Kind::Uuid,
            "timestamptz" => Kind::Time,
            "jsonb" => Kind::Json,
            _ => return None,
        })
    }

    /// By the name of a type of SQLite, which tells less: what it holds is copied as it stands.
    pub fn of_sqlite(name: &str) -> Option<Kind> {
        Some(match name.to_lowercase().as_str() {
            "integer" => Kind::Integer,
            "text" => Kind::Text,
            "blob" => Kind::Bytes,
            _ => return None,
        })
    }

    pub fn of_row(self, row: &PgRow, column: usize) -> anyhow::Result<Value> {
        Ok(match self {
            Kind::Integer => or_null(postgres(row, column)?, Value::Integer),
            Kind::Text => or_null(postgres(row, column)?, Value::Text),
            Kind::Bytes => or_null(postgres(row, column)?, Value::Bytes),
            Kind::Boolean => or_null(postgres(row, column)?, |truth: bool| Value::Integer(truth.into())),
            Kind::Uuid => or_null(postgres(row, column)?, |id: Uuid| Value::Bytes(id.as_bytes().to_vec())),
            Kind::Time => or_null(postgres(row, column)?, |at| Value::Text(written(at))),
            Kind::Json => {
                or_null(postgres(row, column)?, |json: serde_json::Value| Value::Text(json.to_string()))
            }
        })
    }

    /// What Postgres could not hold is an error.
    pub fn of_sqlite_row(self, row: &SqliteRow, column: usize) -> anyhow::Result<Value> {
        Ok(match self {
            Kind::Integer => or_null(sqlite(row, column)?, Value::Integer),
            Kind::Text => or_null(sqlite(row, column)?, Value::Text),
            Kind::Bytes => or_null(sqlite(row, column)?, Value::Bytes),
            Kind::Boolean => match sqlite(row, column)? {
                Some(truth @ (0 | 1)) => Value::Integer(truth),
                Some(other) => bail!("{other} is neither 0 nor 1"),
                None => Value::Null,
            },
            Kind::Uuid => match sqlite::<Vec<u8>>(row, column)? {
                Some(id) if id.len() != 16 => bail!("an id of {} bytes", id.len()),
                id => or_null(id, Value::Bytes),
            },
            Kind::Time => match sqlite::<String>(row, column)? {
                Some(text) => {
                    // Which also takes a year beyond 9999, as sqlx writes it.
                    let at: DateTime<Utc> = text.parse().context("not a time (RFC 3339)")?;
                    ensure!(
                        at.timestamp_subsec_nanos().is_multiple_of(1000),
                        "not a time in whole microseconds"
                    );
                    Value::Text(written(at))
                }
                None => Value::Null,
            },
            Kind::Json => match sqlite::<String>(row, column)? {
                Some(text) => {
                    let json: serde_json::Value = serde_json::from_str(&text).context("not JSON")?;
                    Value::Text(json.to_string())
                }
                None => Value::Null,
            },
        })
    }
}

fn postgres<'r, T: Decode<'r, Postgres> + Type<Postgres>>(
    row: &'r PgRow,
    column: usize,
) -> sqlx::Result<Option<T>> {
    row.try_get(column)
}

fn sqlite<'r, T: Decode<'r, Sqlite> + Type<Sqlite>>(
    row: &'r SqliteRow,
    column: usize,
) -> sqlx::Result<Option<T>> {
    row.try_get(column)
}

fn or_null<T>(value: Option<T>, make: impl FnOnce(T) -> Value) -> Value {
    value.map_or(Value::Null, make)
}

/// As sqlx writes a time to SQLite.
fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, false)
}

/// A row as one line, which no other row has: the columns apart by tabs, bytes in hexadecimal digits, and what would not be
/// told from these written as `COPY` of Postgres writes it.
pub fn line(row: &[Value]) -> String {
    let mut line = String::new();
    append(&mut line, row, None);
    line
}

/// Adds a row as `COPY` of Postgres takes it. It knows bytes by what stands before them, and a year by its digits alone.
pub fn append_for_copy(lines: &mut String, row: &[Value], kinds: &[Kind]) {
    append(lines, row, Some(kinds));
}

/// As [`append_for_copy`] where it is told the kinds.
fn append(lines: &mut String, row: &[Value], kinds: Option<&[Kind]>) {
    let is = |column: usize, kind: Kind| kinds.is_some_and(|kinds| kinds.get(column) == Some(&kind));
    for (column, value) in row.iter().enumerate() {
        if column > 0 {
            lines.push('\t');
        }
        match value {
            Value::Null => lines.push_str("\\N"),
            Value::Integer(number) => write!(lines, "{number}").unwrap_or_default(),
            Value::Text(time) if is(column, Kind::Time) => lines.push_str(time.trim_start_matches('+')),
            Value::Text(text) => text.chars().for_each(|c| match c {
                '\\' => lines.push_str("\\\\"),
                '\t' => lines.push_str("\\t"),
                '\n' => lines.push_str("\\n"),
                '\r' => lines.push_str("\\r"),
                c => lines.push(c),
            }),
            Value::Bytes(bytes) => {
                if is(column, Kind::Bytes) {
                    lines.push_str("\\\\x");
                }
                for byte in bytes {
                    for digit in [byte >> 4, byte & 15] {
                        lines.push(char::from_digit(digit.into(), 16).unwrap_or_default());
                    }
                }
            }
        }
    }
    lines.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_rows_alone() {
        let text = |text: &str| Value::Text(text.to_owned());
        let rows = [
            vec![Value::Null, text("")],
            vec![text(""), Value::Null],
            vec![text("\\N"), text("")],
            vec![text("a\tb"), text("")],
            vec![text("a"), text("b\t")],
            vec![text("a\n"), text("\r")],
            vec![text("a\\n"), text("\\r")],
        ];
        let lines: std::collections::BTreeSet<_> = rows.iter().map(|row| line(row)).collect();
        assert_eq!(lines.len(), rows.len());
        assert!(lines.iter().all(|line| line.matches(['\n', '\r']).count() == 1));
        let row = [Value::Bytes(vec![0, 0xab]), Value::Bytes(vec![1]), Value::Integer(-1), Value::Null];
        assert_eq!(line(&row), "00ab\t01\t-1\t\\N\n");
        let mut lines = String::new();
        append_for_copy(&mut lines, &row, &[Kind::Bytes, Kind::Uuid, Kind::Integer, Kind::Json]);
        assert_eq!(lines, "\\\\x00ab\t01\t-1\t\\N\n");
        let mut lines = String::new();
        let late = text("+10000-12-31T23:58:59+00:00");
        append_for_copy(&mut lines, &[late, text("+1")], &[Kind::Time, Kind::Text]);
        assert_eq!(lines, "10000-12-31T23:58:59+00:00\t+1\n");
    }
}
