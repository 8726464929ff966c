//! The API suite on Postgres: a schema for each test, in the database that `TEST_DATABASE_URL` names.
//! `./scripts/test` starts one.

mod api;

use api::support::Database;

const DATABASE: Database = Database::Postgres;
