//! An access token as the tutorials' clients send it: alone in a header, without a scheme.

use std::convert::Infallible;
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;

use crate::error::{Error, Result};
use crate::http::CurrentUser;
use crate::http::current_user::only_header;

/// The header of the tutorial that has one of its own.
pub const TOKEN: &str = "token";

/// The user whose access token is in the header `H`, checked as [`CurrentUser`] checks it; or why there is none. It never
/// fails by itself, since each tutorial has words of its own for that.
pub struct Presented<H>(pub Result<CurrentUser>, PhantomData<H>);

/// A header in which a token stands alone.
pub trait TokenHeader: 'static {
    fn name() -> &'static str;
}

pub struct InAuthorization;

impl TokenHeader for InAuthorization {
    fn name() -> &'static str {
        AUTHORIZATION.as_str()
    }
}

pub struct InToken;

impl TokenHeader for InToken {
    fn name() -> &'static str {
        TOKEN
    }
}

impl<H: TokenHeader> FromRequest for Presented<H> {
    type Error = Infallible;
    type Future = LocalBoxFuture<'static, Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let token = only_header(request, H::name()).map(<[u8]>::trim_ascii);
        let token =
            token.and_then(|token| if token.is_empty() { Err(Error::MissingToken) } else { Ok(token) });
        let user = CurrentUser::of(request, token);
        Box::pin(async move { Ok(Presented(user.await, PhantomData)) })
    }
}
