//! Who a request is from: the extractors that stand in a handler's signature.

use std::future::{Ready, ready};
use std::ops::Deref;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use actix_web_httpauth::headers::authorization::{Bearer, Scheme};
use chrono::{DateTime, Utc};
use futures_util::future::{Either, LocalBoxFuture};

use super::envelope::LoggedUser;
use super::limited;
use crate::app::App;
use crate::audit::Actor;
use crate::error::{Error, Result};
use crate::id::{Credential, SessionId};
use crate::sessions::{self, Authenticated, Client};
use crate::store::quotas::Quota;
use crate::store::users::User;
use crate::usage::{Budget, Service};

/// The user whose access token or API key the request carries. As an argument of a handler it makes the route a protected one:
/// without a valid token of a living session, or a key, the handler does not run, and the answer is a 401 (RFC 6750).
#[derive(Clone, Debug)]
pub struct CurrentUser(Arc<Authenticated>);

impl CurrentUser {
    /// The session that the token belongs to; `None` of an API key.
    pub fn session(&self) -> Option<SessionId> {
        match self.0.credential {
            Credential::Session(session) => Some(session),
            Credential::ApiKey(_) => None,
        }
    }

    /// The user's quota, if there is one.
    pub(super) fn quota(&self) -> Option<&Quota> {
        self.0.quota.as_ref()
    }

    /// Who acts by this request, for as long as what let it in holds.
    pub(super) fn actor(&self, client: &Client) -> Actor {
        client.actor(self.id).by(self.0.credential)
    }

    /// The user in a form that is written once, not for every request. There is room for one form.
    pub(super) fn rendered<E>(&self, render: impl FnOnce(&User) -> Result<Vec<u8>, E>) -> Result<&[u8], E> {
        self.0.rendered(render)
    }
}

impl Deref for CurrentUser {
    type Target = User;

    fn deref(&self) -> &User {
        &self.0.user
    }
}

impl FromRequest for CurrentUser {
    type Error = Error;
    type Future = Either<Ready<Result<Self>>, LocalBoxFuture<'static, Result<Self>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        CurrentUser::of(request, bearer_token(request))
    }
}

impl CurrentUser {
    /// Whose access token or API key this is, wherever the request has it.
    pub(super) fn of(request: &HttpRequest, token: Result<&[u8]>) -> <Self as FromRequest>::Future {
        let app = app(request);
        let found = match identified(app, request, token) {
            Either::Left(found) => found.into_inner(),
            Either::Right(found) => {
                let request = request.clone();
                return Either::Right(Box::pin(async move {
                    found.await?.admitted(&request, Service::Own).await
                }));
            }
        };
        let found = match found {
            Ok(found) => found,
            Err(error) => return Either::Left(ready(Err(error))),
        };
        let spent = match found.spend(app, request) {
            Ok(spent) => spent,
            Err(budget) => {
                let (app, request) = (app.clone(), request.clone());
                return Either::Right(Box::pin(async move {
                    limited::ask(&app, &request, budget, found.at).await?;
                    Ok(found.counted(&app, Service::Own))
                }));
            }
        };
        Either::Left(ready(spent.map(|()| found.counted(app, Service::Own))))
    }
}

/// Mostly known at once: no place on the heap for what does not wait.
type Found = Either<Ready<Result<Identified>>, LocalBoxFuture<'static, Result<Identified>>>;

/// The user whose access token or API key the request carries, before it is known whether the request may be made. It is not
/// counted yet: see [`admitted`](Self::admitted).
pub(super) struct Identified {
    found: Arc<Authenticated>,
    /// When it was asked; what it is counted for, and what is left of a quota then.
    at: DateTime<Utc>,
}

impl Identified {
    /// Lets the request pass, as far as the user's quota goes, and counts it as one for `service`.
    pub async fn admitted(self, request: &HttpRequest, service: Service<'_>) -> Result<CurrentUser> {
        let app = app(request);
        self.within_quota(app, request).await?;
        Ok(self.counted(app, service))
    }

    /// As [`admitted`](Self::admitted), but whatever is left of the quota: who has none left can still log out, look after the
    /// account, and, as an admin, see to quotas.
    pub async fn let_in(self, request: &HttpRequest, service: Service<'_>) -> Result<CurrentUser> {
        let app = app(request);
        match self.within_quota(app, request).await {
            Ok(()) | Err(Error::QuotaExceeded { .. }) => Ok(self.counted(app, service)),
            Err(error) => Err(error),
        }
    }

