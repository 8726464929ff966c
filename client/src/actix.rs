//! Extractors for actix-web: the access rule stands in the handler's signature.
//!
//! ```no_run
//! use actix_web::{App, HttpServer, web};
//! use portcullis_client::actix::{Authenticated, RequireRole, Role};
//! use portcullis_client::{Settings, Verifier};
//!
//! struct Editor;
//! impl Role for Editor {
//!     const NAME: &'static str = "editor";
//! }
//!
//! async fn read(user: Authenticated) -> String {
//!     format!("Hello, {}!", user.sub)
//! }
//!
//! async fn write(editor: RequireRole<Editor>) -> String {
//!     format!("Written by {}.", editor.sub)
//! }
//!
//! #[actix_web::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #   let password = "";
//!     let verifier = Verifier::connect(Settings::new("http://localhost:8080", "orders", password))?;
//!     let server = HttpServer::new(move || {
//!         App::new()
//!             .app_data(verifier.clone())
//!             .route("/page", web::get().to(read))
//!             .route("/page", web::put().to(write))
//!     });
//!     Ok(server.bind("127.0.0.1:8000")?.run().await?)
//! }
//! ```

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError};

use crate::problem::Problem;
use crate::{Claims, Error, Verifier, bearer};

/// The claims of the access token that the request carries. As an argument of a handler it makes the route a protected
/// one: without a valid token the handler does not run, and the answer is Portcullis' own: a problem document with a
/// challenge (RFC 6750). The [`Verifier`] is the one in `app_data`, as it is or in a [`Data`].
#[derive(Clone, Debug)]
pub struct Authenticated(Claims);

impl Authenticated {
    pub fn into_claims(self) -> Claims {
        self.0
    }
}

impl Deref for Authenticated {
    type Target = Claims;

    fn deref(&self) -> &Claims {
        &self.0
    }
}

/// A role that a route can ask for.
pub trait Role: 'static {
    /// Its name at Portcullis.
    const NAME: &'static str;
}

/// A user whose token has the role `R`; others are answered 403 `forbidden`.
#[derive(Clone, Debug)]
pub struct RequireRole<R>(Authenticated, PhantomData<R>);

impl<R> Deref for RequireRole<R> {
    type Target = Authenticated;

    fn deref(&self) -> &Authenticated {
        &self.0
    }
}

/// An [`Error`] as the answer to a request. `error.as_error::<Rejection>()` in a middleware finds it again.
#[derive(Clone, Debug)]
pub struct Rejection {
    pub error: Error,
    request_id: Option<Vec<u8>>,
}

impl FromRequest for Authenticated {
    type Error = Rejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Rejection>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let claims = authenticate(&request).await;
            claims.map(Authenticated).map_err(|error| Rejection::new(error, &request))
        })
    }
}

impl<R: Role> FromRequest for RequireRole<R> {
    type Error = Rejection;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Rejection>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let user = Authenticated::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let user = user.await?;
            if !user.has_role(R::NAME) {
                return Err(Rejection::new(Error::Forbidden(R::NAME.to_owned()), &request));
            }
            Ok(RequireRole(user, PhantomData))
        })
    }
}

async fn authenticate(request: &HttpRequest) -> Result<Claims, Error> {
    let data = || request.app_data::<Data<Verifier>>().map(|verifier| &***verifier);
    let Some(verifier) = request.app_data::<Verifier>().or_else(data) else {
        tracing::error!("a route asks for an access token, but no Verifier is in the app_data of its App");
        return Err(Error::Internal);
    };
    let headers = request.headers().get_all(AUTHORIZATION);
    verifier.verify_or_wait(bearer::token(headers.map(|header| header.as_bytes()))?).await
}

impl Rejection {
    fn new(error: Error, request: &HttpRequest) -> Rejection {
        let request_id = request.headers().get("x-request-id").map(|id| id.as_bytes().to_vec());
        Rejection { error, request_id }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Rejection {}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        status(self.error.status())
    }

    fn error_response(&self) -> HttpResponse {
        let problem = Problem::new(&self.error, self.request_id.as_deref());
        let mut response = HttpResponse::build(status(problem.status));
        for header in problem.headers {
            response.insert_header(header);
        }
        response.body(problem.body)
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
