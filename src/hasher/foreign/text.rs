//! What the texts of hashes are made of.

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine};

/// With padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A number in decimal digits, and nothing else.
pub fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// base64 in its usual alphabet, in that for URLs, or in passlib's, which has `.` for `+`.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let usual = |c| match c {
        '-' | '.' => '+',
        '_' => '/',
        other => other,
    };
    BASE64.decode(text.chars().map(usual).collect::<String>()).ok()
}

/// Hexadecimal, in lower case.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?));
    rest.is_empty().then(|| bytes.collect())?
}

/// Exactly `N` fields.
pub fn fields<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    text.split(separator).collect::<Vec<_>>().try_into().ok()
}

/// The values of exactly these parameters, `m=65536,t=3,p=4`, in this order.
pub fn parameters<'t, const N: usize>(text: &'t str, names: [&str; N]) -> Option<[&'t str; N]> {
    let mut values = fields::<N>(text, ',')?;
    for (value, name) in values.iter_mut().zip(names) {
        *value = value.strip_prefix(name)?.strip_prefix('=')?;
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_nothing_but_digits() {
        assert_eq!(number("0012"), Some(12));
        assert_eq!(number("4294967295"), Some(u32::MAX));
        for bad in ["", "+1", "-1", " 1", "1 ", "0x1", "١", "4294967296"] {
            assert_eq!(number(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn every_alphabet_of_base64_is_read() {
        for text in ["+/8=", "-_8=", "+/8", "./8"] {
            assert_eq!(base64(text), Some(vec![0xfb, 0xff]), "{text}");
        }
        for bad in ["+/8==", "+", "+/9", "é", "+/8=\n"] {
            assert_eq!(base64(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn hexadecimal() {
        assert_eq!(hex("00ff1a"), Some(vec![0, 255, 26]));
        for bad in ["0", "0g", "FF", "+1", "ä"] {
            assert_eq!(hex(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn parameters_are_all_there_and_in_order() {
        assert_eq!(parameters("m=64,t=,p=a=b", ["m", "t", "p"]), Some(["64", "", "a=b"]));
        for bad in ["m=1,p=2", "p=2,m=1,t=3", "m=1,t=2,p=3,x=4", "m1,t=2,p=3", ""] {
            assert_eq!(parameters(bad, ["m", "t", "p"]), None, "{bad:?}");
        }
    }
}
