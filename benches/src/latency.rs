//! How long answers took.

use std::time::Duration;

use serde_json::{Value, json};

/// Count, and percentiles in milliseconds.
pub fn summary(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |share: f64| {
        let index = (times.len() as f64 * share).ceil() as usize;
        times.get(index.saturating_sub(1)).map(|time| time.as_secs_f64() * 1000.0)
    };
    json!({ "count": times.len(), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_measured() {
        let summary = summary((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!(summary["count"], 200);
        assert_eq!(summary["p50_ms"], 100.0);
        assert_eq!(summary["p99_ms"], 198.0);
        assert_eq!(summary["max_ms"], 200.0);
        assert_eq!(super::summary(Vec::new())["p99_ms"], Value::Null);
    }
}
