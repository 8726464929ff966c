//! `audit_events` and `audit_head`: what happened, and where the chain that proves it begins and ends.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::db::{Db, Executor, Tx};
use super::failure::Failure;
use crate::error::{Error, Result};
use crate::id::{EventId, UserId};

/// Something that happened.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct AuditEvent {
    pub id: EventId,
    pub at: DateTime<Utc>,
    /// Text, since a newer version may have more of them.
    pub event: String,
    pub actor_id: Option<UserId>,
    pub user_id: Option<UserId>,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    #[sqlx(try_from = "String")]
    pub details: Details,
    /// Its place in the chain; `None` until it is sealed.
    pub seq: Option<i64>,
    pub hash: Vec<u8>,
}

/// What else is to be told of it: an object of texts and numbers.
#[derive(Clone, Debug)]
pub struct Details(pub Value);

/// What is no JSON was put there by another hand, which the hash tells.
impl From<String> for Details {
    fn from(text: String) -> Details {
        Details(serde_json::from_str(&text).unwrap_or_default())
    }
}

/// Where the chain begins and ends.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Head {
    /// Of the last row that was sealed; 0 before the first.
    #[sqlx(rename = "head_seq")]
    pub seq: i64,
    pub last_id: Option<EventId>,
    #[sqlx(rename = "head_hash")]
    pub hash: Vec<u8>,
    /// Of the last row that was pruned; 0 before the first.
    pub anchor_seq: i64,
    pub anchor_hash: Vec<u8>,
    pub mac: Vec<u8>,
}

/// The columns of [`AuditEvent`]. `details` as text: of JSON that is read as such, a hand's garbage would fail the query.
macro_rules! event_columns {
    () => {
        "id, at, event, actor_id, user_id, ip, user_agent, cast(details as text) as details, seq, hash"
    };
}

macro_rules! head_columns {
    () => {
        "seq as head_seq, last_id, hash as head_hash, anchor_seq, anchor_hash, mac"
    };
}

/// The head, and beside it one of the events that are asked for, if there are any.
struct Linked {
    head: Head,
    event: Option<AuditEvent>,
}

impl<'r, R: Row> FromRow<'r, R> for Linked
where
    Head: FromRow<'r, R>,
    AuditEvent: FromRow<'r, R>,
    Option<EventId>: Decode<'r, R::Database> + Type<R::Database>,
    for<'name> &'name str: ColumnIndex<R>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Linked> {
        let event = match row.try_get::<Option<EventId>, _>("id")? {
            Some(_) => Some(AuditEvent::from_row(row)?),
            None => None,
        };
        Ok(Linked { head: Head::from_row(row)?, event })
    }
}

/// Inserts an event that is not sealed yet.
pub async fn insert(db: impl Executor<'_>, event: &AuditEvent) -> Result<()> {
    let sql = "insert into audit_events (id, at, event, actor_id, user_id, ip, user_agent, details, hash) \
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    db.query(sql)
        .bind(event.id)
        .bind(event.at)
        .bind(&event.event)
        .bind(event.actor_id)
        .bind(event.user_id)
        .bind(event.ip.as_deref())
        .bind(event.user_agent.as_deref())
        .bind(Json(&event.details.0))
        .bind(&event.hash)
        .execute()
        .await?;
    Ok(())
}

/// What [`page`] looks for.
#[derive(Debug, Default)]
pub struct Filter {
    pub user: Option<UserId>,
    pub event: Option<&'static str>,
    pub from: Option<DateTime<Utc>>,
    /// The first moment that is not asked for any more.
    pub to: Option<DateTime<Utc>>,
}

/// By how much the time in an id may be off from `at`: ids ascend also while a clock that was set back catches up.
const CLOCKS: TimeDelta = TimeDelta::hours(2);