    async fn within_quota(&self, app: &App, request: &HttpRequest) -> Result<()> {
        match self.spend(app, request) {
            Ok(spent) => spent,
            Err(budget) => limited::ask(app, request, budget, self.at).await,
        }
    }

    fn spend(&self, app: &App, request: &HttpRequest) -> Result<Result<()>, Arc<Budget>> {
        let Some(quota) = &self.found.quota else { return Ok(Ok(())) };
        limited::spend(app, request, self.found.user.id, quota, self.at)
    }

    fn counted(self, app: &App, service: Service<'_>) -> CurrentUser {
        let key = match self.found.credential {
            Credential::Session(_) => None,
            Credential::ApiKey(id) => Some(id),
        };
        app.usage.count(self.found.user.id, key, service, self.at);
        CurrentUser(self.found)
    }

    fn noted(found: Arc<Authenticated>, request: &HttpRequest, at: DateTime<Utc>) -> Identified {
        LoggedUser(found.user.id).note(request);
        Identified { found, at }
    }
}

impl Deref for Identified {
    type Target = User;

    fn deref(&self) -> &User {
        &self.found.user
    }
}

impl FromRequest for Identified {
    type Error = Error;
    type Future = Found;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        identified(app(request), request, bearer_token(request))
    }
}

fn app(request: &HttpRequest) -> &Data<App> {
    request.app_data().expect("the server was made with it")
}

fn identified(app: &Data<App>, request: &HttpRequest, token: Result<&[u8]>) -> Found {
    let now = app.clock.now();
    let found = token.map(|token| (sessions::known(app, token, now), token));
    let token = match found {
        Ok((Some(found), _)) => return Either::Left(ready(Ok(Identified::noted(found, request, now)))),
        Ok((None, token)) => parse(token),
        Err(error) => Err(error),
    };
    let token = match token {
        Ok(token) => token,
        Err(error) => return Either::Left(ready(Err(error))),
    };
    let (app, request) = (app.clone(), request.clone());
    Either::Right(Box::pin(async move {
        let found = sessions::authenticate(&app, token.token()).await?;
        Ok(Identified::noted(found, &request, now))
    }))
}

/// What the one `authorization` header has behind `Bearer` (RFC 6750 section 2.1).
fn bearer_token(request: &HttpRequest) -> Result<&[u8]> {
    let header = only_header(request, AUTHORIZATION.as_str())?;
    let (scheme, token) =
        header.iter().position(|byte| *byte == b' ').map_or((header, &[][..]), |at| header.split_at(at));
    let token = token.trim_ascii();
    if !scheme.eq_ignore_ascii_case(b"bearer") || token.is_empty() {
        return Err(Error::MissingToken);
    }
    Ok(token)
}

/// The one header of this name, in which a token is.
pub(super) fn only_header<'r>(request: &'r HttpRequest, name: &str) -> Result<&'r [u8]> {
    let mut headers = request.headers().get_all(name);
    let header = headers.next().ok_or(Error::MissingToken)?.as_bytes();
    if headers.next().is_some() {
        return Err(Error::InvalidRequest(format!("Send one `{name}` header, not several.")));
    }
    Ok(header)
}

/// httpauth takes the scheme in one spelling only; RFC 9110 section 11.1 takes any.
fn parse(token: &[u8]) -> Result<Bearer> {
    let canonical =
        HeaderValue::from_bytes(&[b"Bearer ", token].concat()).map_err(|_| Error::InvalidToken)?;
    Bearer::parse(&canonical).map_err(|_| Error::InvalidToken)
}

/// The user of a session: an API key won't do, whatever its roles, and is answered 403 `session_required`. For all that touches
/// the account itself.
#[derive(Debug)]
pub struct SessionUser(CurrentUser, SessionId);

impl SessionUser {
    /// The session that the token belongs to.
    pub fn session(&self) -> SessionId {
        self.1
    }
}

impl Deref for SessionUser {
    type Target = CurrentUser;

    fn deref(&self) -> &CurrentUser {
        &self.0
    }
}

impl FromRequest for SessionUser {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (found, request) = (Identified::extract(request), request.clone());
        Box::pin(async move {
            let found = found.await?;
            match found.found.credential {
                Credential::Session(session) => {
                    Ok(SessionUser(found.let_in(&request, Service::Own).await?, session))
                }
                Credential::ApiKey(_) => Err(Error::SessionRequired),
            }
        })
    }
}
