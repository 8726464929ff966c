//! The settings: whether they are sound, and whether they are safe.

use std::path::Path;

use super::report::{Report, Verdict};
use crate::cli::DOTENV;
use crate::config::{Config, Problem, Weight, strangers, variables};

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
    for what in strangers(Path::new(DOTENV)) {
        report.note(CHECK, Verdict::Warning, what, "mend its name, or take it out");
    }
    for danger in config.dangers() {
        let verdict = match danger.weight {
            Weight::Warning => Verdict::Warning,
            Weight::Problem | Weight::Refused => Verdict::Problem,
        };
        report.note(CHECK, verdict, danger.what, danger.todo);
    }
}
