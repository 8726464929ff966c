//! The hashes: of a row alone, of a row in its place, and of where the chain begins and ends.

use std::fmt;

use serde_json::Value;

use crate::id::EventId;
use crate::secret::{MacKey, Purpose, SecretKey};
use crate::store::audit::{AuditEvent, Head};

/// Writes and checks the hashes, each kind under a key of its own.
#[derive(Debug)]
pub(super) struct Chain {
    row: MacKey,
    link: MacKey,
    head: MacKey,
}

/// How far the chain is known to be sound: the last row's number and hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub seq: i64,
    pub hash: Vec<u8>,
}

/// Where the log is not as the service left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The row, or the one next to it; all zeros where there is none.
    pub id: EventId,
    pub what: Damage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    Changed,
    /// A row is missing before this one.
    MissingBefore,
    Inserted,
    /// This row, the last that was sealed, is missing.
    End,
    /// What comes after this row can't be read.
    Unreadable,
    /// The record of where the chain begins and ends.
    Head,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::Changed => "this row was changed",
            Damage::MissingBefore => "a row is missing before this one",
            Damage::Inserted => "this row was not written by the service",
            Damage::End => "rows are missing at the end: this was the last one",
            Damage::Unreadable => "what comes after this row can't be read",
            Damage::Head => {
                "the record of where the log begins and ends was changed or removed; this is its last row"
            }
        })
    }
}

impl Chain {
    pub fn new(key: &SecretKey) -> Chain {
        Chain {
            row: key.mac(Purpose::AuditRow),
            link: key.mac(Purpose::AuditChain),
            head: key.mac(Purpose::AuditHead),
        }
    }

    /// The hash of a row that has no place yet.
    pub fn loose(&self, event: &AuditEvent) -> Vec<u8> {
        self.row.sign(&canonical(event)).to_vec()
    }

    /// Whether a row that has no place yet is as the service wrote it.
    pub fn is_ours(&self, event: &AuditEvent) -> bool {
        self.row.verify(&canonical(event), &event.hash)
    }

    /// The hash of a row in the next place after `before`.
    pub fn next(&self, before: &Position, event: &AuditEvent) -> Position {
        let hash = self.link.sign(&before.message(event)).to_vec();
        Position { seq: before.seq + 1, hash }
    }

    /// Goes on to a sealed row, if it is the next one, as it was sealed.
    pub fn step(&self, position: &mut Position, event: &AuditEvent) -> Result<(), Broken> {
        let broken = |what| Err(Broken { id: event.id, what });
        match event.seq.unwrap_or(i64::MIN) {
            seq if seq <= position.seq => return broken(Damage::Inserted),
            seq if seq > position.seq + 1 => return broken(Damage::MissingBefore),
            _ if !self.link.verify(&position.message(event), &event.hash) => return broken(Damage::Changed),
            seq => *position = Position { seq, hash: event.hash.clone() },
        }
        Ok(())
    }

    /// Of a chain without rows.
    pub fn empty(&self) -> Head {
        let (hash, anchor_hash) = (vec![0; 32], vec![0; 32]);
        let head = Head { seq: 0, last_id: None, hash, anchor_seq: 0, anchor_hash, mac: Vec::new() };
        self.signed(head)
    }

    pub fn signed(&self, mut head: Head) -> Head {
        head.mac = self.head.sign(&record(&head)).to_vec();
        head
    }

    pub fn is_head(&self, head: &Head) -> bool {
        self.head.verify(&record(head), &head.mac)
    }
}

impl Position {
    pub fn end(head: &Head) -> Position {
        Position { seq: head.seq, hash: head.hash.clone() }
    }

    pub fn anchor(head: &Head) -> Position {
        Position { seq: head.anchor_seq, hash: head.anchor_hash.clone() }
    }

    fn message(&self, event: &AuditEvent) -> Vec<u8> {
        [&self.hash, self.seq.to_be_bytes().as_slice(), &canonical(event)].concat()
    }
}

/// A row as bytes: a JSON array of its columns, which no two rows share. The same from both databases: time in microseconds,
/// and the details with their names in order.
fn canonical(event: &AuditEvent) -> Vec<u8> {
    let AuditEvent { id, at, event, actor_id, user_id, ip, user_agent, details, .. } = event;
    bytes(&(id, at.timestamp_micros(), event, actor_id, user_id, ip, user_agent, sorted(&details.0)))
}

/// Also where a build of serde_json keeps the order in which names were read.
fn sorted(details: &Value) -> Option<std::collections::BTreeMap<&String, &Value>> {
    details.as_object().map(|details| details.iter().collect())
}

fn record(head: &Head) -> Vec<u8> {
    bytes(&(head.seq, head.last_id, &head.hash, head.anchor_seq, &head.anchor_hash))
}

fn bytes(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("ids, texts and numbers are JSON")
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
