//! `/api/v1/register` and `/api/v1/me`.

mod delete;
mod import;
mod profile;
mod register;

use serde_json::Value;

use crate::api::support::{Server, Tokens};

const REGISTER: &str = "/api/v1/register";
const ME: &str = "/api/v1/me";

async fn me(server: &Server, tokens: &Tokens) -> Value {
    server.get(ME).bearer(&tokens.access).expect(200).await.json()
}
