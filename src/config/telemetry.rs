//! Where metrics are told, and which traces are sent.

use std::net::SocketAddr;

use super::value::{Parsed, one_of};

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
