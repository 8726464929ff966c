//! Secrets that are none: examples, repeated patterns, rows of neighbours, usual words.
//!
//! What a generator makes is never taken for one of them, be it written in hexadecimal, base64 or digits: each rule below asks
//! for so much that of 2^20 random texts of 32 characters none meets it.

/// What anyone can look up: of a tutorial's page, and what SHA-256 makes of nothing and of the most usual words.
const PUBLISHED: [&str; 6] = [
    // FastAPI's tutorial on OAuth2 with JWT.
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
    "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "8c6976e5b5410415bde908bd4dee15dfb167a9c873fc4bb8a81f6f2ab448a918",
];

/// What people write where they mean to put a secret later. In small letters, the longer first where one is in another.
const USUAL_WORDS: [&str; 78] = [
    "0123456789",
    "1234567890",
    "123456789",
    "12345678",
    "123456",
    "abcdefghijklmnopqrstuvwxyz",
    "abcdef",
    "qwertyuiop",
    "qwerty",
    "asdfghjkl",
    "zxcvbnm",
    "deadbeef",
    "cafebabe",
    "feedface",
    "administrator",
    "authentication",
    "characters",
    "production",
    "development",
    "portcullis",
    "placeholder",
    "temporary",
    "signing",
    "encryption",
    "insecure",
    "password",
    "passphrase",
    "example",
    "replace",
    "default",
    "changeit",
    "changeme",
    "changed",
    "change",
    "generate",
    "openssl",
    "output",
    "insert",
    "should",
    "letmein",
    "iloveyou",
    "welcome",
    "another",
    "minimum",
    "please",
    "random",
    "rand",
    "secret",
    "sample",
    "string",
    "testing",
    "unsafe",
    "bytes",
    "local",
    "token",
    "super",
    "least",
    "admin",
    "value",
    "dummy",
    "hello",
    "bench",
    "long",
    "asap",
    "with",
    "must",
    "here",
    "test",
    "demo",
    "this",
    "that",
    "your",
    "some",
    "key",
    "hex",
    "jwt",
    "not",
    "dev",
];

/// Characters beside usual words that a secret must have: 60 bits of hexadecimal.
const REST: usize = 15;

/// Different bytes that it must have.
const DIFFERENT: usize = 6;

pub fn is_guessable(secret: &[u8]) -> bool {
    let text = secret.to_ascii_lowercase();
    // The row of bytes is none of characters.
    let is_a_row_of_bytes = decoded(&text).is_some_and(|bytes| is_a_row(&bytes));
    has_few_bytes(secret)
        || repeats(&text)
        || is_a_row(&text)
        || is_a_row_of_bytes
        || is_made_of_words(&text)
        || PUBLISHED.iter().any(|published| text == published.as_bytes())
}

/// The bytes that hexadecimal stands for.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    let byte = |pair: &[u8]| match pair {
        [high, low] => {
            let digit = |character: &u8| char::from(*character).to_digit(16);
            u8::try_from(digit(high)? * 16 + digit(low)?).ok()
        }
        _ => None,
    };
    text.chunks(2).map(byte).collect()
}

fn has_few_bytes(secret: &[u8]) -> bool {
    let mut bytes = secret.to_vec();
    bytes.sort_unstable();
    bytes.dedup();
    bytes.len() < DIFFERENT
}

/// A pattern twice or more, the last time perhaps cut short; three of four characters do, as of a word with one year after another.
fn repeats(text: &[u8]) -> bool {
    (1..=text.len() / 2).any(|period| {
        let same = text.iter().zip(&text[period..]).filter(|(one, next)| one == next).count();
        same * 4 >= (text.len() - period) * 3
    })
}

/// Three of four characters are the neighbours of the one before, or the same.
fn is_a_row(text: &[u8]) -> bool {
    let near = text.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 1).count();
    near * 4 >= text.len().saturating_sub(1) * 3
}

/// With what usually stands between words.
fn is_made_of_words(text: &[u8]) -> bool {
    let mut rest = text.escape_ascii().to_string();
    for word in USUAL_WORDS {
        rest = rest.replace(word, " ");
    }
    rest.chars().filter(|character| !" -_.,:;!?/+=".contains(*character)).count() < REST
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
    use proptest::prelude::*;

    use super::is_guessable;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_a_generator_makes_is_none(
            // Made smaller, it would be no generator's any more.
            bytes in any::<[u8; 32]>().no_shrink(),
            prefixed: bool,
        ) {
            let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            let digits: String = bytes.iter().map(|byte| char::from(b'0' + byte % 10)).collect();
            for text in [
                hex(&bytes),
                hex(&bytes).to_uppercase(),
                hex(&bytes[..16]),
                BASE64_STANDARD.encode(bytes),
                BASE64_URL_SAFE_NO_PAD.encode(bytes),
                BASE64_URL_SAFE_NO_PAD.encode(&bytes[..24]),
                digits,
                bytes.iter().map(|byte| char::from(b'!' + byte % 94)).collect(),
            ] {
                let text = if prefixed { format!("portcullis-secret-key-{text}") } else { text };
                prop_assert!(!is_guessable(text.as_bytes()), "{text}");
            }
            prop_assert!(!is_guessable(&bytes));
        }
    }

    #[test]
    fn what_people_write_until_they_have_one_is() {
        for text in [
            &"x".repeat(32),
            &"changeme".repeat(4),
            &"hunter2".repeat(8),
            &"abc123".repeat(6),
            "change-me-change-me-please-change-me",
            "CHANGE_ME_TO_A_LONG_RANDOM_STRING",
            "your-super-secret-jwt-key-change-in-production",
            "this-is-a-very-long-secret-key-at-least-32-bytes",
            "0123456789abcdef0123456789abcdef",
            "abcdefghijklmnopqrstuvwxyz012345",
            "abcdefghijklmnopqrstuvwxyzABCDEF",
            "12345678901234567890123456789012",
            "secretsecretsecretsecretsecretsecret!",
            "development-secret-key-not-for-production",
            // A tutorial's.
            "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
            // SHA-256 of nothing.
            "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "deadbeefdeadbeefdeadbeefcafebabe",
            "<output of openssl rand -hex 32>",
            "REPLACE_WITH_OPENSSL_RAND_HEX_32_OUTPUT",
            "ThisIsASecretKeyThatShouldBeChangedASAP",
            "asdfghjklqwertyuiopzxcvbnm123456",
            "letmein-letmein-letmein-letmein!",
            "iloveyou2020iloveyou2021iloveyou2022",
            "Summer2026!Summer2026?Summer2026.",
            // Those of this project's own tests and examples.
            "test-key-not-secret-0123456789ab",
            "new-key-not-secret-0123456789abc",
            "another-key-not-secret-0123456789",
            "wrong-key-not-secret-0123456789ab",
            "bench-key-not-secret-0123456789ab",
            "for-this-example-alonefor-this-example-alone",
        ] {
            assert!(is_guessable(text.as_bytes()), "{text}");
        }
        // A good passphrase.
        assert!(!is_guessable(b"orchid tundra pewter gondola mizzen quartz"));
    }
}
