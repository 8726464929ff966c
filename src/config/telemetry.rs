//! Where metrics are told, and which traces are sent.

use std::net::{IpAddr, SocketAddr};

use super::Config;
use super::value::{Parsed, one_of, public_url};

/// Which traces are sent, by the names that OpenTelemetry has for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TracesSampler {
    AlwaysOn,
    AlwaysOff,
    TraceIdRatio,
    ParentBasedAlwaysOn,
    ParentBasedAlwaysOff,
    ParentBasedTraceIdRatio,
}

pub(super) fn bind(text: &str) -> Parsed<SocketAddr> {
    text.parse().map_err(|_| {
        format!("{text:?} is not an IP address and a port: 127.0.0.1:9090 for this machine alone, [::]:9090 for all")
    })
}

/// Two listeners can't have the same address; one of all addresses has each of them.
pub(super) fn clash(config: &Config) -> Option<(&'static str, String)> {
    let (bind, host) = (config.metrics_bind?, config.host);
    let has = |all: IpAddr, one: IpAddr| {
        // [::] takes IPv4's, too.
        all == one || all.is_unspecified() && (all.is_ipv6() || one.is_ipv4())
    };
    let is_same = has(bind.ip(), host) || has(host, bind.ip());
    // Port 0 is another one each time.
    (is_same && bind.port() == config.port && config.port != 0).then(|| {
        let what = format!("{bind} is taken by HOST={host} and PORT={}: choose another port", config.port);
        ("metrics_bind", what)
    })
}

/// OpenTelemetry has another variable for a URL with the path, so that many a page shows one.
pub(super) fn endpoint(text: &str) -> Parsed<String> {
    let url = public_url(text).map_err(|_| {
        "is not an http or https URL without user, query and fragment: http://localhost:4318".to_owned()
    })?;
    match url.strip_suffix("/v1/traces") {
        Some(base) => Err(format!("must be without /v1/traces, which is appended: {base}")),
        None => Ok(url),
    }
}

pub(super) fn traces_sampler(text: &str) -> Parsed<TracesSampler> {
    one_of(
        text,
        &[
            ("always_on", TracesSampler::AlwaysOn),
            ("always_off", TracesSampler::AlwaysOff),
            ("traceidratio", TracesSampler::TraceIdRatio),
            ("parentbased_always_on", TracesSampler::ParentBasedAlwaysOn),
            ("parentbased_always_off", TracesSampler::ParentBasedAlwaysOff),
            ("parentbased_traceidratio", TracesSampler::ParentBasedTraceIdRatio),
        ],
    )
}

pub(super) fn part(text: &str) -> Parsed<f64> {
    let part = text.parse().ok().filter(|part| (0.0..=1.0).contains(part));
    part.ok_or_else(|| format!("{text:?} is not a part from 0 to 1: 0.25 is every fourth"))
}
