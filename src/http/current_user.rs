//! Who a request is from: the extractors that stand in a handler's signature.

use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use actix_web_httpauth::headers::authorization::{Bearer, Scheme};

use super::envelope::LoggedUser;
use crate::app::App;
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::sessions::{self, Authenticated};
use crate::store::roles::ADMIN;
use crate::store::users::User;

/// The user whose access token the request carries. As an argument of a handler it makes the route a protected one:
/// without a valid token of a living session the handler does not run, and the answer is a 401 (RFC 6750).
#[derive(Clone, Debug)]
pub struct CurrentUser {
    user: User,
    /// The session that the token belongs to.
    pub session: SessionId,
}

impl CurrentUser {
    /// The user, without the session.
    pub fn into_user(self) -> User {
        self.user
    }
}

impl Deref for CurrentUser {
    type Target = User;

    fn deref(&self) -> &User {
        &self.user
    }
}

impl FromRequest for CurrentUser {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let app = request.app_data::<Data<App>>().expect("the server was made with it");
            let token = bearer_token(&request)?;
            let Authenticated { user, session } = sessions::authenticate(app, token.token()).await?;
            LoggedUser(user.id).note(&request);
            Ok(CurrentUser { user, session })
        })
    }
}

/// The token of the one `authorization` header (RFC 6750 section 2.1).
fn bearer_token(request: &HttpRequest) -> Result<Bearer> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let header = headers.next().ok_or(Error::MissingToken)?.as_bytes();
    if headers.next().is_some() {
        return Err(Error::InvalidRequest("Send one `authorization` header, not several.".to_owned()));
    }
    let (scheme, token) =
        header.iter().position(|byte| *byte == b' ').map_or((header, &[][..]), |at| header.split_at(at));
    let token = token.trim_ascii();
    if !scheme.eq_ignore_ascii_case(b"bearer") || token.is_empty() {
        return Err(Error::MissingToken);
    }
    // httpauth takes the scheme in one spelling only; RFC 9110 section 11.1 takes any.
    let canonical =
        HeaderValue::from_bytes(&[b"Bearer ", token].concat()).map_err(|_| Error::InvalidToken)?;
    Bearer::parse(&canonical).map_err(|_| Error::InvalidToken)
}

/// A role that a route can ask for.
pub trait Role: 'static {
    /// Its name in the database.
    const NAME: &'static str;
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

impl<R> Deref for RequireRole<R> {
    type Target = CurrentUser;

    fn deref(&self) -> &CurrentUser {
        &self.0
    }
}

impl<R: Role> FromRequest for RequireRole<R> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let user = CurrentUser::from_request(request, payload);
        Box::pin(async move {
            let user = user.await?;
            if !user.roles.contains(R::NAME) {
                return Err(Error::Forbidden(R::NAME));
            }
            Ok(RequireRole(user, PhantomData))
        })
    }
}
