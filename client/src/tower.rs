//! A layer for services over `http` 1: what it lets through carries [`Claims`] in its extensions.
//!
//! ```
//! use std::convert::Infallible;
//!
//! use http::{Request, Response};
//! use portcullis_client::tower::Authenticate;
//! use portcullis_client::{Claims, Verifier};
//! use tower::{Service, ServiceBuilder};
//!
//! async fn greet(request: Request<String>) -> Result<Response<String>, Infallible> {
//!     let user = request.extensions().get::<Claims>().expect("the layer put them there");
//!     Ok(Response::new(format!("Hello, {}!", user.sub)))
//! }
//!
//! fn service(verifier: Verifier) -> impl Service<Request<String>> {
//!     ServiceBuilder::new().layer(Authenticate::new(verifier)).service_fn(greet)
//! }
//! ```
//!
//! With axum it is `router.layer(Authenticate::new(verifier))`, and handlers take an `Extension<Claims>`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use http::{Request, Response, StatusCode};
use tower_layer::Layer;
use tower_service::Service;

use crate::problem::Problem;
use crate::{Claims, Error, Verifier, bearer};

/// Lets through requests with a valid access token, and answers others as Portcullis would: a problem document with a
/// challenge (RFC 6750). The response's body must be one that a `String` can become.
#[derive(Clone, Debug)]
pub struct Authenticate {
    verifier: Verifier,
    role: Option<&'static str>,
}

impl Authenticate {
    pub fn new(verifier: Verifier) -> Authenticate {
        Authenticate { verifier, role: None }
    }

    /// Asks for a role, too: who lacks it is answered 403 `forbidden`.
    pub fn with_role(self, role: &'static str) -> Authenticate {
        Authenticate { role: Some(role), ..self }
    }

    async fn check(&self, headers: &HeaderMap) -> Result<Claims, Error> {
        let values = headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes);
        let claims = self.verifier.verify_or_wait(bearer::token(values)?).await?;
        match self.role {
            Some(role) if !claims.has_role(role) => Err(Error::Forbidden(role.to_owned())),
            _ => Ok(claims),
        }
    }
}

impl<S> Layer<S> for Authenticate {
    type Service = Authenticated<S>;

    fn layer(&self, inner: S) -> Authenticated<S> {
        Authenticated { inner, rule: self.clone() }
    }
}

/// A service behind [`Authenticate`].
#[derive(Clone, Debug)]
pub struct Authenticated<S> {
    inner: S,
    rule: Authenticate,
}

impl<S, B, R> Service<Request<B>> for Authenticated<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // The one that was polled ready must be the one that is called; the clone stays for the next request.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let rule = self.rule.clone();
        Box::pin(async move {
            match rule.check(request.headers()).await {
                Ok(claims) => {
                    request.extensions_mut().insert(claims);
                    inner.call(request).await
                }
                Err(error) => Ok(refusal(&error, request.headers())),
            }
        })
    }
}

fn refusal<R: From<String>>(error: &Error, headers: &HeaderMap) -> Response<R> {
    let request_id = headers.get("x-request-id").map(HeaderValue::as_bytes);
    let Problem { status, headers, body } = Problem::new(error, request_id);
    let mut response = Response::new(R::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
