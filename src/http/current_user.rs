//! Who a request is from: the extractors that stand in a handler's signature.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use actix_web_httpauth::headers::authorization::{Bearer, Scheme};
use futures_util::future::{Either, LocalBoxFuture};

use super::envelope::LoggedUser;
use crate::app::App;
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::sessions::{self, Authenticated};
use crate::store::roles::{ADMIN, INTROSPECT};
use crate::store::users::User;

/// The user whose access token the request carries. As an argument of a handler it makes the route a protected one:
/// without a valid token of a living session the handler does not run, and the answer is a 401 (RFC 6750).
#[derive(Clone, Debug)]
pub struct CurrentUser(Arc<Authenticated>);

impl CurrentUser {
    /// The session that the token belongs to.
    pub fn session(&self) -> SessionId {
        self.0.session
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
    /// Mostly known at once: no place on the heap for what does not wait.
    type Future = Either<Ready<Result<Self>>, LocalBoxFuture<'static, Result<Self>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        CurrentUser::of(request, bearer_token(request))
    }
}

impl CurrentUser {
    /// Whose access token this is, wherever the request has it.
    pub(super) fn of(request: &HttpRequest, token: Result<&[u8]>) -> <Self as FromRequest>::Future {
        let app = request.app_data::<Data<App>>().expect("the server was made with it");
        let found = token.map(|token| (sessions::known(app, token), token));
        let token = match found {
            Ok((Some(found), _)) => return Either::Left(ready(Ok(CurrentUser::noted(found, request)))),
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
            Ok(CurrentUser::noted(found, &request))
        }))
    }

    fn noted(found: Arc<Authenticated>, request: &HttpRequest) -> CurrentUser {
        LoggedUser(found.user.id).note(request);
        CurrentUser(found)
    }
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

/// A role that a route can ask for.
pub trait Role: 'static {
    /// Its name in the database.
    const NAME: &'static str;

    /// Whether this user may pass for one who has it.
    fn is_held_by(user: &User) -> bool {
        user.roles.contains(Self::NAME)
    }
}

/// A user who has the role `R`; others are answered 403 `forbidden`.
///
/// ```
/// use portcullis::http::{RequireRole, Role};
///
/// struct Auditor;
/// impl Role for Auditor {
///     const NAME: &'static str = "auditor";
/// }
///
/// async fn books(auditor: RequireRole<Auditor>) -> String {
///     format!("The books, for user {}", auditor.id)
/// }
/// ```
#[derive(Debug)]
pub struct RequireRole<R>(CurrentUser, PhantomData<R>);

/// The role `admin`.
#[derive(Debug)]
pub struct AdminRole;

impl Role for AdminRole {
    const NAME: &'static str = ADMIN;
}

/// A user who may administer everything.
pub type Admin = RequireRole<AdminRole>;

/// The role `introspect`, which an admin has no less.
#[derive(Debug)]
pub struct IntrospectRole;

impl Role for IntrospectRole {
    const NAME: &'static str = INTROSPECT;

    fn is_held_by(user: &User) -> bool {
        user.roles.contains(INTROSPECT) || user.roles.contains(ADMIN)
    }
}

/// A service that checks others' tokens.
pub type Introspector = RequireRole<IntrospectRole>;

impl<R> Deref for RequireRole<R> {
    type Target = CurrentUser;

    fn deref(&self) -> &CurrentUser {
        &self.0
    }
}

impl<R: Role> FromRequest for RequireRole<R> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let user = CurrentUser::from_request(request, payload);
        Box::pin(async move {
            let user = user.await?;
            if R::is_held_by(&user) {
                Ok(RequireRole(user, PhantomData))
            } else {
                Err(Error::Forbidden(R::NAME.into()))
            }
        })
    }
}
