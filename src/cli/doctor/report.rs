//! What was found, and how it is told.

use std::io::{self, Write};

use serde_json::json;

use crate::error::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    Warning,
    Problem,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Problem => "problem",
        }
    }
}

struct Finding {
    check: &'static str,
    verdict: Verdict,
    what: String,
    todo: Option<String>,
}

/// The findings so far.
#[derive(Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    pub fn ok(&mut self, check: &'static str, what: impl Into<String>) {
        self.0.push(Finding { check, verdict: Verdict::Ok, what: what.into(), todo: None });
    }

    pub fn warning(&mut self, check: &'static str, what: impl Into<String>, todo: impl Into<String>) {
        self.note(check, Verdict::Warning, what, todo);
    }

    pub fn problem(&mut self, check: &'static str, what: impl Into<String>, todo: impl Into<String>) {
        self.note(check, Verdict::Problem, what, todo);
    }

    pub fn note(
        &mut self,
        check: &'static str,
        verdict: Verdict,
        what: impl Into<String>,
        todo: impl Into<String>,
    ) {
        self.0.push(Finding { check, verdict, what: what.into(), todo: Some(todo.into()) });
    }

    /// Whether anything but good was found of this.
    pub fn has_complaints_about(&self, check: &str) -> bool {
        self.0.iter().any(|finding| finding.check == check && finding.verdict != Verdict::Ok)
    }

    pub fn has_problems(&self) -> bool {
        self.count(Verdict::Problem) > 0
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.0.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// To standard output. Who closes that has read enough.
    pub fn print(&self, as_json: bool) {
        let _ = if as_json { self.print_json() } else { self.print_text() };
    }

    fn print_text(&self) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for Finding { check, verdict, what, todo } in &self.0 {
            writeln!(out, "{:8} {check:11} {what}", verdict.name())?;
            if let Some(todo) = todo {
                writeln!(out, "{:20} -> {todo}", "")?;
            }
        }
        let [ok, warnings, problems] =
            [Verdict::Ok, Verdict::Warning, Verdict::Problem].map(|verdict| self.count(verdict));
        let of = |number, what| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
        writeln!(out, "\n{}, {}, {ok} ok.", of(problems, "problem"), of(warnings, "warning"))
    }

    fn print_json(&self) -> io::Result<()> {
        let check = |finding: &Finding| {
            let Finding { check, verdict, what, todo } = finding;
            json!({ "check": check, "verdict": verdict.name(), "what": what, "todo": todo })
        };
        let report = json!({
            "problems": self.count(Verdict::Problem),
            "warnings": self.count(Verdict::Warning),
            "checks": self.0.iter().map(check).collect::<Vec<_>>(),
        });
        writeln!(io::stdout().lock(), "{report:#}")
    }
}

/// What the database said, for the person at the terminal.
pub(super) fn cause(error: Error) -> String {
    format!("{:#}", super::super::told(error))
}
