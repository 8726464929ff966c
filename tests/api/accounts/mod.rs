//! `/api/v1/register`, `/api/v1/me`, and what is mailed to who has an account.

mod delete;
mod email;
mod import;
mod letters;
mod profile;
mod recovery;
mod register;

use serde_json::Value;

use crate::api::support::{Server, Tokens};

const REGISTER: &str = "/api/v1/register";
const ME: &str = "/api/v1/me";

async fn me(server: &Server, tokens: &Tokens) -> Value {
    server.get(ME).bearer(&tokens.access).expect(200).await.json()
}
