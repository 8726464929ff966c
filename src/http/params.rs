//! Query parameters, and the lists that are paged with them.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use percent_encoding::percent_decode;
use serde::Serialize;

use crate::error::{Error, Result};
use crate::secret::{base64url, from_base64url};

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 200;

/// A request's query. Extracting it never fails; reading it does, inside the handler, after its caller is known.
pub(super) struct Params(String);

impl FromRequest for Params {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Params(request.query_string().to_owned())))
    }
}

impl Params {
    /// A parameter's value; `None` where it is absent.
    pub fn one(&self, name: &str) -> Result<Option<String>> {
        let mut values = self.all(name)?.into_iter();
        let first = values.next();
        match values.next() {
            Some(_) => Err(Error::InvalidRequest(format!("Give `{name}` once."))),
            None => Ok(first),
        }
    }

    /// All values of a parameter that may be repeated.
    pub fn all(&self, name: &str) -> Result<Vec<String>> {
        let pairs = self.pairs()?.into_iter();
        Ok(pairs.filter(|(key, _)| key == name).map(|(_, value)| value).collect())
    }

    /// The names of all parameters.
    pub fn names(&self) -> Result<Vec<String>> {
        Ok(self.pairs()?.into_iter().map(|(name, _)| name).collect())
    }

    fn pairs(&self) -> Result<Vec<(String, String)>> {
        let pairs = decode_pairs(self.0.as_bytes());
        pairs.ok_or_else(|| Error::InvalidRequest("The query is not valid UTF-8.".to_owned()))
    }

    /// A parameter that `parse` takes; `allowed` says what that is.
    pub fn parsed<T>(
        &self,
        name: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let parsed =
            parse(&text).ok_or_else(|| Error::InvalidRequest(format!("`{name}` must be {allowed}.")));
        parsed.map(Some)
    }

    /// Which part of a list is asked for.
    pub fn page<Id: From<[u8; 16]>>(&self) -> Result<Page<Id>> {
        self.page_after(|bytes| Some(Id::from(<[u8; 16]>::try_from(bytes).ok()?)))
    }

    /// Of a list that is not ordered by ids: `read` makes of a cursor's bytes what they were made of.
    pub fn page_after<Key>(&self, read: impl FnOnce(&[u8]) -> Option<Key>) -> Result<Page<Key>> {
        let in_bounds = |text: &str| whole_number(text).filter(|limit| (1..=MAX_LIMIT).contains(limit));
        let limit = self.parsed("limit", "a whole number from 1 to 200", in_bounds)?.unwrap_or(DEFAULT_LIMIT);
        let before = match self.one("cursor")? {
            Some(cursor) => {
                Some(from_base64url(&cursor).and_then(|bytes| read(&bytes)).ok_or(Error::InvalidCursor)?)
            }
            None => None,
        };
        Ok(Page { limit, before })
    }
}

/// Digits alone, without the sign that `parse` would take.
pub(super) fn whole_number<N: FromStr>(text: &str) -> Option<N> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A part of a list, which is ordered by id, newest first, unless said otherwise.
pub(super) struct Page<Key> {
    limit: u32,
    /// The last item of the part before.
    pub before: Option<Key>,
}

impl<Key> Page<Key> {
    /// How many rows to ask for: one more than are answered, to know whether there are more.
    pub fn rows(&self) -> u32 {
        self.limit + 1
    }

    /// The answer's body, from the rows that came.
    pub fn list<Row, Item, Bytes: AsRef<[u8]>>(
        &self,
        mut rows: Vec<Row>,
        key: impl FnOnce(&Row) -> Bytes,
        item: impl FnMut(Row) -> Item,
    ) -> List<Item> {
        let more = rows.len() > self.limit as usize;
        rows.truncate(self.limit as usize);
        let next_cursor = rows.last().filter(|_| more).map(|last| base64url(key(last).as_ref()));
        List { items: rows.into_iter().map(item).collect(), next_cursor }
    }
}

/// A list as every endpoint answers it.
#[derive(Serialize)]
pub(super) struct List<Item> {
    items: Vec<Item>,
    next_cursor: Option<String>,
}

/// A name or value of `application/x-www-form-urlencoded`; `None` where it is not UTF-8 after decoding.
pub(super) fn decode_text(encoded: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8().ok().map(|text| text.into_owned())
}

/// The pairs of `application/x-www-form-urlencoded`; `None` where they are not UTF-8 after decoding.
pub(super) fn decode_pairs(encoded: &[u8]) -> Option<Vec<(String, String)>> {
    let pairs = encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let pair = |pair: &[u8]| {
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        };
        Some((decode_text(name)?, decode_text(value)?))
    };
    pairs.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::id::UserId;

    fn page(query: &str) -> Result<Page<UserId>> {
        Params(query.to_owned()).page()
    }

    #[test]
    fn limits_are_1_to_200() {
        assert_eq!(page("").unwrap().limit, 50);
        assert_eq!(page("limit=200&other=x").unwrap().limit, 200);
        for bad in ["limit=0", "limit=201", "limit=-1", "limit=", "limit=x", "limit=1&limit=2", "limit=%ff"] {
            assert!(matches!(page(bad), Err(Error::InvalidRequest(_))), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_cursor_is_read_as_it_was_written(id in any::<[u8; 16]>()) {
            let read = page(&format!("cursor={}", base64url(&id))).unwrap();
            prop_assert_eq!(read.before, Some(UserId::from(id)));
        }

        #[test]
        fn any_other_cursor_is_refused(text in "[A-Za-z0-9_=.-]{0,40}") {
            let ours = from_base64url(&text).is_some_and(|bytes| bytes.len() == 16);
            prop_assert_eq!(page(&format!("cursor={text}")).is_ok(), ours);
        }

        #[test]
        fn no_query_panics(bytes in any::<Vec<u8>>()) {
            let _ = decode_pairs(&bytes);
        }
    }
}
