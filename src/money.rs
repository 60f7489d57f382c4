//! Money in integer nano-USD: no float ever meets a budget, and every rounding goes up.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::str::FromStr;

use bytes::BufMut;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use price::{Price, Rates};

mod price;

/// Nano-USD in one US dollar.
const NANOS_PER_USD: i64 = 1_000_000_000;

/// An amount in nano-USD (1e-9 US dollar). Sums saturate instead of wrapping: i64 holds ± 9.2 billion dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct NanoUsd(pub i64);

impl NanoUsd {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The amount in US dollars, for metrics and display only.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "display and counters tolerate rounding beyond 2^53 nano-USD")]
    pub fn as_usd(self) -> f64 {
        self.0 as f64 / NANOS_PER_USD as f64
    }
}

impl Add for NanoUsd {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for NanoUsd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for NanoUsd {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl NanoUsd {
    /// Appends what `Display` shows, without the formatting machinery: every answer has a cost in its head.
    pub fn write(self, into: &mut impl BufMut) {
        if self.0 < 0 {
            into.put_u8(b'-');
        }
        let nanos = self.0.unsigned_abs();
        let (whole, mut rest) = (nanos / NANOS_PER_USD.unsigned_abs(), nanos % NANOS_PER_USD.unsigned_abs());
        into.put_slice(itoa::Buffer::new().format(whole).as_bytes());
        if rest == 0 {
            return;
        }
        let mut digits = [b'0'; 10];
        digits[0] = b'.';
        let mut end = digits.len();
        for place in (1..digits.len()).rev() {
            let digit = u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
            digits[place] = b'0' + digit;
            if digit == 0 && end == place + 1 {
                end = place;
            }
        }
        into.put_slice(&digits[..end]);
    }
}

/// Plain decimal dollars without trailing zeros: `0.00042`, never an exponent.
impl fmt::Display for NanoUsd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::with_capacity(24);
        self.write(&mut text);
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

/// Why a decimal is no amount of money.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not digits with at most one point.
    #[error("`{0}` is not a decimal number of US dollars")]
    NotDecimal(String),
    /// Finer than a nano-dollar, or beyond what 64 bits hold.
    #[error("`{0}` has more than nine decimals or is too large")]
    OutOfRange(String),
}

impl FromStr for NanoUsd {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let Some((whole, fraction)) = decimal(text) else {
            return Err(MoneyError::NotDecimal(text.to_owned()));
        };
        if fraction.len() > 9 {
            return Err(MoneyError::OutOfRange(text.to_owned()));
        }
        format!("{whole}{fraction:0<9}").parse().map(Self).map_err(|_| MoneyError::OutOfRange(text.to_owned()))
    }
}

/// The digits before and after the point of a plain decimal.
fn decimal(text: &str) -> Option<(&str, &str)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    ((!whole.is_empty() || !fraction.is_empty()) && digits(whole) && digits(fraction)).then_some((whole, fraction))
}

/// A decimal as JSON writes numbers (`1.5e-07`), times ten to the power of `shift`, rounded up: digit by digit, for no
/// float holds a tenth.
///
/// # Errors
/// It is none, is below zero, or is too large.
pub fn scaled(text: &str, shift: i32) -> Result<i64, MoneyError> {
    let not_decimal = || MoneyError::NotDecimal(text.to_owned());
    let too_large = || MoneyError::OutOfRange(text.to_owned());
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().map_err(|_| not_decimal())?;
    let (whole, fraction) = decimal(digits).ok_or_else(not_decimal)?;
    // Beyond this many places nothing is left, or nothing fits.
    let point = (whole.len() as i64) + i64::from(exponent) + i64::from(shift);
    let digits = [whole, fraction].concat();
    let mut kept: i64 = 0;
    let mut more = false;
    for (place, digit) in (0..).zip(digits.bytes().map(|byte| i64::from(byte - b'0'))) {
        if place < point {
            kept = kept.checked_mul(10).and_then(|kept| kept.checked_add(digit)).ok_or_else(too_large)?;
        } else {
            more |= digit != 0;
        }
    }
    for _ in (digits.len() as i64)..point {
        if kept == 0 {
            break;
        }
        kept = kept.checked_mul(10).ok_or_else(too_large)?;
    }
    kept.checked_add(i64::from(more)).ok_or_else(too_large)
}

/// A price in nano-USD per million tokens: fine enough for the cheapest list prices, still an integer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(pub i64);

impl Rate {
    /// Tokens in the unit that providers quote prices for.
    pub const UNIT: i64 = 1_000_000;

