//! `number ** n`, as Python reckons: whole numbers exactly, others as floating point.

use num_bigint::{BigInt, Sign};

/// Digits of a whole number at most: what Python itself reads and writes as a text.
const MAX_DIGITS: usize = 4300;

/// A little more than a digit has: what has more bits than that has too many digits.
const BITS_A_DIGIT: f64 = 3.33;

/// A number in decimal.
#[derive(Debug)]
pub struct Number {
    float: f64,
    whole: Option<BigInt>,
}

impl Number {
    /// `None` where it is no finite number.
    pub fn parse(text: &str) -> Option<Number> {
        let float = text.parse().ok().filter(|float: &f64| float.is_finite())?;
        // What is finite in floating point has some 300 digits, zeros in front aside.
        let whole = if text.len() <= MAX_DIGITS { text.parse().ok() } else { None };
        Some(Number { float, whole })
    }
}

/// The power as JSON has a number; `None` where it is none, is not finite, or is too long.
pub fn power(number: &Number, n: &Number) -> Option<String> {
    match (&number.whole, &n.whole) {
        (Some(base), Some(exponent)) if exponent.sign() != Sign::Minus => whole(base, exponent),
        _ => serde_json::Number::from_f64(number.float.powf(n.float)).map(|power| power.to_string()),
    }
}

fn whole(base: &BigInt, exponent: &BigInt) -> Option<String> {
    let power = if base.magnitude().bits() <= 1 {
        // 0, 1 and -1 are themselves again with every other step.
        base.pow(if exponent.sign() == Sign::NoSign { 0 } else { 2 - u32::from(exponent.bit(0)) })
    } else {
        let exponent = u32::try_from(exponent).ok()?;
        let least_bits = (base.bits() - 1) as f64 * f64::from(exponent);
        if least_bits > MAX_DIGITS as f64 * BITS_A_DIGIT {
            return None;
        }
        base.pow(exponent)
    };
    let text = power.to_string();
    (text.trim_start_matches('-').len() <= MAX_DIGITS).then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(number: &str, n: &str) -> Option<String> {
        power(&Number::parse(number)?, &Number::parse(n)?)
    }

    #[test]
    fn whole_numbers_are_exact() {
        for (number, n, expected) in [
            ("2", "3", "8"),
            ("-2", "3", "-8"),
            ("2", "64", "18446744073709551616"),
            ("3", "100", "515377520732011331036461129765621272702107522001"),
            ("0", "0", "1"),
            ("0", "5", "0"),
            ("-1", "99999999999999999999", "-1"),
            ("-1", "100000000000000000000", "1"),
            ("1", "99999999999999999999", "1"),
            ("7", "0", "1"),
            ("+2", "+2", "4"),
        ] {
            assert_eq!(of(number, n).as_deref(), Some(expected), "{number} ** {n}");
        }
        let longest = of("10", "4299").unwrap();
        assert_eq!(longest.len(), 4300);
        assert_eq!(of("10", "4300"), None);
        assert_eq!(of("-10", "4299").unwrap().len(), 4301);
        assert_eq!(of("2", "4294967295"), None);
        assert_eq!(of("2", "99999999999999999999"), None);
    }

    #[test]
    fn others_are_floating_point() {
        for (number, n, expected) in [
            ("2", "-1", Some("0.5")),
            ("2.0", "3", Some("8.0")),
            ("9", "0.5", Some("3.0")),
            ("1e2", "2", Some("10000.0")),
            // Python's would be complex, a division by zero, and an overflow.
            ("-8", "0.5", None),
            ("0", "-1", None),
            ("10.0", "309", None),
        ] {
            assert_eq!(of(number, n).as_deref(), expected, "{number} ** {n}");
        }
        for text in ["", "x", "inf", "-inf", "nan", "1e999", "0x10", "1,5", " 1", "1_000"] {
            assert!(Number::parse(text).is_none(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn it_is_what_64_bits_have(number in -30_i64..30, n in 0_u32..13) {
            prop_assert_eq!(of(&number.to_string(), &n.to_string()), Some(number.pow(n).to_string()));
        }

        #[test]
        fn no_text_is_a_panic(number in "[-+0-9.e]{0,12}", n in "[-+0-9.e]{0,12}") {
            let _ = of(&number, &n);
        }
    }
}
