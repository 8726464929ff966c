//! Giving rows their place in the chain; and letting go of its oldest ones.

use anyhow::anyhow;
use chrono::{DateTime, Utc};

use super::Audit;
use super::chain::{Position, hex};
use crate::error::Result;
use crate::id::EventId;
use crate::store::audit::{self, Head};
use crate::store::{Db, Tx};

/// Rows that one transaction seals.
const BATCH: u32 = 1000;

/// What came of a batch.
enum Batch {
    /// Sealed, up to this row; `None` where there are no more.
    Sealed(Option<EventId>),
    /// Another replica holds the head.
    Busy,
}

impl Audit {
    /// Seals what is committed. `false` where another replica is at it: it is left to that one.
    pub async fn seal(&self, db: &Db) -> Result<bool> {
        let mut last = None;
        while audit::has_unsealed(db).await? {
            match self.seal_batch(db, last).await? {
                Batch::Sealed(next @ Some(_)) => last = next,
                Batch::Sealed(None) => break,
                Batch::Busy => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Seals the rows after `after`, in the order of their ids.
    /// A row that the service did not write gets no place, and stays for [`verify`](Self::verify) to be found.
    async fn seal_batch(&self, db: &Db, after: Option<EventId>) -> Result<Batch> {
        let mut tx = db.begin().await?;
        let Some(head) = self.hold(&mut tx).await? else { return Ok(Batch::Busy) };
        let events = audit::unsealed(&mut tx, after, BATCH).await?;
        let last = events.last().map(|event| event.id).filter(|_| events.len() == BATCH as usize);
        let (mut end, mut sealed) = (Position::end(&head), Vec::new());
        for event in events.iter().filter(|event| self.chain.is_ours(event)) {
            end = self.chain.next(&end, event);
            sealed.push((event.id, hex(&end.hash)));
        }
        if let Some((last_id, _)) = sealed.last() {
            let last_id = Some(*last_id);
            audit::set_sealed(&mut tx, head.seq, &sealed).await?;
            let head = Head { seq: end.seq, last_id, hash: end.hash, ..head };
            audit::set_head(&mut tx, &self.chain.signed(head)).await?;
            tx.commit().await?;
        }
        Ok(Batch::Sealed(last))
    }

    /// Deletes the oldest `limit` rows, if they are from before `before`, and remembers where the chain begins from now on.
    /// `true` where there may be more. A row that is not sound is not deleted, nor is what comes after it.
    pub async fn prune(&self, db: &Db, before: DateTime<Utc>, limit: u32) -> Result<bool> {
        let mut tx = db.begin().await?;
        let Some(head) = self.hold(&mut tx).await? else { return Ok(true) };
        let events = audit::oldest(&mut tx, head.anchor_seq, limit).await?;
        let mut position = Position::anchor(&head);
        let mut anchor = None;
        for event in &events {
            if let Err(broken) = self.chain.step(&mut position, event) {
                tracing::error!(event_id = %broken.id, "the audit log is broken and not pruned any further: {}", broken.what);
                break;
            }
            // Up to the last old one: what is dated later in front of it had a wrong clock.
            if event.at < before {
                anchor = Some(position.clone());
            }
        }
        let Some(anchor) = anchor else { return Ok(false) };
        audit::delete_between(&mut tx, head.anchor_seq, anchor.seq).await?;
        let head = Head { anchor_seq: anchor.seq, anchor_hash: anchor.hash, ..head };
        audit::set_head(&mut tx, &self.chain.signed(head)).await?;
        tx.commit().await?;
        Ok(events.len() == limit as usize)
    }

    /// The head, held until the transaction ends; `None` while another holds it. One that another hand has changed is not built
    /// upon: that would hide it.
    async fn hold(&self, tx: &mut Tx) -> Result<Option<Head>> {
        let head = audit::hold_head(tx).await?;
        if head.is_none() && audit::has_head(tx).await? {
            return Ok(None);
        }
        head.filter(|head| self.chain.is_head(head)).map(Some).ok_or_else(|| {
            anyhow!("the table audit_head was changed by hand; `portcullis audit verify` tells more").into()
        })
    }
}
