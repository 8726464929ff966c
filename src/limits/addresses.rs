//! Flooding: how many requests of a kind a network may send.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use super::Network;
use crate::counts::Counter;

type Limiter =
    RateLimiter<Network, DefaultKeyedStateStore<Network>, DefaultClock, StateInformationMiddleware>;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    Register,
    LogIn,
    Refresh,
    /// What costs a hash beside a good token.
    Confirm,
    /// What makes the service send a mail.
    Mail,
}

impl Limit {
    const ALL: [Limit; 5] = [Limit::Register, Limit::LogIn, Limit::Refresh, Limit::Confirm, Limit::Mail];

    pub fn name(self) -> &'static str {
        match self {
            Limit::Register => "register",
            Limit::LogIn => "login",
            Limit::Refresh => "refresh",
            Limit::Confirm => "confirm",
            Limit::Mail => "mail",
        }
    }

    /// How many at once, and in how long a time so many come back.
    fn quota(self) -> (u32, Duration) {
        match self {
            Limit::Register => (100, Duration::from_secs(300)),
            Limit::LogIn => (300, Duration::from_secs(60)),
            Limit::Refresh => (600, Duration::from_secs(60)),
            Limit::Confirm => (60, Duration::from_secs(60)),
            Limit::Mail => (600, Duration::from_secs(600)),
        }
    }
}

/// Where a network stands with one of its limits.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    pub limit: Limit,
    /// How many requests are allowed at once,
    pub quota: u32,
    /// and in which time so many are allowed again.
    pub window: Duration,
    pub remaining: u32,
    /// How long to wait; `None` where this request is allowed.
    pub wait: Option<Duration>,
}

/// The limits of all networks.
pub struct Addresses {
    clock: DefaultClock,
    /// In the order of [`Limit::ALL`]; none where nothing is limited.
    limiters: Vec<Limiter>,
    /// Requests that were one too many, in the same order.
    refused: [Counter; Limit::ALL.len()],
}

impl Addresses {
    pub fn new(enabled: bool) -> Addresses {
        let limiter = |limit: &Limit| {
            let (most, window) = limit.quota();
            let quota = Quota::with_period(window / most)
                .and_then(|quota| Some(quota.allow_burst(NonZeroU32::new(most)?)));
            RateLimiter::keyed(quota.expect("no quota is 0")).with_middleware()
        };
        let limited: &[Limit] = if enabled { &Limit::ALL } else { &[] };
        Addresses {
            clock: DefaultClock::default(),
            limiters: limited.iter().map(limiter).collect(),
            refused: Default::default(),
        }
    }

    /// Counts a request. `None` where nothing is limited.
    pub fn count(&self, limit: Limit, address: Option<IpAddr>) -> Option<Standing> {
        let place = Limit::ALL.iter().position(|one| *one == limit)?;
        let limiter = self.limiters.get(place)?;
        let (quota, window) = limit.quota();
        let standing = |remaining, wait| Standing { limit, quota, window, remaining, wait };
        Some(match limiter.check_key(&Network::of(address)) {
            Ok(state) => standing(state.remaining_burst_capacity(), None),
            Err(refused) => {
                self.refused[place].add_one();
                standing(0, Some(refused.wait_time_from(self.clock.now())))
            }
        })
    }

    /// How many requests were one too many, by limit.
    pub fn refused(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Limit::ALL.iter().map(|limit| limit.name()).zip(self.refused.iter().map(Counter::count))
    }

    /// Forgets networks that have all of their limits again.
    pub fn forget_idle(&self) {
        for limiter in &self.limiters {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_has_its_own_and_no_more() {
        let addresses = Addresses::new(true);
        let (one, other) = (Some("192.0.2.1".parse().unwrap()), Some("192.0.2.2".parse().unwrap()));
        let (most, _) = Limit::Confirm.quota();
        for n in 1..=most {
            let standing = addresses.count(Limit::Confirm, one).unwrap();
            assert!(standing.wait.is_none() && standing.remaining <= most - n + 1, "{standing:?}");
        }
        let refused = addresses.count(Limit::Confirm, one).unwrap();
        assert!(refused.wait.is_some_and(|wait| wait <= Duration::from_secs(1)), "{refused:?}");
        assert!(addresses.count(Limit::Confirm, other).unwrap().wait.is_none());
        assert!(addresses.count(Limit::Register, one).unwrap().wait.is_none());
        assert!(Addresses::new(false).count(Limit::Confirm, one).is_none());
    }
}
