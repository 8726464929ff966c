//! What can happen.

use serde_json::{Map, Value};

use super::Actor;
use crate::id::UserId;

/// Something that is kept in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    UserRegistered,
    UserCreated,
    UserUpdated,
    UserDisabled,
    UserEnabled,
    UserDeleted,
    RoleCreated,
    RoleDeleted,
    RoleGranted,
    RoleRevoked,
    PasswordChanged,
    PasswordResetRequested,
    PasswordReset,
    EmailChangeRequested,
    EmailChanged,
    EmailVerified,
    LoginSucceeded,
    LoginFailed,
    LoggedOut,
    SessionEnded,
    RefreshTokenReused,
    ApiKeyCreated,
    ApiKeyDeleted,
    QuotaChanged,
    SigningKeyRotated,
    UsersImported,
}

impl Event {
    const NAMED: &[(&str, Event)] = &[
        ("user_registered", Event::UserRegistered),
        ("user_created", Event::UserCreated),
        ("user_updated", Event::UserUpdated),
        ("user_disabled", Event::UserDisabled),
        ("user_enabled", Event::UserEnabled),
        ("user_deleted", Event::UserDeleted),
        ("role_created", Event::RoleCreated),
        ("role_deleted", Event::RoleDeleted),
        ("role_granted", Event::RoleGranted),
        ("role_revoked", Event::RoleRevoked),
        ("password_changed", Event::PasswordChanged),
        ("password_reset_requested", Event::PasswordResetRequested),
        ("password_reset", Event::PasswordReset),
        ("email_change_requested", Event::EmailChangeRequested),
        ("email_changed", Event::EmailChanged),
        ("email_verified", Event::EmailVerified),
        ("login_succeeded", Event::LoginSucceeded),
        ("login_failed", Event::LoginFailed),
        ("logged_out", Event::LoggedOut),
        ("session_ended", Event::SessionEnded),
        ("refresh_token_reused", Event::RefreshTokenReused),
        ("api_key_created", Event::ApiKeyCreated),
        ("api_key_deleted", Event::ApiKeyDeleted),
        ("quota_changed", Event::QuotaChanged),
        ("signing_key_rotated", Event::SigningKeyRotated),
        ("users_imported", Event::UsersImported),
    ];

    /// Its name in the contract.
    pub fn name(self) -> &'static str {
        Event::NAMED.iter().find(|(_, event)| *event == self).map_or("", |(name, _)| name)
    }

    pub fn named(name: &str) -> Option<Event> {
        Event::NAMED.iter().find(|(known, _)| *known == name).map(|(_, event)| *event)
    }
}

/// An event about to be kept.
#[must_use = "an event is kept only once it is noted"]
#[derive(Debug)]
pub struct Entry {
    pub(super) event: Event,
    pub(super) actor: Actor,
    pub(super) user: Option<UserId>,
    pub(super) details: Map<String, Value>,
}

impl Entry {
    /// With something more to tell: an id, a number, or a text of the service's own. Never a name or an address, since the log
    /// outlives the account; never a secret, nor what somebody typed.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}
