//! The API suite on SQLite: a temporary file for each test.

mod api;

use api::support::Database;

const DATABASE: Database = Database::Sqlite;
