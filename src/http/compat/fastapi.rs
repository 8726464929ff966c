//! FastAPI and Postgres: `/users/register`, `/token` and `/root`.

use actix_web::http::StatusCode;
use actix_web::http::header::ContentType;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use super::power::{Number, power};
use super::presented::{InAuthorization, Presented};
use super::{log_in, refuse};
use crate::accounts::{self, EmailAddress, Password, Registration, Username};
use crate::app::App;
use crate::error::{Broken, Error, Result};
use crate::http::body::Body;
use crate::http::envelope::LoggedUser;
use crate::http::fields::any_text;
use crate::http::limited::{Limited, LogIn, Register};
use crate::http::params::Params;
use crate::http::sessions::{by_email, either_name};
use crate::id::UserId;
use crate::sessions::{self, Client, Identifier};

/// Who is there already and gives the right password is told so, and the id; to anyone else the name is taken. Rules are for new
/// passwords: who was brought along may have one that breaks them.
pub async fn register(
    _: Limited<Register>,
    request: HttpRequest,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<HttpResponse> {
    accounts::ensure_open(&app)?;
    let mut fields = body.read().await?;
    let username = fields.optional("username", Username::parse);
    let email = fields.optional("email", EmailAddress::parse);
    if username.is_none() && email.is_none() && !fields.has_broken() {
        fields.broke::<()>("username", Broken::new("required", "Give a `username`, an `email`, or both."));
    }
    let text = fields.required("password", any_text);
    let known = match fields.has_broken() {
        true => None,
        false => accounts::ensure_free(&app, username.as_ref(), email.as_ref()).await.err(),
    };
    let taken = match known {
        Some(taken) => taken,
        None => {
            let password = match &text {
                Some(text) => fields.checked("password", Password::parse(&app, text).await?),
                None => None,
            };
            let password = fields.finish(password)?;
            let (username, email) = (username.clone(), email.clone());
            let registration = Registration { username, email, password, display_name: None };
            match accounts::register(&app, &registration, &client).await {
                Ok(user) => {
                    LoggedUser(user.id).note(&request);
                    let created = registered("User created successfully", user.id);
                    return Ok(HttpResponse::Created().json(created));
                }
                // It may be that somebody was faster.
                Err(error) => error,
            }
        }
    };
    let name = taken_name(username.as_ref(), email.as_ref(), &taken);
    let Some((name, text)) = name.zip(text) else { return Err(taken) };
    match sessions::recognise(&app, &name, &text, &client).await {
        Ok(user) => {
            LoggedUser(user.id).note(&request);
            Ok(HttpResponse::Ok().json(registered("User already exists", user.id)))
        }
        Err(Error::InvalidCredentials) => Err(taken),
        Err(error) => Err(error),
    }
}

fn registered(message: &str, user: UserId) -> serde_json::Value {
    json!({ "message": message, "user_id": user })
}

/// The name that somebody has already.
fn taken_name(
    username: Option<&Username>,
    email: Option<&EmailAddress>,
    error: &Error,
) -> Option<Identifier> {
    match error {
        Error::UsernameTaken => username.map(|name| Identifier::Username(name.parts().1.to_owned())),
        Error::EmailTaken => email.map(|email| Identifier::Email(email.parts().1.to_owned())),
        _ => None,
    }
}

/// Whoever sends the address beside the username, as at the registration, is found by the username.
pub async fn token(
    _: Limited<LogIn>,
    request: HttpRequest,
    app: Data<App>,
    client: Client,
    body: Body,
) -> Result<HttpResponse> {
    let mut fields = body.read().await?;
    let name = match fields.optional("username", any_text) {
        Some(username) => Some(either_name(username)),
        None => fields.required("email", any_text).map(by_email),
    };
    let password = fields.required("password", any_text);
    let (name, password) = fields.finish(name.zip(password))?;
    match log_in(&request, &app, &client, &name, &password).await {
        Ok(tokens) => Ok(HttpResponse::Ok()
            .json(json!({ "message": "Token created successfully", "token": tokens.access_token }))),
        Err(error @ Error::InvalidCredentials) => {
            let told = json!({ "message": "The username or the password is wrong" });
            refuse(&error, StatusCode::UNAUTHORIZED, &told)
        }
        Err(error) => Err(error),
    }
}

pub async fn root(user: Presented<InAuthorization>, params: Params) -> Result<HttpResponse> {
    match user.0 {
        Ok(_) => {}
        Err(error) if super::is_about_the_token(&error) => {
            return refuse(&error, StatusCode::UNAUTHORIZED, &json!({ "message": "Token is not valid" }));
        }
        Err(error) => return Err(error),
    }
    let number = |name: &str| {
        let found = params.parsed(name, "a number", Number::parse)?;
        found.ok_or_else(|| Error::InvalidRequest(format!("`{name}` is missing; give a number.")))
    };
    let root = power(&number("number")?, &number("n")?).ok_or_else(|| {
        let rule = "`number` to the power of `n` must be a finite number, and have at most 4300 digits.";
        Error::field("n", Broken::new("invalid", rule))
    })?;
    // Written here: a whole number may have more digits than any type of serde_json's.
    Ok(HttpResponse::Ok().content_type(ContentType::json()).body(format!("{{\"root\":{root}}}")))
}
