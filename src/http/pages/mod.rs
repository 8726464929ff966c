//! `/email/verify`, `/password/reset` and `/session/end`: where mailed links lead, for who has no page of their own for them.
//!
//! To look at a page does nothing, since programs look at every link in a mail before people do: it has a button. Plain HTML,
//! without scripts. Whoever puts another page at one of these paths of `PUBLIC_URL` sends the token to the API from there.

use std::sync::LazyLock;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpResponse, ResponseError};
use base64::prelude::{BASE64_STANDARD, Engine};
use minijinja::{Environment, context};

use super::body::Body;
use super::fields::any_text;
use super::limited::{Confirm, Limited};
use super::params::Params;
use super::{emails, passwords};
use crate::app::App;
use crate::error::{Error, Result};
use crate::secret::sha256;
use crate::sessions::{self, Client};

const STYLE: &str = include_str!("style.css");

/// The page's own style, by its digest, and a form that leads back to where it came from.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(sha256(STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
});

static PAGES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut pages = Environment::new();
    pages.add_template("page.html", include_str!("page.html")).expect("the page is sound");
    pages
});

/// What a page says, before and after its button.
struct Page {
    title: &'static str,
    text: &'static str,
    button: &'static str,
    asks_password: bool,
    done: &'static str,
}

const VERIFY: Page = Page {
    title: "Your e-mail address",
    text: "Confirm that this address is yours.",
    button: "Confirm",
    asks_password: false,
    done: "Thank you, your address is confirmed.",
};

const RESET: Page = Page {
    title: "A new password",
    text: "Choose a new password. All devices are signed out.",
    button: "Set the password",
    asks_password: true,
    done: "Your new password is set. Sign in with it.",
};

const END: Page = Page {
    title: "Sign out a device",
    text: "Sign out the device that the mail told you of. If it was not yours, choose a new password, too.",
    button: "Sign it out",
    asks_password: false,
    done: "The device is signed out.",
};

impl Page {
    fn show(&self, params: &Params) -> Result<HttpResponse> {
        match params.one("token")?.filter(|token| !token.is_empty()) {
            Some(token) => self.render(StatusCode::OK, self.text, Some(&token), None),
            None => self.failed(None, &Error::InvalidLink),
        }
    }

    /// What became of it: a page where the person can do something about it.
    fn outcome(&self, token: Option<&str>, outcome: Result<()>) -> Result<HttpResponse> {
        match outcome {
            Ok(()) => self.render(StatusCode::OK, self.done, None, None),
            // The link is as good as before.
            Err(error @ Error::Validation(_)) => self.failed(token, &error),
            Err(error @ (Error::InvalidLink | Error::EmailTaken)) => self.failed(None, &error),
            Err(error) => Err(error),
        }
    }

    fn failed(&self, token: Option<&str>, error: &Error) -> Result<HttpResponse> {
        let problem = match error {
            Error::Validation(fields) => {
                fields.iter().map(|field| field.message.as_str()).collect::<Vec<_>>().join(" ")
            }
            error => error.to_string(),
        };
        let text = if token.is_some() { self.text } else { "" };
        self.render(error.status_code(), text, token, Some(&problem))
    }

    fn render(
        &self,
        status: StatusCode,
        text: &str,
        token: Option<&str>,
        problem: Option<&str>,
    ) -> Result<HttpResponse> {
        let page = PAGES.get_template("page.html").and_then(|page| {
            page.render(context! {
                title => self.title, style => STYLE, text, token, problem, button => self.button,
                asks_password => self.asks_password, is_done => std::ptr::eq(text, self.done),
            })
        });
        Ok(HttpResponse::build(status)
            .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
            .insert_header((CONTENT_SECURITY_POLICY, POLICY.as_str()))
            .body(page.map_err(anyhow::Error::from)?))
    }
}

pub(super) async fn verify_page(params: Params) -> Result<HttpResponse> {
    VERIFY.show(&params)
}

pub(super) async fn verify(
    _: Limited<Confirm>,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<HttpResponse> {
    VERIFY.outcome(None, emails::verify_by(&app, &client, body.read().await?).await)
}

pub(super) async fn reset_page(params: Params) -> Result<HttpResponse> {
    RESET.show(&params)
}

pub(super) async fn reset(
    _: Limited<Confirm>,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<HttpResponse> {
    let mut fields = body.read().await?;
    let token = fields.optional("token", any_text);
    RESET.outcome(token.as_deref(), passwords::reset_by(&app, &client, fields).await)
}

pub(super) async fn end_page(params: Params) -> Result<HttpResponse> {
    END.show(&params)
}

pub(super) async fn end(
    _: Limited<Confirm>,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<HttpResponse> {
    let mut fields = body.read().await?;
    let token = fields.required("token", any_text);
    let ended = match fields.finish(token) {
        Ok(token) => sessions::end_by_link(&app, &token, &client).await,
        Err(_) => Err(Error::InvalidLink),
    };
    END.outcome(None, ended)
}
