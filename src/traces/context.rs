//! Where a request comes from, and what whoever is asked next is told (W3C Trace Context, level 1).

use std::cell::Cell;

use crate::secret;

/// A `tracestate` is passed on up to this length; the recommendation asks for as much (section 3.3.1.5).
const LONGEST_STATE: usize = 512;

/// Of a longer one, members beyond this go first.
const LONG_MEMBER: usize = 128;

const MOST_MEMBERS: usize = 32;

/// Of a `traceparent`.
const LENGTH: usize = 55;

/// What a `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    pub trace: u128,
    pub span: u64,
    pub sampled: bool,
}

impl Parent {
    /// `None` where it is not as it must be: then a new trace begins.
    pub fn parse(text: &[u8]) -> Option<Parent> {
        let (known, rest) = text.split_at_checked(LENGTH)?;
        let (version, fields) = (number(&known[..2])?, &known[2..]);
        // A later version may have more to say, behind a hyphen; this one has not.
        let fits = match version {
            0 => rest.is_empty(),
            0xff => false,
            _ => rest.first().is_none_or(|byte| *byte == b'-'),
        };
        let hyphens = [0, 33, 50].iter().all(|at| fields[*at] == b'-');
        let (trace, span) = (number(&fields[1..33])?, u64::try_from(number(&fields[34..50])?).ok()?);
        let flags = number(&fields[51..])?;
        let sound = fits && hyphens && trace != 0 && span != 0;
        sound.then_some(Parent { trace, span, sampled: flags & 1 == 1 })
    }

    /// As it is passed on; of the flags no other is known. By hand: it is in every answer to a proxy, and `format!` takes five times as
    /// long.
    pub fn text(&self) -> [u8; LENGTH] {
        let mut text = [b'-'; LENGTH];
        let (high, low) = ((self.trace >> 64) as u64, self.trace as u64);
        for (place, number) in
            [(0..2, 0), (3..19, high), (19..35, low), (36..52, self.span), (53..55, u64::from(self.sampled))]
        {
            write(number, &mut text[place]);
        }
        text
    }
}

fn write(mut number: u64, digits: &mut [u8]) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(number & 0xf) as usize];
        number >>= 4;
    }
}

/// Hexadecimal, in lower case.
fn number(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

/// What these headers, in their order, say of other systems' places in the trace: passed on as it is, but for what makes it too
/// long. `None` where there is nothing, or it is not as it must be.
pub fn state<'h>(headers: impl Iterator<Item = &'h [u8]>) -> Option<String> {
    let mut members = Vec::new();
    for header in headers {
        for member in std::str::from_utf8(header).ok()?.split(',') {
            let member = member.trim_matches([' ', '\t']);
            if member.is_empty() {
                continue;
            }
            let (key, value) = member.split_once('=')?;
            if !is_key(key) || !is_value(value) || members.len() == MOST_MEMBERS {
                return None;
            }
            members.push(member);
        }
    }
    let length = |members: &[&str]| members.iter().map(|member| member.len() + 1).sum::<usize>();
    if length(&members) > LONGEST_STATE + 1 {
        members.retain(|member| member.len() <= LONG_MEMBER);
    }
    while length(&members) > LONGEST_STATE + 1 {
        members.pop();
    }
    (!members.is_empty()).then(|| members.join(","))
}

fn is_key(key: &str) -> bool {
    let is_part = |part: &str, most: usize, digit_first: bool| {
        let first = part.bytes().next();
        first.is_some_and(|byte| byte.is_ascii_lowercase() || digit_first && byte.is_ascii_digit())
            && part.len() <= most
            && part.bytes().all(|byte| {
                byte.is_ascii_lowercase()
                    || byte.is_ascii_digit()
                    || matches!(byte, b'_' | b'-' | b'*' | b'/')
            })
    };
    match key.split_once('@') {
        Some((tenant, system)) => is_part(tenant, 241, true) && is_part(system, 14, false),
        None => is_part(key, 256, false),
    }
}

fn is_value(value: &str) -> bool {
    let allowed = |byte: u8| matches!(byte, b' '..=b'~') && byte != b',' && byte != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(allowed) && !value.ends_with(' ')
}

