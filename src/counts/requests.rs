//! Requests, by route, method and status: a table that is there from the start, so that to count one is to add to three
//! of its fields.

use std::time::Duration;

use super::{Counter, Histogram};

/// Methods that are told apart; the last one stands for all others.
pub const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];

/// Statuses that are told apart. 499: the client hung up.
pub const STATUSES: [u16; 27] = [
    200, 201, 202, 204, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 406, 408, 409, 413, 415, 422,
    429, 499, 500, 502, 503, 504,
];

/// How many routes there is room for.
pub const ROUTES: usize = 64;

/// The requests of the service.
#[derive(Debug)]
pub struct Requests {
    routes: Box<[[Kind; METHODS.len()]]>,
}

/// The requests of one method to one route.
#[derive(Debug, Default)]
struct Kind {
    /// In the order of [`STATUSES`], and one for all others.
    statuses: [Counter; STATUSES.len() + 1],
    time: Histogram,
}

impl Default for Requests {
    fn default() -> Requests {
        Requests { routes: (0..ROUTES).map(|_| Default::default()).collect() }
    }
}

impl Requests {
    /// Counts one to the route with this number, which took so long.
    pub fn count(&self, route: usize, method: &str, status: u16, took: Duration) {
        let method = METHODS.iter().position(|name| *name == method).unwrap_or(METHODS.len() - 1);
        let status = STATUSES.binary_search(&status).unwrap_or(STATUSES.len());
        if let Some(kind) = self.routes.get(route).map(|route| &route[method]) {
            kind.statuses[status].add_one();
            kind.time.note(took);
        }
    }

    /// The times of each method to this route that was asked at all.
    pub fn times(&self, route: usize) -> impl Iterator<Item = (&'static str, &Histogram)> {
        let kinds = METHODS.into_iter().zip(&self.routes[route]);
        kinds
            .map(|(method, kind)| (method, &kind.time))
            .filter(|(_, time)| time.cumulated().last() > Some(&0))
    }

    /// How many there were of each method and status to this route; `None` for a status that is not told apart.
    pub fn counts(&self, route: usize) -> impl Iterator<Item = (&'static str, Option<u16>, u64)> {
        let kinds = METHODS.into_iter().zip(&self.routes[route]);
        let counts = kinds.flat_map(|(method, kind)| {
            let statuses = STATUSES.into_iter().map(Some).chain([None]);
            statuses.zip(&kind.statuses).map(move |(status, count)| (method, status, count.count()))
        });
        counts.filter(|(.., count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_has_its_place() {
        let requests = Requests::default();
        for (method, status) in [("GET", 200), ("GET", 200), ("GET", 503), ("BREW", 418), ("GET", 599)] {
            requests.count(7, method, status, Duration::from_millis(1));
        }
        // Where there is no such route, nothing happens.
        requests.count(ROUTES, "GET", 200, Duration::ZERO);
        let counts: Vec<_> = requests.counts(7).collect();
        assert_eq!(
            counts,
            [("GET", Some(200), 2), ("GET", Some(503), 1), ("GET", None, 1), ("other", None, 1)]
        );
        assert_eq!(requests.times(7).count(), 2);
        assert_eq!(requests.counts(6).count(), 0);
        assert!(STATUSES.is_sorted());
    }
}
