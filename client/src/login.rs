//! Being logged in at Portcullis: the client's own access token, kept valid.

use std::time::Duration;

use crate::access_token::Expected;
use crate::api::{Api, CallError, Secret, Tokens};
use crate::clock::Moment;
use crate::settings::Settings;

/// After a refresh that did not get through or help, so long passes before the next one.
const RETRY: Duration = Duration::from_secs(10);

/// The introspecting user's login. It is made when first needed.
pub(crate) struct Login {
    login: String,
    password: Secret,
    tokens: Option<Held>,
}

struct Held {
    access: Secret,
    refresh: Secret,
    received: Moment,
    /// From when on a new one is asked for, while the old one still works.
    renew_after: Duration,
    expires_after: Duration,
    /// Why the settings don't fit what Portcullis writes into its tokens: every one would be refused, and nobody would
    /// be told why. The session is kept even so, not to begin one with each attempt.
    misfit: Option<String>,
}

impl Held {
    fn bearer(&self) -> Result<Secret, CallError> {
        match &self.misfit {
            Some(why) => Err(CallError::Unusable(why.clone())),
            None => Ok(self.access.clone()),
        }
    }
}

impl Login {
    pub fn new(settings: &Settings) -> Login {
        Login { login: settings.login.clone(), password: Secret(settings.password.clone()), tokens: None }
    }

    /// An access token that should work: the present one, one that it is refreshed to, or one of a new login.
    pub async fn bearer(&mut self, api: &Api, expected: &Expected) -> Result<Secret, CallError> {
        if let Some(held) = &mut self.tokens {
            let age = Moment::now().since(held.received);
            if age < held.renew_after {
                return held.bearer();
            }
            match api.refresh(&held.refresh).await {
                Ok(tokens) => return self.hold(tokens, expected),
                // The session has ended; any other failure says nothing about it.
                Err(CallError::Refused { status: 400 | 401 | 403 | 422, .. }) => self.tokens = None,
                Err(_) if age < held.expires_after => {
                    held.renew_after = age + RETRY;
                    return held.bearer();
                }
                Err(error) => return Err(error),
            }
        }
        let tokens = api.login(&self.login, &self.password).await?;
        self.hold(tokens, expected)
    }

    /// Notes that Portcullis did not take the access token: the next one is refreshed or logged in for.
    pub fn refused(&mut self) {
        if let Some(held) = &mut self.tokens {
            (held.renew_after, held.expires_after) = Default::default();
        }
    }

    /// Keeps the tokens in place of those before.
    fn hold(&mut self, tokens: Tokens, expected: &Expected) -> Result<Secret, CallError> {
        let now = Moment::now();
        let fits = expected.would_take(&tokens.access_token.0, now).is_ok();
        let lifetime = Duration::from_secs(tokens.expires_in).min(expected.lifetime);
        let held = self.tokens.insert(Held {
            misfit: (!fits).then(|| expected.mismatch(&tokens.access_token.0)),
            access: tokens.access_token,
            refresh: tokens.refresh_token,
            received: now,
            renew_after: if fits { lifetime * 2 / 3 } else { RETRY },
            expires_after: lifetime,
        });
        held.bearer()
    }
}
