//! Which role a request's user must have: extractors, too.

use std::marker::PhantomData;
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;

use super::current_user::{CurrentUser, Identified};
use crate::audit::Actor;
use crate::error::{Error, Result};
use crate::sessions::Client;
use crate::store::roles::{ADMIN, INTROSPECT};
use crate::store::users::User;
use crate::usage::Service;

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

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let (found, request) = (with_role::<R>(request), request.clone());
        Box::pin(async move {
            let found = found.await?;
            let user = match R::NAME {
                ADMIN => found.let_in(&request, Service::Own).await?,
                _ => found.admitted(&request, Service::Own).await?,
            };
            Ok(RequireRole(user, PhantomData))
        })
    }
}

impl Admin {
    /// Who acts by this request, for as long as what let it in holds, the role included.
    pub(super) fn actor(&self, client: &Client) -> Actor {
        self.0.actor(client).with_role(ADMIN)
    }
}

impl<R: Role> RequireRole<R> {
    /// Whether the request could still be made, though it has been let in already and is not counted again.
    pub(super) async fn ask_again(request: &HttpRequest) -> Result<()> {
        with_role::<R>(request).await.map(drop)
    }
}

fn with_role<R: Role>(request: &HttpRequest) -> impl Future<Output = Result<Identified>> + use<R> {
    let found = Identified::extract(request);
    async {
        let found = found.await?;
        if R::is_held_by(&found) { Ok(found) } else { Err(Error::Forbidden(R::NAME.into())) }
    }
}
