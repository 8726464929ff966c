//! Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write};

use crate::counts::{BOUNDS, Histogram};

/// What is told, so far.
#[derive(Debug, Default)]
pub struct Page(String);

/// What a metric is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric, to which samples are added.
pub struct Metric<'p> {
    page: &'p mut String,
    name: &'static str,
}

pub type Labels<'l> = [(&'static str, &'l str)];

impl Page {
    /// A metric, whether or not there will be samples of it.
    pub fn metric(&mut self, name: &'static str, kind: Kind, help: &str) -> Metric<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
        Metric { page: &mut self.0, name }
    }

    pub fn counter(&mut self, name: &'static str, help: &str) -> Metric<'_> {
        self.metric(name, Kind::Counter, help)
    }

    pub fn gauge(&mut self, name: &'static str, help: &str) -> Metric<'_> {
        self.metric(name, Kind::Gauge, help)
    }

    pub fn into_text(self) -> String {
        self.0
    }

    fn line(&mut self, line: impl Display) {
        // To write to a text does not fail.
        let _ = writeln!(self.0, "{line}");
    }
}

impl Metric<'_> {
    /// Its one sample.
    pub fn is(&mut self, value: impl Display) {
        self.of(&[], value);
    }

    /// What it is for these labels.
    pub fn of(&mut self, labels: &Labels, value: impl Display) {
        self.sample("", labels, None, value);
    }

    /// All samples of a histogram.
    pub fn times(&mut self, labels: &Labels, times: &Histogram) {
        let cumulated = times.cumulated();
        for (bound, count) in BOUNDS.iter().zip(cumulated) {
            self.sample("_bucket", labels, Some(&(f64::from(*bound) / 1e6).to_string()), count);
        }
        let all = cumulated[BOUNDS.len()];
        self.sample("_bucket", labels, Some("+Inf"), all);
        self.sample("_sum", labels, None, times.sum().as_secs_f64());
        self.sample("_count", labels, None, all);
    }

    fn sample(&mut self, suffix: &str, labels: &Labels, bound: Option<&str>, value: impl Display) {
        self.page.push_str(self.name);
        self.page.push_str(suffix);
        let bound = bound.map(|bound| ("le", bound));
        for (n, (label, text)) in labels.iter().copied().chain(bound).enumerate() {
            let text = text.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
            let _ = write!(self.page, "{}{label}=\"{text}\"", if n == 0 { '{' } else { ',' });
        }
        let end = if labels.is_empty() && bound.is_none() { "" } else { "}" };
        let _ = writeln!(self.page, "{end} {value}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_page_reads_as_the_format_has_it() {
        let mut page = Page::default();
        page.counter("a_total", "Things.").of(&[("kind", "odd \"\\\n"), ("n", "1")], 2);
        page.gauge("b", "Of one thing.").is(0.25);
        let times = Histogram::default();
        times.note(Duration::from_millis(2));
        page.metric("c_seconds", Kind::Histogram, "Time.").times(&[("of", "it")], &times);
        let text = page.into_text();
        assert!(text.starts_with(
            "# HELP a_total Things.\n# TYPE a_total counter\na_total{kind=\"odd \\\"\\\\\\n\",n=\"1\"} 2\n\
             # HELP b Of one thing.\n# TYPE b gauge\nb 0.25\n"
        ));
        assert!(text.contains(
            "c_seconds_bucket{of=\"it\",le=\"0.001\"} 0\nc_seconds_bucket{of=\"it\",le=\"0.0025\"} 1\n"
        ));
        assert!(text.ends_with(
            "c_seconds_bucket{of=\"it\",le=\"+Inf\"} 1\nc_seconds_sum{of=\"it\"} 0.002\nc_seconds_count{of=\"it\"} 1\n"
        ));
    }
}
