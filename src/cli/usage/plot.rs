//! The usage as a drawing: SVG, in light and dark.

use std::fmt::Write;

use crate::usage::Report;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 24.0;
const DAYS_TOP: f64 = 84.0;
const DAYS_HEIGHT: f64 = 240.0;
const USERS_TOP: f64 = DAYS_TOP + DAYS_HEIGHT + 96.0;
const ROW: f64 = 28.0;
/// Room for names beside the bars.
const NAMES: f64 = 200.0;
/// Room for numbers behind the bars.
const NUMBERS: f64 = 90.0;
const MOST_USERS: usize = 10;
const MOST_CHARACTERS: usize = 26;
const MOST_DATES: usize = 8;

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2933}.title{font-size:18px;font-weight:600}.part{font-size:14px;font-weight:600}\
.soft{fill:#52606d}.ground{fill:#fff}.bar{fill:#2f6fb5}.grid{stroke:#d9dee5}.axis{stroke:#7b8794}\
@media(prefers-color-scheme:dark){text{fill:#e4e7eb}.soft{fill:#9aa5b1}.ground{fill:#14181d}.bar{fill:#5b9be0}\
.grid{stroke:#2b323b}.axis{stroke:#616e7c}}";

/// Requests a day, and below those who asked most.
pub(super) fn draw(report: &Report) -> String {
    let users = report.users.len().min(MOST_USERS);
    let height = USERS_TOP + 24.0 + ROW * users.max(1) as f64 + 24.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Usage\">\n<style>{STYLE}</style>\n<rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>\n"
    );
    if let (Some((from, _)), Some((to, _))) = (report.days.first(), report.days.last()) {
        let told = format!("{} requests from {from} to {to}, UTC", grouped(report.total));
        text(&mut svg, 24.0, 34.0, "title", "start", &told);
    }
    days(&mut svg, report);
    most(&mut svg, report);
    svg.push_str("</svg>\n");
    svg
}

fn days(svg: &mut String, report: &Report) {
    let (width, bottom) = (WIDTH - LEFT - RIGHT, DAYS_TOP + DAYS_HEIGHT);
    text(svg, 24.0, DAYS_TOP - 18.0, "part", "start", "Requests a day");
    let greatest = report.days.iter().map(|(_, requests)| *requests).max().unwrap_or(0);
    let step = step(greatest);
    let top = (greatest + step - 1) / step * step;
    let y = |requests: i64| bottom - DAYS_HEIGHT * requests as f64 / top.max(1) as f64;
    let mut tick = 0;
    while tick <= top {
        let at = y(tick);
        let class = if tick == 0 { "axis" } else { "grid" };
        let _ = writeln!(
            svg,
            "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>",
            LEFT + width
        );
        text(svg, LEFT - 8.0, at + 4.0, "soft", "end", &grouped(tick));
        tick += step;
    }
    let place = width / report.days.len().max(1) as f64;
    let every = report.days.len().div_ceil(MOST_DATES).max(1);
    for (n, (day, requests)) in report.days.iter().enumerate() {
        let left = LEFT + place * n as f64;
        if *requests > 0 {
            let (x, bar, at) = (left + place * 0.1, place * 0.8, y(*requests));
            let _ = writeln!(
                svg,
                "<rect class=\"bar\" x=\"{x:.1}\" y=\"{at:.1}\" width=\"{bar:.1}\" height=\"{:.1}\">\
                 <title>{day}: {}</title></rect>",
                bottom - at,
                grouped(*requests)
            );
        }
        // The last day has its date, and others at even distances from it.
        if (report.days.len() - 1 - n).is_multiple_of(every) {
            text(svg, left + place / 2.0, bottom + 20.0, "soft", "middle", &day.format("%-d %b").to_string());
        }
    }
    text(svg, LEFT + width / 2.0, bottom + 44.0, "soft", "middle", "Day (UTC)");
}

fn most(svg: &mut String, report: &Report) {
    text(svg, 24.0, USERS_TOP, "part", "start", "Users with the most requests");
    let width = WIDTH - 24.0 - NAMES - NUMBERS - RIGHT;
    let greatest = report.users.first().map_or(1, |user| user.requests.max(1));
    for (n, user) in report.users.iter().take(MOST_USERS).enumerate() {
        let middle = USERS_TOP + 24.0 + ROW * n as f64 + ROW / 2.0;
        let mut name: String = user.name.chars().take(MOST_CHARACTERS).collect();
        if name.len() < user.name.len() {
            name.push('…');
        }
        let left = 24.0 + NAMES;
        text(svg, left - 8.0, middle + 4.0, "", "end", &name);
        let bar = (width * user.requests as f64 / greatest as f64).max(1.0);
        let _ = writeln!(
            svg,
            "<rect class=\"bar\" x=\"{left}\" y=\"{:.1}\" width=\"{bar:.1}\" height=\"{:.1}\"/>",
            middle - ROW * 0.35,
            ROW * 0.7
        );
        text(svg, left + bar + 8.0, middle + 4.0, "soft", "start", &grouped(user.requests));
    }
    if report.users.is_empty() {
        text(svg, 24.0, USERS_TOP + 38.0, "soft", "start", "Nobody asked anything.");
    }
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, anchor: &str, what: &str) {
    let what = what.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{what}</text>"
    );
}

/// 1, 2 or 5 times a power of ten, of which about five reach the greatest.
fn step(greatest: i64) -> i64 {
    let mut power = 1;
    loop {
        for step in [power, 2 * power, 5 * power] {
            if greatest / step < 5 || step > i64::MAX / 20 {
                return step;
            }
        }
        power *= 10;
    }
}

/// A number as people read it.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut told = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            told.push('\u{202f}');
        }
        told.push(digit);
    }
    told
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    #[test]
    fn the_axis_has_round_numbers() {
        for (greatest, expected) in [(0, 1), (4, 1), (5, 2), (9, 2), (10, 5), (99, 20), (1234, 500)] {
            assert_eq!(step(greatest), expected, "{greatest}");
        }
        assert!(step(i64::MAX) > 0);
        assert_eq!(grouped(1234567), "1\u{202f}234\u{202f}567");
    }

    #[test]
    fn names_are_text_and_nothing_asked_is_a_drawing_too() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 22).unwrap();
        let user = portcullis_user("<script>&");
        let report = Report { total: 3, days: vec![(day, 3)], users: vec![user], services: vec![] };
        let svg = draw(&report);
        assert!(svg.contains("&lt;script&gt;&amp;") && !svg.contains("<script"), "{svg}");
        assert_eq!(svg.matches("class=\"bar\"").count(), 2);
        let none = Report { total: 0, days: vec![(day, 0)], users: vec![], services: vec![] };
        assert!(!draw(&none).contains("NaN") && draw(&none).contains("Nobody"));
    }

    fn portcullis_user(name: &str) -> crate::store::usage::OfUser {
        crate::store::usage::OfUser {
            user_id: crate::id::UserId::from([1; 16]),
            name: name.to_owned(),
            requests: 3,
        }
    }
}