/// What [`page`] asks: a statement for each combination of filters, each led by an index. Ids are made in the order of time, and
/// so a span of time is one of ids, too.
pub fn page_sql(filter: &Filter) -> &'static str {
    macro_rules! select {
        ($span:literal, $by:literal) => {
            concat!(
                "select ",
                event_columns!(),
                " from audit_events where ",
                $span,
                " and at >= $3 and at < $4 order by ",
                $by,
                " desc limit $5"
            )
        };
    }
    // Pairs, since of two conditions Postgres may take the one on the id to lead, and walk past all others' events.
    match (filter.user, filter.event) {
        (None, None) => select!("id >= $1 and id < $2", "id"),
        (Some(_), None) => {
            select!("(user_id, id) >= ($6, $1) and (user_id, id) < ($6, $2)", "user_id desc, id")
        }
        (None, Some(_)) => select!("(event, id) >= ($6, $1) and (event, id) < ($6, $2)", "event desc, id"),
        // Not by the index of events: of one kind there may be millions, of a user there are not.
        (Some(_), Some(_)) => select!(
            "(user_id, id) >= ($6, $1) and (user_id, id) < ($6, $2) and event || '' = $7",
            "user_id desc, id"
        ),
    }
}

/// Events, newest first, from the one before `before` on.
pub async fn page(db: &Db, filter: &Filter, before: Option<EventId>, limit: u32) -> Result<Vec<AuditEvent>> {
    // Those of four digits are compared as texts on SQLite; no event is outside of them.
    let from = filter.from.unwrap_or(FIRST).clamp(FIRST, LAST);
    let to = filter.to.unwrap_or(LAST).clamp(FIRST, LAST);
    let before = before.unwrap_or(EventId::MAX).min(EventId::least_at(to + CLOCKS));
    let mut query = db.query(page_sql(filter)).bind(EventId::least_at(from - CLOCKS)).bind(before);
    query = query.bind(from).bind(to).bind(i64::from(limit));
    if let Some(user) = filter.user {
        query = query.bind(user);
    }
    if let Some(event) = filter.event {
        query = query.bind(event);
    }
    query.fetch_all().await
}

const FIRST: DateTime<Utc> = DateTime::UNIX_EPOCH;
/// The last second of the year 9999.
const LAST: DateTime<Utc> = DateTime::from_timestamp(253_402_300_799, 0).expect("a time");

/// Begins a chain under this key, unless there is one already.
pub async fn insert_head(db: &Db, key: &[u8], head: &Head) -> Result<()> {
    let sql = "insert into audit_head (id, key, seq, last_id, hash, anchor_seq, anchor_hash, mac) \
               values (1, $1, $2, $3, $4, $5, $6, $7) on conflict do nothing";
    let insert = db.query(sql).bind(key).bind(head.seq).bind(head.last_id).bind(&head.hash);
    insert.bind(head.anchor_seq).bind(&head.anchor_hash).bind(&head.mac).execute().await?;
    Ok(())
}

/// The chain's key, as ciphertext.
pub async fn key(db: &Db) -> Result<Option<Vec<u8>>> {
    let key: Option<(Vec<u8>,)> =
        db.query("select key from audit_head where id = 1").fetch_optional().await?;
    Ok(key.map(|(key,)| key))
}

/// Replaces the key by the same under another secret, unless someone else has done so.
pub async fn set_key(db: &Db, before: &[u8], after: &[u8]) -> Result<()> {
    let sql = "update audit_head set key = $2 where id = 1 and key = $1";
    db.query(sql).bind(before).bind(after).execute().await?;
    Ok(())
}

/// The head, which is the caller's alone until the transaction ends; `None` where it is gone, or another's.
pub async fn hold_head(tx: &mut Tx) -> Result<Option<Head>> {
    // Others are not waited for: on a busy database that would be longer than a statement may take. SQLite has one writer.
    let hold = tx.query_either(
        concat!("select ", head_columns!(), " from audit_head where id = 1 for update skip locked"),
        concat!("select ", head_columns!(), " from audit_head where id = 1"),
    );
    hold.fetch_optional().await
}

/// Whether the head is there, whoever holds it.
pub async fn has_head(tx: &mut Tx) -> Result<bool> {
    let (some,): (bool,) =
        tx.query("select exists (select 1 from audit_head where id = 1)").fetch_one().await?;
    Ok(some)
}

