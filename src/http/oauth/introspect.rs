//! `/oauth/introspect`: whether an access token or an API key is good, and what it says (RFC 7662). Asked live: a revoked session's is not.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Serialize;
use serde_json::json;

use super::parameters::Parameters;
use super::refusal::{Refusal, answer};
use crate::app::App;
use crate::error::Result;
use crate::http::Introspector;
use crate::http::body::Body;
use crate::id::{ApiKeyId, UserId};
use crate::sessions::{self, Claims, Introspected};
use crate::store::users::User;

/// What is told of a good one: its claims, but the roles that the user has now.
#[derive(Serialize)]
struct ActiveBody<'a> {
    active: bool,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(flatten)]
    claims: Claims,
}

/// What is told of a good API key.
#[derive(Serialize)]
struct ActiveKeyBody<'a> {
    active: bool,
    token_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    sub: UserId,
    jti: ApiKeyId,
    /// Those that it may use.
    roles: &'a [String],
}

pub async fn introspect(app: Data<App>, _caller: Introspector, body: Body) -> Result<HttpResponse> {
    answer(introspected(&app, body).await)
}

async fn introspected(app: &App, body: Body) -> Result<HttpResponse, Refusal> {
    let mut parameters = Parameters::read(body).await?;
    let token = parameters.required("token")?;
    Ok(match sessions::introspect(app, &token).await? {
        Some(Introspected::Token(claims, user)) => HttpResponse::Ok().json(active(claims, &user)),
        Some(Introspected::ApiKey(id, user)) => HttpResponse::Ok().json(active_key(id, &user)),
        None => HttpResponse::Ok().json(json!({ "active": false })),
    })
}

fn name(user: &User) -> Option<&str> {
    user.username.as_deref().or(user.email.as_deref())
}

fn active_key(id: ApiKeyId, user: &User) -> ActiveKeyBody<'_> {
    let (username, roles) = (name(user), user.roles.names());
    ActiveKeyBody { active: true, token_type: "Bearer", username, sub: user.id, jti: id, roles }
}

fn active(mut claims: Claims, user: &User) -> ActiveBody<'_> {
    let username = name(user);
    claims.roles = user.roles.names().to_vec();
    ActiveBody { active: true, token_type: "Bearer", username, claims }
}
