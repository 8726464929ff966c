//! Ending sessions: at once, and made known to all who hold their tokens.

use chrono::{DateTime, Utc};

use super::Client;
use crate::app::App;
use crate::audit::{Actor, Event};
use crate::error::{Error, Result};
use crate::id::{SessionId, UserId};
use crate::store::changes::Reason;
use crate::store::links::{self, Asker};
use crate::store::{Tx, sessions, users};
use crate::tokens::Effect;

/// Which of a user's sessions a logout ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogoutScope {
    /// The one that asks.
    #[default]
    Session,
    All,
    /// All but the one that asks.
    Others,
}

impl LogoutScope {
    /// Its name in the contract.
    fn name(self) -> &'static str {
        match self {
            LogoutScope::Session => "session",
            LogoutScope::All => "all",
            LogoutScope::Others => "others",
        }
    }
}

/// Logs out.
pub async fn logout(
    app: &App,
    user: UserId,
    session: SessionId,
    scope: LogoutScope,
    client: &Client,
) -> Result<()> {
    let now = app.clock.now();
    let actor = client.actor(user).by(session.into());
    let mut tx = app.db.begin().await?;
    // Who comes with the token of a session that is over does nothing to the others.
    if scope != LogoutScope::Session {
        actor.ensure_let_in(&mut tx, now).await?;
    }
    let ended = match scope {
        LogoutScope::Session => {
            sessions::end(&mut tx, user, session, now).await?.then_some(session).into_iter().collect()
        }
        LogoutScope::All => end_those(&mut tx, user, None, now).await?,
        LogoutScope::Others => end_those(&mut tx, user, Some(session), now).await?,
    };
    if !ended.is_empty() {
        let entry = actor.did(Event::LoggedOut, user).with("session_id", session.to_string());
        let entry = entry.with("scope", scope.name()).with("sessions", ended.len());
        app.audit.note(&mut tx, entry, now).await?;
    }
    app.changes.commit(tx, &[Effect::on_sessions(Reason::LoggedOut, user, ended)], now).await?;
    // What another replica has ended a moment ago is not among the effects, but must be over here, too, when we say so.
    app.changes.cache().forget(user, None);
    Ok(())
}

/// Ends one of the user's sessions; [`Error::NotFound`] for one that has ended already or is not the user's.
pub async fn end(app: &App, user: UserId, session: SessionId, actor: &Actor) -> Result<()> {
    let now = app.clock.now();
    let mut tx = actor.begin(&app.db, now).await?;
    if !sessions::end(&mut tx, user, session, now).await? {
        app.changes.cache().forget(user, Some(session));
        return Err(Error::NotFound);
    }
    links::delete_change(&mut tx, user, Asker::Session(session)).await?;
    let ended = actor.did(Event::SessionEnded, user).with("session_id", session.to_string());
    app.audit.note(&mut tx, ended, now).await?;
    app.changes.commit(tx, &[Effect::on_sessions(Reason::SessionEnded, user, [session])], now).await
}

/// Ends all of someone's sessions, of which there may be none; [`Error::NotFound`] where there is no such user.
pub async fn end_every(app: &App, user: UserId, actor: &Actor) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    // A login that is under way is either over, and its session ends here, or comes after.
    if !users::hold(&mut tx, user).await? {
        return Err(Error::NotFound);
    }
    actor.ensure_let_in(&mut tx, now).await?;
    let ended = end_those(&mut tx, user, None, now).await?;
    if !ended.is_empty() {
        let entry = actor.did(Event::SessionEnded, user).with("sessions", ended.len());
        app.audit.note(&mut tx, entry, now).await?;
    }
    app.changes.commit(tx, &[Effect::on_sessions(Reason::SessionEnded, user, ended)], now).await?;
    // As after a logout: what another replica has ended a moment ago must be over here, too.
    app.changes.cache().forget(user, None);
    Ok(())
}

/// Ends all of the user's sessions but `except`, as part of a larger change, which commits the effect.
pub(crate) async fn end_all(
    tx: &mut Tx,
    reason: Reason,
    user: UserId,
    except: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<Effect> {
    Ok(Effect::on_sessions(reason, user, end_those(tx, user, except, now).await?))
}

/// Who is thrown out takes nothing along: a change of address that was asked for from there is taken back.
async fn end_those(
    tx: &mut Tx,
    user: UserId,
    except: Option<SessionId>,
    now: DateTime<Utc>,
) -> Result<Vec<SessionId>> {
    links::delete_change(&mut *tx, user, Asker::AllBut(except)).await?;
    sessions::end_all(tx, user, except, now).await
}
