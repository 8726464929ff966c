//! The HTTP surface: the only room that knows actix.
//!
//! Handlers turn requests into calls of the rooms, and what those return into responses. Each says in its signature
//! who may call it: [`CurrentUser`], [`SessionUser`] or [`Admin`] among its arguments; a handler without one is public. What comes
//! after that in a request (query, path, body) is read inside the handler, so that a stranger is told "401" and never
//! what else is wrong.
//!
//! # A protected route of your own
//!
//! ```
//! # use portcullis::{app::App, cli, clock::Clock, http};
//! use actix_web::web;
//! use portcullis::http::CurrentUser;
//!
//! async fn greet(user: CurrentUser) -> String {
//!     format!("Hello, {}!", user.username.as_deref().unwrap_or("friend"))
//! }
//!
//! # #[actix_web::main]
//! # async fn main() -> anyhow::Result<()> {
//! # let folder = tempfile::tempdir()?;
//! # let database = format!("--database-url=sqlite://{}", folder.path().join("doc.db").display());
//! # let secret = format!("--secret-key={}", "for-this-example-alone".repeat(2));
//! # let config = cli::config_from(["portcullis", &database, &secret], []).expect("sound settings");
//! # let app = std::sync::Arc::new(App::start(config, Clock::system()).await?);
//! # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
//! # let url = format!("http://{}/greet", listener.local_addr()?);
//! let server = http::serve(app, listener, |routes| {
//!     routes.route("/greet", web::get().to(greet));
//! })?;
//! # tokio::spawn(server);
//!
//! // Without a token, the handler is never reached:
//! assert_eq!(reqwest::get(url).await?.status(), 401);
//! # Ok(())
//! # }
//! ```
//!
//! In your own program, `portcullis::cli::main_with` does all around it: settings, database, signals.

mod accounts;
mod admin;
mod api_keys;
mod body;
mod client;
mod compat;
mod current_user;
mod docs;
mod emails;
mod envelope;
mod error;
mod fields;
mod forward_auth;
mod health;
mod keys;
mod limited;
mod listener;
mod metrics;
mod oauth;
mod pages;
mod params;
mod passwords;
mod require_role;
mod revocations;
mod server;
mod sessions;
mod trace_context;
mod usage;
mod watching;

use actix_web::http::Method;
use actix_web::{FromRequest, Handler, Resource, Responder, web};

use crate::app::App;

pub(crate) use accounts::UserBody;
pub use current_user::{CurrentUser, SessionUser};
pub use docs::OPENAPI;
pub use envelope::wrap as envelope;
pub use metrics::serve_metrics;
pub use require_role::{Admin, Introspector, RequireRole, Role};
pub use server::{ServerHandle, serve};

/// Every surface. actix tries routes in this order, so those that are asked most come first.
pub fn endpoints() -> Vec<Endpoint> {
    vec![
        at(forward_auth::PATH).any(forward_auth::check),
        at("/api/v1/me").get(accounts::me).patch(accounts::update).delete(accounts::delete),
        at("/api/v1/refresh").post(sessions::refresh),
        at("/api/v1/login").post(sessions::login),
        at("/api/v1/logout").post(sessions::logout),
        at("/api/v1/register").post(accounts::register),
        at("/oauth/token").post(oauth::token),
        at("/oauth/introspect").post(oauth::introspect),
        at("/oauth/revoke").post(oauth::revoke),
        at("/.well-known/jwks.json").get(keys::jwks),
        at("/.well-known/oauth-authorization-server").get(oauth::metadata),
        at("/.well-known/openid-configuration").get(oauth::metadata),
        at("/health/live").get(health::live),
        at("/health/ready").get(health::ready),
        at("/api/v1/me/password").put(passwords::change),
        at("/api/v1/me/email").put(emails::change),
        at("/api/v1/password/forgot").post(passwords::forgot),
        at("/api/v1/password/reset").post(passwords::reset),
        at("/api/v1/email/verify").post(emails::verify),
        at("/api/v1/email/verify/resend").post(emails::resend),
        at("/email/verify").get(pages::verify_page).post(pages::verify),
        at("/password/reset").get(pages::reset_page).post(pages::reset),
        at("/session/end").get(pages::end_page).post(pages::end),
        at("/api/v1/me/sessions").get(sessions::list),
        at("/api/v1/me/sessions/{id}").delete(sessions::end),
        at("/api/v1/me/keys").get(api_keys::list).post(api_keys::create),
        at("/api/v1/me/keys/{id}").delete(api_keys::delete),
        at("/api/v1/me/usage").get(usage::mine),
        at("/api/v1/revocations").get(revocations::follow),
        at("/api/v1/admin/users").get(admin::users::list).post(admin::users::create),
        at("/api/v1/admin/users/{id}")
            .get(admin::users::one)
            .patch(admin::users::update)
            .delete(admin::users::delete),
        at("/api/v1/admin/users/{id}/sessions").get(admin::sessions::list).delete(admin::sessions::end),
        at("/api/v1/admin/users/{id}/quota")
            .get(admin::quotas::one)
            .put(admin::quotas::set)
            .delete(admin::quotas::remove),
        at("/api/v1/admin/roles").get(admin::roles::list).post(admin::roles::create),
        at("/api/v1/admin/roles/{name}").delete(admin::roles::delete),
        at("/api/v1/admin/audit").get(admin::audit::list),
        at("/api/v1/admin/audit/verify").get(admin::audit::verify),
        at("/api/v1/admin/usage").get(admin::usage::list),
        at("/openapi.json").get(docs::openapi),
        at("/docs").get(docs::page),
        at("/docs/{file}").get(docs::file),
    ]
}

/// What is there beside it where the settings have `COMPAT_ROUTES`.
pub fn tutorial_endpoints() -> Vec<Endpoint> {
    compat::endpoints()
}

/// All that is there by the settings.
fn surface(app: &App) -> Vec<Endpoint> {
    let tutorials = app.config.compat_routes.then(tutorial_endpoints).unwrap_or_default();
    endpoints().into_iter().chain(tutorials).collect()
}

/// A path and what it takes.
pub struct Endpoint {
    pub path: &'static str,
    pub methods: Vec<Method>,
    resource: Resource,
}

fn at(path: &'static str) -> Endpoint {
    Endpoint { path, methods: Vec::new(), resource: web::resource(path) }
}

macro_rules! method {
    ($name:ident, $($Method:ident),+) => {
        fn $name<F, Args>(mut self, handler: F) -> Endpoint
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            $(
                self.resource = self.resource.route(web::method(Method::$Method).to(handler.clone()));
                self.methods.push(Method::$Method);
            )+
            self
        }
    };
}

impl Endpoint {
    method!(get, GET, HEAD);
    method!(post, POST);
    method!(put, PUT);
    method!(patch, PATCH);
    method!(delete, DELETE);

    /// Whatever the method is.
    fn any<F, Args>(mut self, handler: F) -> Endpoint
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.resource = self.resource.to(handler);
        self.methods = vec![
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ];
        self
    }
}

/// Where routes are registered; actix's own.
pub use actix_web::web::ServiceConfig as Routes;

/// Runs `work` on a runtime in which [`serve`] can be called.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(work)
}