    /// From US dollars per million tokens, as price lists state them.
    #[must_use]
    pub const fn per_million(usd: NanoUsd) -> Self {
        Self(usd.0)
    }

    /// From US dollars per token, as LiteLLM's list states them: `1.5e-07`.
    ///
    /// # Errors
    /// It is no decimal above or at zero, or too large.
    pub fn per_token(usd: &str) -> Result<Self, MoneyError> {
        // Nine places to nano-dollars, six to a million tokens.
        scaled(usd, 15).map(Self)
    }

    /// What `tokens` cost, rounded up to the next nano-USD.
    #[must_use]
    #[inline]
    pub fn cost(self, tokens: u64) -> NanoUsd {
        // Every request takes this way several times; 128 bits are divided in software, and hardly ever needed.
        if let Some(exact) = i64::try_from(tokens).ok().and_then(|tokens| self.0.checked_mul(tokens)) {
            if let Ok(exact) = u64::try_from(exact) {
                return NanoUsd(exact.div_ceil(Self::UNIT.unsigned_abs()).cast_signed());
            }
            return NanoUsd(exact.div_euclid(Self::UNIT) + i64::from(exact.rem_euclid(Self::UNIT) != 0));
        }
        let exact = i128::from(self.0) * i128::from(tokens);
        let unit = i128::from(Self::UNIT);
        let up = exact.div_euclid(unit) + i128::from(exact.rem_euclid(unit) != 0);
        NanoUsd(i64::try_from(up).unwrap_or(i64::MAX))
    }

    /// US dollars per million tokens.
    #[must_use]
    pub fn as_usd(self) -> f64 {
        NanoUsd(self.0).as_usd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_a_nano_dollar_is_rounded_up() {
        let rate = Rate::per_million("0.55".parse().unwrap());
        assert_eq!(rate.cost(1), NanoUsd(550));
        assert_eq!(Rate(1).cost(1), NanoUsd(1), "rounding goes against the budget");
        assert_eq!(Rate(1).cost(1_000_001), NanoUsd(2));
        assert_eq!(rate.cost(0), NanoUsd::ZERO);
        assert_eq!(Rate(i64::MAX).cost(1_000_000), NanoUsd(i64::MAX), "also beyond 64 bits");
        assert_eq!(Rate(2).cost(u64::MAX), NanoUsd(36_893_488_147_420));
        assert_eq!(rate.cost(u64::MAX), NanoUsd(i64::MAX), "and no further than can be held");
    }

    #[test]
    fn dollars_are_read_and_shown_without_floats() {
        for text in ["0.55", "1000", "0.000000001", "12.5"] {
            assert_eq!(text.parse::<NanoUsd>().unwrap().to_string(), text);
        }
        assert_eq!(NanoUsd(-1_500_000_000).to_string(), "-1.5");
        assert!(matches!("1e3".parse::<NanoUsd>(), Err(MoneyError::NotDecimal(_))));
        assert!(matches!("".parse::<NanoUsd>(), Err(MoneyError::NotDecimal(_))));
        assert!(matches!("0.0000000001".parse::<NanoUsd>(), Err(MoneyError::OutOfRange(_))));
        assert!(matches!("99999999999999999999".parse::<NanoUsd>(), Err(MoneyError::OutOfRange(_))));
    }

    #[test]
    fn scientific_notation_loses_no_digit() {
        for (text, nanos) in [
            ("1.5e-07", 150_000_000),
            ("15E-8", 150_000_000),
            ("0.00000015", 150_000_000),
            ("0", 0),
            ("0e999", 0),
            ("0.0", 0),
            ("3e+0", 3_000_000_000_000_000),
            // 0.1 + 0.2 has no exact float.
            ("3.00000000000001e-07", 300_000_001),
            ("1.0000000000000001e-07", 100_000_001),
            ("1e-999", 1),
        ] {
            assert_eq!(Rate::per_token(text), Ok(Rate(nanos)), "{text}");
        }
        for text in ["", "-1e-7", "e-7", ".", "1e", "1e-7x", "NaN", "1e99999999999"] {
            assert!(matches!(Rate::per_token(text), Err(MoneyError::NotDecimal(_))), "{text}");
        }
        for text in ["1e9", "1e2147483647"] {
            assert!(matches!(Rate::per_token(text), Err(MoneyError::OutOfRange(_))), "{text}");
        }
    }

    #[test]
    fn sums_saturate() {
        assert_eq!(NanoUsd(i64::MAX) + NanoUsd(1), NanoUsd(i64::MAX));
    }
}
