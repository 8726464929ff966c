//! `/api/v1/login`, `/api/v1/refresh`, `/api/v1/logout` and `/api/v1/me/sessions`.

use std::sync::Arc;

use actix_web::web::{Data, Json, Path};
use actix_web::{HttpRequest, HttpResponse, Responder};
use chrono::{DateTime, Utc};
use serde::Serialize;

use super::SessionUser;
use super::accounts::UserBody;
use super::body::Body;
use super::envelope::LoggedUser;
use super::fields::{Fields, any_text};
use super::limited::{Limited, LogIn, Refresh};
use super::params::{List, Params};
use crate::accounts::{EmailAddress, Username};
use crate::app::App;
use crate::error::{Broken, Error, Result};
use crate::id::SessionId;
use crate::sessions::{self, Client, Identifier, LogoutScope, TokenResponse};
use crate::store;
use crate::store::sessions::Session;
use crate::store::users::User;

/// A token response (RFC 6749 section 5.1).
#[derive(Serialize)]
pub(super) struct TokenBody {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: String,
    refresh_expires_in: i64,
    user: UserBody<Arc<User>>,
    /// The access token once more, by the name that a tutorial's clients know.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl From<TokenResponse> for TokenBody {
    fn from(tokens: TokenResponse) -> TokenBody {
        TokenBody {
            access_token: tokens.access_token,
            token_type: "Bearer",
            expires_in: tokens.expires_in,
            refresh_token: tokens.refresh_token,
            refresh_expires_in: tokens.refresh_expires_in,
            user: UserBody(tokens.user),
            token: None,
        }
    }
}

/// A session, as the contract has it.
#[derive(Serialize)]
pub(super) struct SessionBody {
    id: SessionId,
    current: bool,
    created_at: DateTime<Utc>,
    last_used_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    ip: Option<String>,
    user_agent: Option<String>,
}

impl SessionBody {
    /// `current` is the session that asks, if it is one.
    pub fn of(session: Session, current: Option<SessionId>) -> SessionBody {
        SessionBody {
            id: session.id,
            current: Some(session.id) == current,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
            ip: session.ip,
            user_agent: session.user_agent,
        }
    }
}

pub(super) async fn login(
    _: Limited<LogIn>,
    request: HttpRequest,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<Json<TokenBody>> {
    let mut fields = body.read().await?;
    let identifier = identifier(&mut fields);
    let password = fields.required("password", any_text);
    let (identifier, password) = fields.finish(identifier.zip(password))?;
    let tokens = sessions::login(&app, &identifier, &password, &client).await?;
    LoggedUser(tokens.user.id).note(&request);
    let token = app.config.compat_routes.then(|| tokens.access_token.clone());
    Ok(Json(TokenBody { token, ..TokenBody::from(tokens) }))
}

pub(super) fn by_username(text: String) -> Identifier {
    Identifier::Username(Username::key_of(&text))
}

pub(super) fn by_email(text: String) -> Identifier {
    Identifier::Email(EmailAddress::key_of(&text))
}

/// A name of either kind: no username has an `@`.
pub(super) fn either_name(text: String) -> Identifier {
    if text.contains('@') { by_email(text) } else { by_username(text) }
}

/// The one name among `username`, `email` and `login`. More than one is refused whether or not they name the same
/// account: to tell which address belongs to which name is no one's business.
fn identifier(fields: &mut Fields) -> Option<Identifier> {
    let username = fields.optional("username", any_text).map(by_username);
    let email = fields.optional("email", any_text).map(by_email);
    let either = fields.optional("login", any_text).map(either_name);
    let mut given = [username, email, either].into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(_), Some(_)) => {
            fields.broke("login", Broken::new("ambiguous", "Give one of `username`, `email` and `login`."))
        }
        (None, _) if !fields.has_broken() => {
            fields.broke("login", Broken::new("required", "Give one of `username`, `email` and `login`."))
        }
        (one, _) => one,
    }
}

pub(super) async fn refresh(
    _: Limited<Refresh>,
    request: HttpRequest,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<Json<TokenBody>> {
    let mut fields = body.read().await?;
    let token = fields.required("refresh_token", any_text);
    let token = fields.finish(token)?;
    let tokens = sessions::refresh(&app, &token, &client).await?;
    LoggedUser(tokens.user.id).note(&request);
    Ok(Json(TokenBody::from(tokens)))
}

pub(super) async fn logout(
    app: Data<App>,
    user: SessionUser,
    client: Client,
    body: Body,
) -> Result<impl Responder> {
    let mut fields = body.read_if_any().await?;
    let scope = fields.optional("scope", |text| match text {
        "session" => Ok(LogoutScope::Session),
        "all" => Ok(LogoutScope::All),
        "others" => Ok(LogoutScope::Others),
        _ => Err(Broken::new("invalid", "Use `session`, `all` or `others`.")),
    });
    let scope = fields.finish(Some(scope.unwrap_or_default()))?;
    sessions::logout(&app, user.id, user.session(), scope, &client).await?;
    Ok(HttpResponse::NoContent())
}

pub(super) async fn list(app: Data<App>, user: SessionUser, params: Params) -> Result<impl Responder> {
    let page = params.page()?;
    let rows = store::sessions::page(&app.db, user.id, app.clock.now(), page.before, page.rows()).await?;
    let item = |session| SessionBody::of(session, Some(user.session()));
    let list: List<SessionBody> = page.list(rows, |session| *session.id.as_bytes(), item);
    Ok(Json(list))
}

pub(super) async fn end(
    app: Data<App>,
    user: SessionUser,
    client: Client,
    id: Path<String>,
) -> Result<impl Responder> {
    let session = id.parse().map_err(|_| Error::NotFound)?;
    sessions::end(&app, user.id, session, &user.actor(&client)).await?;
    Ok(HttpResponse::NoContent())
}
