//! Tables for people, at a terminal that texts of strangers must not play with.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use unicode_width::UnicodeWidthStr;

/// Columns that a cell takes at most: a long address must not make every line wrap.
const WIDEST: usize = 40;

/// A text without what would move the cursor, hide or turn around what stands beside it.
pub(super) fn shown(text: &str) -> String {
    let plays = |c: char| {
        let turns = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        c.is_control() || turns
    };
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if plays(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// In UTC, to the second.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Rows under a head, each column as wide as its widest cell.
pub(super) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub fn of(head: [&str; N]) -> Table<N> {
        Table { rows: vec![head.map(str::to_owned)] }
    }

    /// What is absent is a hyphen.
    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| if cell.is_empty() { "-".to_owned() } else { cut(&shown(&cell)) }));
    }
}

/// As much as there is room for.
fn cut(text: &str) -> String {
    if text.width() <= WIDEST {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if kept.width() > WIDEST - 1 {
            kept.pop();
            break;
        }
    }
    kept + "…"
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| self.rows.iter().map(|row| row[column].width()).max().unwrap_or_default();
        let widths: Vec<_> = (0..N).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line += cell;
                line.extend(std::iter::repeat_n(' ', width + 2 - cell.width()));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_whatever_they_hold() {
        let mut table = Table::of(["NAME", "ROLES"]);
        table.row(["ada".to_owned(), "admin".to_owned()]);
        table.row(["日本".to_owned(), String::new()]);
        table.row(["x".repeat(41), "b".to_owned()]);
        let wide = format!("{}…", "x".repeat(39));
        let pad = |text: &str, by: usize| format!("{text}{}", " ".repeat(by));
        let lines =
            [pad("NAME", 38) + "ROLES", pad("ada", 39) + "admin", pad("日本", 38) + "-", pad(&wide, 2) + "b"];
        assert_eq!(table.to_string(), lines.join("\n") + "\n");
    }

    #[test]
    fn what_plays_with_a_terminal_is_spelt_out() {
        assert_eq!(shown("a\u{1b}[2Jb\n\u{202e}c\u{9b}é日"), "a\\u{1b}[2Jb\\u{a}\\u{202e}c\\u{9b}é日");
    }
}
