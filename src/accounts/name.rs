//! What names may look like. Each keeps what was typed beside the key by which it is compared.

use email_address::{EmailAddress as Parser, Options};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::error::Broken;

/// A username: 3 to 64 of `A-Z a-z 0-9 . _ -`, first a letter or digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username {
    typed: String,
    key: String,
}

/// An e-mail address of at most 254 characters (RFC 5321, with RFC 6531's characters).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailAddress {
    typed: String,
    key: String,
}

/// A display name: at most 100 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

/// What a role is for: at most 200 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleDescription(String);

/// What [`role_name`] takes.
pub const ROLE_NAME: &str = "the name of a role: 1 to 32 of a-z, 0-9, _ and -";

/// A text that may be the name of a role.
pub fn role_name(text: &str) -> Option<String> {
    let allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    ((1..=32).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.to_owned())
}

impl Username {
    pub fn parse(text: &str) -> Result<Username, Broken> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if !text.bytes().all(allowed) || !text.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            let rule = "Use A-Z, a-z, 0-9, `.`, `_` and `-`, and start with a letter or digit.";
            return Err(Broken::new("invalid", rule));
        }
        match text.len() {
            ..3 => Err(Broken::new("too_short", "Use 3 to 64 characters.")),
            65.. => Err(Broken::new("too_long", "Use 3 to 64 characters.")),
            _ => Ok(Username { typed: text.to_owned(), key: Self::key_of(text) }),
        }
    }

    /// The key under which a name is found, also one that could not be registered.
    pub fn key_of(text: &str) -> String {
        text.to_ascii_lowercase()
    }

    /// As typed, and its key.
    pub fn parts(&self) -> (&str, &str) {
        (&self.typed, &self.key)
    }
}

impl EmailAddress {
    const MAX_CHARACTERS: usize = 254;

    pub fn parse(text: &str) -> Result<EmailAddress, Broken> {
        if text.chars().count() > Self::MAX_CHARACTERS {
            return Err(Broken::new("too_long", "Use at most 254 characters."));
        }
        // `Name <address>` and `user@[192.0.2.1]` are addresses to a mail program, not names of an account.
        let options = Options::default().without_display_text().without_domain_literal();
        // The parser takes letters of any script, but not the marks that many are written with.
        let letters: String = text.chars().map(|c| if is_combining_mark(c) { 'ä' } else { c }).collect();
        match Parser::parse_with_options(&letters, options) {
            // A quoted name (`"a b"@…`) is another spelling of a plain one, or one that few mail servers take.
            Ok(_) if !text.chars().any(char::is_control) && !text.starts_with('"') => {
                Ok(EmailAddress { typed: text.to_owned(), key: Self::key_of(text) })
            }
            _ => Err(Broken::new("invalid", "This is not an e-mail address, such as user@example.com.")),
        }
    }

    /// The key under which an address is found.
    pub fn key_of(text: &str) -> String {
        text.nfc().collect::<String>().to_lowercase()
    }

    /// As typed, and its key.
    pub fn parts(&self) -> (&str, &str) {
        (&self.typed, &self.key)
    }
}

impl DisplayName {
    pub fn parse(text: &str) -> Result<DisplayName, Broken> {
        one_line(text, 100).map(DisplayName)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RoleDescription {
    pub fn parse(text: &str) -> Result<RoleDescription, Broken> {
        one_line(text, 200).map(RoleDescription)
    }

    /// Whether it says nothing, and so is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn one_line(text: &str, longest: usize) -> Result<String, Broken> {
    if text.chars().any(char::is_control) {
        return Err(Broken::new("invalid", "Use no control characters."));
    }
    if text.chars().count() > longest {
        return Err(Broken::new("too_long", format!("Use at most {longest} characters.")));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn usernames() {
        for good in ["abc", "A.b_c-9", "9lives", &"x".repeat(64)] {
            assert_eq!(Username::parse(good).unwrap().parts(), (good, good.to_lowercase().as_str()));
        }
        for (bad, code) in [
            ("", "invalid"),
            ("ab", "too_short"),
            (&"x".repeat(65), "too_long"),
            (".abc", "invalid"),
            ("a b", "invalid"),
            ("a@b.c", "invalid"),
            ("naïve", "invalid"),
            ("abc\n", "invalid"),
        ] {
            assert_eq!(Username::parse(bad).unwrap_err().code, code, "{bad:?}");
        }
    }

    #[test]
    fn addresses() {
        let longest = format!("{}@{}.example.com", "x".repeat(64), "d".repeat(60));
        for good in [
            "a@example.com",
            "First.Last+tag@sub.example.co",
            "o'neill@example.com",
            "ü@exämple.com",
            &longest,
        ] {
            assert_eq!(EmailAddress::parse(good).unwrap().parts().0, good);
        }
        assert_eq!(EmailAddress::parse("Ä@Example.COM").unwrap().parts().1, "ä@example.com");
        for bad in [
            "",
            "a",
            "@example.com",
            "a@",
            "a b@example.com",
            "a@b@c",
            "a@exam ple.com",
            "a@.com",
            "a..b@example.com",
            "a@-example.com",
            "A <a@example.com>",
            "a@[192.0.2.1]",
            "a@example.com\r\nbcc: b@example.com",
            &format!("a@{}com", "d.".repeat(130)),
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_username_is_accepted_exactly_by_its_rule(text in ".{0,70}|[A-Za-z0-9._-]{1,70}") {
            let rule = text.len() >= 3 && text.len() <= 64
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
                && text.as_bytes()[0].is_ascii_alphanumeric();
            prop_assert_eq!(Username::parse(&text).is_ok(), rule);
        }

        #[test]
        fn an_accepted_address_is_one_line_with_an_at_and_keeps_its_spelling(text in "\\PC{0,300}|[a-z.+@\"<> -]{1,40}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert!(text.contains('@') && text.chars().count() <= 254);
                prop_assert!(!text.contains(['\r', '\n', '\0']));
                prop_assert_eq!(address.parts().0, text);
            }
        }
    }
}
