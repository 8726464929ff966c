//! How far a follower of the changes has come, and what news means for what it has cached.

use crate::store::changes::{Change, News};

/// The last change that was seen. It begins at whatever is the newest at the first read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Position {
    pub(super) seen: Option<i64>,
}

/// What is no longer to be believed.
#[derive(Debug)]
pub(super) enum Old<'a> {
    These(&'a [Change]),
    Everything,
}

impl Position {
    pub(super) fn advance<'a>(&mut self, news: &'a News) -> Old<'a> {
        let News { newest, changes } = news;
        let Some(seen) = self.seen.filter(|seen| newest >= seen) else {
            self.seen = Some(*newest);
            return Old::Everything;
        };
        let without_gap = |last: &Change| last.seq == seen + i64::try_from(changes.len()).unwrap_or(i64::MAX);
        let complete = changes.last().map_or(*newest == seen, without_gap);
        self.seen = Some(changes.last().map_or(*newest, |last| last.seq));
        if complete { Old::These(changes) } else { Old::Everything }
    }
}

/// The feed against a model of the database: every order in which a few transactions can begin, add their change, commit or
/// give up, with a read at any place in between.
#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::id::UserId;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum State {
        Begun,
        Added(i64),
        Committed(i64),
        GivenUp,
    }

    /// How `seq` is given out.
    #[derive(Clone, Copy, PartialEq)]
    enum Order {
        /// By a row that is held until the commit, as `newest_change` is.
        Held,
        /// By a sequence that is handed out at once, as the database's own are.
        Sequence,
    }

    #[derive(Clone)]
    struct Model {
        order: Order,
        transactions: Vec<State>,
        sequence: i64,
        position: Option<i64>,
        /// What the follower has dropped from its cache: the change of which transaction.
        dropped: Vec<bool>,
        reads: usize,
    }

    impl Model {
        fn new(order: Order, transactions: usize, reads: usize) -> Model {
            Model {
                order,
                transactions: vec![State::Begun; transactions],
                sequence: 0,
                position: Some(0),
                dropped: vec![false; transactions],
                reads,
            }
        }

        fn committed(&self) -> impl Iterator<Item = i64> {
            self.transactions.iter().filter_map(|state| match state {
                State::Committed(seq) => Some(*seq),
                _ => None,
            })
        }

        /// `None` where the transaction would wait for another's row.
        fn next_seq(&mut self) -> Option<i64> {
            let held = self.transactions.iter().any(|state| matches!(state, State::Added(_)));
            match self.order {
                Order::Held if held => None,
                Order::Held => Some(self.committed().max().unwrap_or(0) + 1),
                Order::Sequence => {
                    self.sequence += 1;
                    Some(self.sequence)
                }
            }
        }

        /// Reads two changes at most, as the feed reads a thousand.
        fn read(&mut self) {
            let after = self.position.unwrap_or(0);
            let mut seqs: Vec<_> = self.committed().filter(|seq| *seq > after).collect();
            seqs.sort();
            seqs.truncate(2);
            let change = |seq| Change {
                seq,
                at: DateTime::UNIX_EPOCH,
                reason: String::new(),
                user_id: Some(UserId::from([0; 16])),
                session_id: None,
            };
            let newest = self.committed().max().unwrap_or(0);
            let news = News { newest, changes: seqs.into_iter().map(change).collect() };
            let mut position = Position { seen: self.position };
            let dropped: Vec<i64> = match position.advance(&news) {
                Old::These(changes) => changes.iter().map(|change| change.seq).collect(),
                Old::Everything => self.committed().collect(),
            };
            for (state, is_dropped) in self.transactions.iter().zip(&mut self.dropped) {
                *is_dropped |= matches!(state, State::Committed(seq) if dropped.contains(seq));
            }
            self.position = position.seen;
        }

        /// Whether, however it goes on, a follower that has read to the end has dropped every committed change.
        fn misses_none(&self) -> bool {
            let mut at_the_end = self.clone();
            for _ in &self.transactions {
                at_the_end.read();
            }
            let missed = at_the_end.transactions.iter().zip(&at_the_end.dropped);
            let missed = missed.filter(|(state, dropped)| matches!(state, State::Committed(_)) && !**dropped);
            missed.count() == 0 && self.steps().into_iter().all(|next| next.misses_none())
        }

        fn steps(&self) -> Vec<Model> {
            let mut next = Vec::new();
            for at in 0..self.transactions.len() {
                let mut with = |change: &dyn Fn(&mut Model) -> Option<State>| {
                    let mut model = self.clone();
                    if let Some(state) = change(&mut model) {
                        model.transactions[at] = state;
                        next.push(model);
                    }
                };
                match self.transactions[at] {
                    State::Begun => with(&|model| model.next_seq().map(State::Added)),
                    State::Added(seq) => {
                        with(&|_| Some(State::Committed(seq)));
                        with(&|_| Some(State::GivenUp));
                    }
                    State::Committed(_) | State::GivenUp => {}
                }
            }
            if self.reads > 0 {
                let mut model = self.clone();
                model.reads -= 1;
                model.read();
                next.push(model);
            }
            next
        }
    }

    #[test]
    fn no_interleaving_of_commits_hides_a_change() {
        assert!(Model::new(Order::Held, 4, 3).misses_none());
    }

    /// What the held row is for; and that this model would notice.
    #[test]
    fn a_sequence_of_the_database_would_hide_some() {
        assert!(!Model::new(Order::Sequence, 2, 1).misses_none());
    }

    #[test]
    fn what_can_not_be_read_any_more_makes_everything_old() {
        let news = |newest, seqs: &[i64]| {
            let change = |seq: &i64| Change {
                seq: *seq,
                at: DateTime::UNIX_EPOCH,
                reason: String::new(),
                user_id: Some(UserId::from([0; 16])),
                session_id: None,
            };
            News { newest, changes: seqs.iter().map(change).collect() }
        };
        let mut position = Position::default();
        for (news, everything, seen) in [
            (news(7, &[]), true, 7),
            (news(7, &[]), false, 7),
            (news(9, &[8, 9]), false, 9),
            // 10 was pruned before it was read.
            (news(11, &[11]), true, 11),
            // One in between was.
            (news(14, &[12, 14]), true, 14),
            // All were.
            (news(20, &[]), true, 20),
            // A backup was restored.
            (news(3, &[]), true, 3),
            (news(4, &[4]), false, 4),
        ] {
            assert_eq!(matches!(position.advance(&news), Old::Everything), everything, "{news:?}");
            assert_eq!(position.seen, Some(seen));
        }
    }
}