/// Moves the head.
pub async fn set_head(tx: &mut Tx, head: &Head) -> Result<()> {
    let sql = "update audit_head set seq = $1, last_id = $2, hash = $3, anchor_seq = $4, anchor_hash = $5, mac = $6 \
               where id = 1";
    let set = tx.query(sql).bind(head.seq).bind(head.last_id).bind(&head.hash);
    set.bind(head.anchor_seq).bind(&head.anchor_hash).bind(&head.mac).execute().await?;
    Ok(())
}

/// Whether there is something to seal.
pub async fn has_unsealed(db: &Db) -> Result<bool> {
    let sql = "select exists (select 1 from audit_events where seq is null)";
    let (some,): (bool,) = db.query(sql).fetch_one().await?;
    Ok(some)
}

/// Events that are not sealed, in the order of their ids, from the one after `after` on.
pub async fn unsealed(db: impl Executor<'_>, after: Option<EventId>, limit: u32) -> Result<Vec<AuditEvent>> {
    let sql = concat!(
        "select ",
        event_columns!(),
        " from audit_events where seq is null and (cast($1 as uuid) is null or id > $1) order by id limit $2"
    );
    db.query(sql).bind(after).bind(i64::from(limit)).fetch_all().await
}

/// Seals these events, each with its hash, under the numbers after `seq`. The caller holds the head, so nobody else has sealed
/// them since.
pub async fn set_sealed(tx: &mut Tx, seq: i64, sealed: &[(EventId, String)]) -> Result<()> {
    // By the id alone: asked for `seq is null` too, both planners look through all that is not sealed, for each of these.
    let set = tx.query_either(
        "update audit_events set seq = $1 + n, hash = decode(pair->>1, 'hex') \
         from jsonb_array_elements($2) with ordinality as pairs (pair, n) \
         where id = cast(pair->>0 as uuid)",
        "update audit_events set seq = $1 + p.key + 1, hash = unhex(p.value->>1) from json_each($2) as p \
         where audit_events.id = unhex(replace(p.value->>0, '-', ''))",
    );
    let changed = set.bind(seq).bind(Json(sealed)).execute().await?;
    if changed != sealed.len() as u64 {
        return Err(anyhow::anyhow!("events that were to be sealed are gone").into());
    }
    Ok(())
}

/// The head (`None` where it is gone) and the next `limit` sealed events after this place, as of one moment. By the id, too: a
/// hand at the tables may have given a number twice.
pub async fn chain(
    db: &Db,
    (seq, id): (i64, EventId),
    limit: u32,
) -> Result<Option<(Head, Vec<AuditEvent>)>> {
    let sql = concat!(
        "select h.*, e.* from (select ",
        head_columns!(),
        " from audit_head where id = 1) as h left join (select ",
        event_columns!(),
        " from audit_events where seq >= $1 and (seq > $1 or id > $2) order by seq, id limit $3) as e on true \
         order by e.seq, e.id"
    );
    let rows: Vec<Linked> = db.query(sql).bind(seq).bind(id).bind(i64::from(limit)).fetch_all().await?;
    let Some(head) = rows.first().map(|row| row.head.clone()) else { return Ok(None) };
    Ok(Some((head, rows.into_iter().filter_map(|row| row.event).collect())))
}

/// The first sealed events after this place in the chain.
pub async fn oldest(tx: &mut Tx, after: i64, limit: u32) -> Result<Vec<AuditEvent>> {
    let sql = concat!("select ", event_columns!(), " from audit_events where seq > $1 order by seq limit $2");
    tx.query(sql).bind(after).bind(i64::from(limit)).fetch_all().await
}

/// Deletes the sealed events after a place in the chain, up to another.
pub async fn delete_between(tx: &mut Tx, after: i64, last: i64) -> Result<()> {
    let sql = "delete from audit_events where seq > $1 and seq <= $2";
    tx.query(sql).bind(after).bind(last).execute().await?;
    Ok(())
}

/// Whether a query failed because of what a row holds: only a hand at the tables can have put it there.
pub fn is_unreadable(error: &Error) -> bool {
    let Error::Internal(cause) = error else { return false };
    matches!(cause.downcast_ref(), Some(Failure(sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_))))
}
