//! Walking the log from its beginning to its end, to see that it is as the service left it.

use super::Audit;
use super::chain::{Broken, Damage, Position, hex};
use crate::error::Result;
use crate::id::EventId;
use crate::store::Db;
use crate::store::audit;

/// Rows that are read at once.
const PAGE: u32 = 1000;

/// What came of looking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Rows that are sound, before the first that is not.
    pub verified: u64,
    /// How many of them are not sealed yet.
    pub unsealed: u64,
    /// The number and, in hex, the hash of the last sealed row; noted elsewhere they tell a log that was set back from this one.
    pub end: Option<(i64, String)>,
    pub broken: Option<Broken>,
}

impl Audit {
    /// Looks at all rows, those that are not sealed yet last. The log may be written, sealed and pruned meanwhile; of what is sealed
    /// between the two looks, the next one tells.
    pub async fn verify(&self, db: &Db) -> Result<Verdict> {
        let mut verdict = Verdict::default();
        verdict.broken = match self.walk(db, &mut verdict).await? {
            None => self.look_at_unsealed(db, &mut verdict).await?,
            broken => broken,
        };
        Ok(verdict)
    }

    async fn walk(&self, db: &Db, verdict: &mut Verdict) -> Result<Option<Broken>> {
        let chain = &self.chain;
        let broken = |id: Option<EventId>, what| Ok(Some(Broken { id: id.unwrap_or(NONE), what }));
        let mut position: Option<Position> = None;
        let mut last = (i64::MIN, NONE);
        loop {
            let page = match audit::chain(db, last, PAGE).await {
                Err(error) if audit::is_unreadable(&error) => {
                    return broken(Some(last.1), Damage::Unreadable);
                }
                page => page?,
            };
            let Some((head, events)) = page else { return broken(None, Damage::Head) };
            if !chain.is_head(&head) {
                return broken(head.last_id, Damage::Head);
            }
            // What was pruned meanwhile is behind us, too.
            let anchor = Position::anchor(&head);
            let position = position.get_or_insert_with(|| anchor.clone());
            if anchor.seq > position.seq {
                *position = anchor;
            }
            for event in &events {
                if event.seq > Some(head.seq) {
                    return broken(Some(event.id), Damage::Inserted);
                }
                if let Err(found) = chain.step(position, event) {
                    return Ok(Some(found));
                }
                verdict.verified += 1;
                last = (position.seq, event.id);
            }
            if events.len() < PAGE as usize {
                let is_end = *position == Position::end(&head);
                verdict.end = Some((head.seq, hex(&head.hash))).filter(|_| head.seq > 0);
                return if is_end { Ok(None) } else { broken(head.last_id, Damage::End) };
            }
        }
    }

    async fn look_at_unsealed(&self, db: &Db, verdict: &mut Verdict) -> Result<Option<Broken>> {
        let mut last = None;
        loop {
            let events = match audit::unsealed(db, last, PAGE).await {
                Err(error) if audit::is_unreadable(&error) => {
                    return Ok(Some(Broken { id: last.unwrap_or(NONE), what: Damage::Unreadable }));
                }
                events => events?,
            };
            for event in &events {
                if !self.chain.is_ours(event) {
                    return Ok(Some(Broken { id: event.id, what: Damage::Inserted }));
                }
                verdict.verified += 1;
                verdict.unsealed += 1;
                last = Some(event.id);
            }
            if events.len() < PAGE as usize {
                return Ok(None);
            }
        }
    }
}

/// In the place of an id where there is none.
const NONE: EventId = EventId::NIL;
