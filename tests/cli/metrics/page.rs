//! Prometheus' text format (version 0.0.4), read strictly: what a lenient reader would forgive fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// What was told, by the metric's name.
#[derive(Debug, Default)]
pub struct Page(pub BTreeMap<String, Metric>);

#[derive(Debug, Default)]
pub struct Metric {
    pub kind: String,
    pub samples: Vec<Sample>,
}

#[derive(Debug)]
pub struct Sample {
    /// The metric's, and for a histogram what follows.
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

impl Metric {
    /// The labels that its samples have, without a bucket's.
    pub fn labels(&self) -> BTreeSet<&str> {
        let labels = self.samples.iter().flat_map(|sample| sample.labels.keys());
        labels.map(String::as_str).filter(|label| *label != "le").collect()
    }
}

fn is_name(text: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(rest)
}

impl Page {
    pub fn read(text: &str) -> Page {
        assert!(text.ends_with('\n') && !text.contains("\n\n"), "{text}");
        let mut page = Page::default();
        let (mut helped, mut present) = (String::new(), String::new());
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
                assert!(is_name(name) && help.len() > 5 && help.ends_with('.'), "{line}");
                helped = name.to_owned();
            } else if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                assert_eq!(name, helped, "a type without its help");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                let metric = Metric { kind: kind.to_owned(), samples: Vec::new() };
                assert!(page.0.insert(name.to_owned(), metric).is_none(), "{name} is there twice");
                present = name.to_owned();
            } else {
                let sample = sample(line);
                let metric =
                    page.0.get_mut(&present).unwrap_or_else(|| panic!("a sample without a type: {line}"));
                let suffix =
                    sample.name.strip_prefix(&present).unwrap_or_else(|| panic!("not of {present}: {line}"));
                let suffixes: &[&str] =
                    if metric.kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
                assert!(suffixes.contains(&suffix), "{line}");
                let is_same = |other: &&Sample| other.name == sample.name && other.labels == sample.labels;
                assert!(!metric.samples.iter().any(|other| is_same(&other)), "twice: {line}");
                metric.samples.push(sample);
            }
        }
        for (name, metric) in &page.0 {
            metric.is_sound(name);
        }
        page
    }

    /// The one sample with this name and these labels; none is 0.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let samples = self.0.values().flat_map(|metric| &metric.samples).filter(|sample| {
            let has = |(label, text): &(&str, &str)| sample.labels.get(*label).is_some_and(|is| is == text);
            sample.name == name && labels.iter().all(has)
        });
        samples.map(|sample| sample.value).sum()
    }
}

impl Metric {
    fn is_sound(&self, name: &str) {
        assert_eq!(self.kind == "counter", name.ends_with("_total"), "{name} is a {}", self.kind);
        assert!(self.kind == "gauge" || self.samples.iter().all(|sample| sample.value >= 0.0), "{self:?}");
        let (mut buckets, mut last) = (BTreeMap::<_, f64>::new(), None);
        for Sample { name: full, labels, value } in &self.samples {
            let of: Vec<_> = labels.iter().filter(|(label, _)| *label != "le").collect();
            if full.ends_with("_bucket") {
                let bound: f64 = labels["le"].parse().unwrap();
                assert!(
                    last.as_ref().is_none_or(|(before, least)| *before != of || *least < bound),
                    "{self:?}"
                );
                assert!(buckets.get(&of).is_none_or(|before| before <= value), "{self:?}");
                buckets.insert(of.clone(), *value);
                last = Some((of, bound));
            } else if full.ends_with("_count") {
                assert_eq!(buckets.get(&of), Some(value), "{full} is not its last bucket");
                assert_eq!(last.take().map(|(_, bound)| bound), Some(f64::INFINITY), "{full}");
            }
        }
    }
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no value: {line}"));
    let (name, mut rest) = line.split_at(end);
    assert!(is_name(name), "{line}");
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
            assert!(is_name(label), "{line}");
            let (text, after) = quoted(after).unwrap_or_else(|| panic!("not closed: {line}"));
            assert!(labels.insert(label.to_owned(), text).is_none(), "{line}");
            rest = &after[1..];
            match after.as_bytes()[0] {
                b',' => {}
                b'}' => break,
                _ => panic!("{line}"),
            }
        }
    }
    let value =
        rest.strip_prefix(' ').filter(|value| !value.contains(' ')).unwrap_or_else(|| panic!("{line}"));
    let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
    Sample { name: name.to_owned(), labels, value }
}

/// The text up to the quote that ends it, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut read, mut characters) = (String::new(), text.char_indices());
    loop {
        match characters.next()? {
            (at, '"') => return Some((read, &text[at + 1..])).filter(|(_, rest)| !rest.is_empty()),
            (_, '\\') => match characters.next()?.1 {
                'n' => read.push('\n'),
                escaped @ ('"' | '\\') => read.push(escaped),
                _ => return None,
            },
            (_, other) => read.push(other),
        }
    }
}
