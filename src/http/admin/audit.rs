//! `/api/v1/admin/audit`.

use actix_web::Responder;
use actix_web::web::{Data, Json};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::app::App;
use crate::audit::Event;
use crate::error::Result;
use crate::http::Admin;
use crate::http::params::Params;
use crate::id::{EventId, UserId};
use crate::store::audit::{self, AuditEvent, Filter};

/// An event, as the contract has it.
#[derive(Serialize)]
struct EventBody {
    id: EventId,
    at: DateTime<Utc>,
    event: String,
    actor_id: Option<UserId>,
    user_id: Option<UserId>,
    ip: Option<String>,
    user_agent: Option<String>,
    details: Value,
}

impl From<AuditEvent> for EventBody {
    fn from(row: AuditEvent) -> EventBody {
        let AuditEvent { id, at, event, actor_id, user_id, ip, user_agent, details, .. } = row;
        EventBody { id, at, event, actor_id, user_id, ip, user_agent, details: details.0 }
    }
}

#[derive(Serialize)]
struct VerdictBody {
    verified: u64,
    broken_at: Option<EventId>,
}

pub(in crate::http) async fn list(app: Data<App>, _admin: Admin, params: Params) -> Result<impl Responder> {
    let time = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
    let event = |text: &str| Event::named(text).map(Event::name);
    let filter = Filter {
        user: params.parsed("user", "the id of a user", |text| text.parse().ok())?,
        event: params.parsed("event", "the name of an event, such as login_failed", event)?,
        from: params.parsed("from", "a time as in 2026-11-22T08:00:00Z", time)?,
        to: params.parsed("to", "a time as in 2026-11-22T08:00:00Z", time)?,
    };
    let page = params.page()?;
    let rows = audit::page(&app.db, &filter, page.before, page.rows()).await?;
    Ok(Json(page.list(rows, |row| *row.id.as_bytes(), EventBody::from)))
}

/// Takes as long as the log is long.
pub(in crate::http) async fn verify(app: Data<App>, _admin: Admin) -> Result<impl Responder> {
    let verdict = app.audit.verify(&app.db).await?;
    Ok(Json(VerdictBody { verified: verdict.verified, broken_at: verdict.broken.map(|broken| broken.id) }))
}