/// A trace's id, or a span's: random, and unlike any other. Not a secret, so that the system's generator is asked once a thread.
fn random() -> u64 {
    thread_local! {
        static STATE: Cell<[u64; 2]> = Cell::new([
            u64::from_ne_bytes(secret::random()),
            u64::from_ne_bytes(secret::random()) | 1,
        ]);
    }
    // SplitMix64, with an increment of the thread's own.
    let [state, step] = STATE.get();
    let next = state.wrapping_add(step);
    STATE.set([next, step]);
    let mixed = (next ^ next >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

pub fn new_span() -> u64 {
    random().max(1)
}

pub fn new_trace() -> u128 {
    (u128::from(random()) << 64 | u128::from(random())).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn a_parent_is_read_strictly() {
        let read = |text: &str| Parent::parse(text.as_bytes());
        let parent = |sampled| {
            Some(Parent { trace: 0x0af7651916cd43dd8448eb211c80319c, span: 0xb7ad6b7169203331, sampled })
        };
        for (flags, sampled) in [("00", false), ("01", true), ("02", false), ("03", true), ("ff", true)] {
            assert_eq!(read(&format!("00-{TRACE}-{SPAN}-{flags}")), parent(sampled), "{flags}");
        }
        // A later version: what is known of it counts.
        for text in [
            format!("01-{TRACE}-{SPAN}-01"),
            format!("cc-{TRACE}-{SPAN}-01-what-is-to-come"),
            format!("fe-{TRACE}-{SPAN}-01-"),
        ] {
            assert_eq!(read(&text), parent(true), "{text}");
        }
        let (zeros, upper) = ("0".repeat(32), TRACE.to_uppercase());
        for text in [
            String::new(),
            "00".to_owned(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01-"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("01-{TRACE}-{SPAN}-01.more"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!("00-{TRACE}-{SPAN}-0g"),
            format!("00-{TRACE}-{SPAN}-0A"),
            format!("00-{zeros}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", &zeros[..16]),
            format!("00-{upper}-{SPAN}-01"),
            format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
            format!("0-{TRACE}-{SPAN}-01"),
            format!("0x-{TRACE}-{SPAN}-01"),
            format!("00_{TRACE}_{SPAN}_01"),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{TRACE}0-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01"),
            format!("00-+{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{}é-{SPAN}-01", &TRACE[2..]),
        ] {
            assert_eq!(read(&text), None, "{text:?}");
        }
        let text = format!("00-{TRACE}-{SPAN}-01");
        assert_eq!(read(&text).unwrap().text(), text.as_bytes());
    }

    #[test]
    fn a_state_is_passed_on_within_bounds() {
        let read = |headers: &[&str]| state(headers.iter().map(|header| header.as_bytes()));
        let kept = |headers: &[&str], expected: &str| assert_eq!(read(headers).as_deref(), Some(expected));
        kept(&["rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"], "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
        kept(&["a=1", " b=2\t, ,c=3"], "a=1,b=2,c=3");
        kept(&["0tenant@vendor=x y~", "a_-*/9=!"], "0tenant@vendor=x y~,a_-*/9=!");
        for bad in [
            "", " , ", "a", "=1", "a=", "A=1", "1a=1", "a@=1", "@a=1", "a@b@c=1", "t@0v=1", "a=b=c", "a=é",
            "a=\u{7f}", "a b=1", "a=1,B=2",
        ] {
            assert_eq!(read(&[bad]), None, "{bad:?}");
        }
        assert_eq!(read(&[&format!("{}=1", "k".repeat(257))]), None);
        assert_eq!(read(&[&format!("k={}", "v".repeat(257))]), None);
        assert_eq!(read(&[&format!("t@{}=1", "v".repeat(15))]), None);

        let members: Vec<_> = (0..33).map(|n| format!("k{n}=1")).collect();
        assert_eq!(read(&[&members.join(",")]), None);
        assert_eq!(read(&[&members[1..].join(",")]), Some(members[1..].join(",")));
        // The long one goes, and then what is last.
        let long = format!("long={}", "v".repeat(200));
        let short: Vec<_> = (0..10).map(|n| format!("k{n}={}", "v".repeat(57))).collect();
        let all = [&[long], &short[..]].concat();
        assert_eq!(read(&[&all.join(",")]), Some(short[..8].join(",")));
    }

    #[test]
    fn ids_differ() {
        let ids: std::collections::BTreeSet<_> = (0..10_000).map(|_| new_trace()).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
