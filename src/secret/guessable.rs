//! Secrets that are none: examples, repeated patterns, rows of neighbours, usual words, and what an estimator of passwords finds soon.
//!
//! What a generator makes is never taken for one of them, be it written in hexadecimal, base64 or digits: each rule below asks
//! for so much that of 2^20 random texts of 32 characters none meets it.

mod words;

use words::{PUBLISHED, USUAL_WORDS};
use zxcvbn::zxcvbn;

/// Characters beside usual words that a secret must have: 60 bits of hexadecimal.
const REST: usize = 15;

/// Different bytes that it must have.
const DIFFERENT: usize = 6;

/// Guesses below which a secret is found soon, as a power of two. Of random texts of 32 characters, those of base64 come nearest: of
/// thousands, none to 2^90.
const FOUND_WITHIN: f64 = 64.0;

/// Letters of the longest word that is looked for.
const LONGEST_WORD: usize = 12;

/// As a power of two, the guesses that one more character takes at least, and a word of three or more: which of all it is has to be
/// guessed, too. They are the estimator's own.
const CHARACTER: f64 = 3.5;
const WORD: f64 = 5.6;

/// Characters that are looked at.
const LOOKED_AT: usize = 100;

pub fn is_guessable(secret: &[u8]) -> bool {
    is_a_pattern(secret) || std::str::from_utf8(secret).is_ok_and(is_found_soon)
}

fn is_a_pattern(secret: &[u8]) -> bool {
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

/// Whether the words, names, dates, rows of keys and other letters that the text is made of are all guessed within [`FOUND_WITHIN`].
/// Of all ways to take it apart, the one counts that takes the fewest guesses; the estimator, asked for the whole, overflows. In
/// digits, also hexadecimal ones, there is a date everywhere, and no word that is not among the usual.
fn is_found_soon(text: &str) -> bool {
    let characters: Vec<_> = text.chars().take(LOOKED_AT).collect();
    if characters.iter().all(char::is_ascii_hexdigit) {
        return false;
    }
    let length = characters.len();
    // What it takes to come as far as this.
    let mut least = vec![f64::INFINITY; length + 1];
    least[0] = 0.0;
    for from in 0..length {
        // Each way leads by one of these.
        if least[from..].iter().take(LONGEST_WORD).all(|bits| *bits >= FOUND_WITHIN) {
            return false;
        }
        least[from + 1] = least[from + 1].min(least[from] + CHARACTER);
        for to in from + 3..=length.min(from + LONGEST_WORD) {
            let word: String = characters[from..to].iter().collect();
            let guesses = zxcvbn(&word, &[]).guesses() as f64;
            least[to] = least[to].min(least[from] + guesses.log2().max(WORD));
        }
    }
    least[length] < FOUND_WITHIN
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
    use proptest::prelude::*;

    use super::{is_a_pattern, is_found_soon, is_guessable};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// As generators write what is random.
    fn written(bytes: &[u8; 32]) -> [String; 8] {
        [
            hex(bytes),
            hex(bytes).to_uppercase(),
            hex(&bytes[..16]),
            BASE64_STANDARD.encode(bytes),
            BASE64_URL_SAFE_NO_PAD.encode(bytes),
            BASE64_URL_SAFE_NO_PAD.encode(&bytes[..24]),
            bytes.iter().map(|byte| char::from(b'0' + byte % 10)).collect(),
            bytes.iter().map(|byte| char::from(b'!' + byte % 94)).collect(),
        ]
    }

    proptest! {
        // The estimator takes its time.
        #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_a_generator_makes_is_not_found_soon(bytes in any::<[u8; 32]>().no_shrink()) {
            for text in written(&bytes) {
                prop_assert!(!is_found_soon(&text), "{text}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_a_generator_makes_is_none(
            // Made smaller, it would be no generator's any more.
            bytes in any::<[u8; 32]>().no_shrink(),
            prefixed: bool,
        ) {
            for text in written(&bytes) {
                let text = if prefixed { format!("portcullis-secret-key-{text}") } else { text };
                prop_assert!(!is_a_pattern(text.as_bytes()), "{text}");
            }
            prop_assert!(!is_a_pattern(&bytes));
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
            "mysupersecretkeythatisverylongandsecure",
            "Sup3rS3cr3tK3yF0rPr0duct10nUse!!",
            "correct horse battery staple correct horse",
            "1q2w3e4r5t6y7u8i9o0p1q2w3e4r5t6y",
            "thequickbrownfoxjumpsoverthelazydog",
            "iamthebestprogrammerintheworldhaha",
            "ThisIsTheSecretOfOurCompanyServer2026",
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
        // Neither is all that is beyond ASCII.
        assert!(!is_guessable("прялка·вереск·зубило·кобчик·мольба".as_bytes()));
    }
}
