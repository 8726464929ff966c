//! The settings: whether they are sound, and whether they are safe.

use super::report::{Report, Verdict};
use crate::config::{Config, Problem, Weight, variables};

const CHECK: &str = "settings";

pub fn wrong(report: &mut Report, problems: &[Problem]) {
    for problem in problems {
        report.problem(
            CHECK,
            problem.to_string(),
            "nothing starts before this is mended; nothing else was looked at",
        );
    }
}

pub fn check(report: &mut Report, config: &Config) {
    report.ok(CHECK, format!("all {} are sound", variables().len()));
    for danger in config.dangers() {
        let verdict = match danger.weight {
            Weight::Warning => Verdict::Warning,
            Weight::Problem | Weight::Refused => Verdict::Problem,
        };
        report.note(CHECK, verdict, danger.what, danger.todo);
    }
}
