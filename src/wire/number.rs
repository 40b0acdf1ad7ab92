//! Numbers as servers print and read them.
//!
//! RDB keeps many numbers as text, and keeps many texts as numbers: an integer string is stored as
//! one to four binary bytes, the scores of old sorted sets are ASCII. Going from one to the other
//! must give the very bytes the server would give, so the rules here are the servers', not Rust's.

use std::io::Write;
use std::num::FpCategory;

use super::cursor::part;

/// A place to print an integer into, for reuse from one number to the next.
///
/// ```
/// use redkeep::wire::number::Digits;
/// let mut digits = Digits::new();
/// assert_eq!(digits.format(0), b"0");
/// assert_eq!(digits.format(i64::MIN), b"-9223372036854775808");
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Digits {
    // Ten pairs of digits, and one more so that a sign always has a place.
    pairs: [[u8; 2]; 11],
}

impl Digits {
    /// An empty place.
    #[must_use]
    pub const fn new() -> Self {
        Digits { pairs: [[0; 2]; 11] }
    }

    /// The canonical decimal form of `n`: what an integer-encoded string reads as.
    #[inline]
    pub fn format(&mut self, n: i64) -> &[u8] {
        let (mut rest, mut at) = (n.unsigned_abs(), self.pairs.len() * 2);
        for pair in self.pairs.iter_mut().rev() {
            let two = u8::try_from(rest % 100).unwrap_or_default();
            *pair = [b'0' + two / 10, b'0' + two % 10];
            (rest, at) = (rest / 100, at - 2);
            if rest == 0 {
                at += usize::from(two < 10);
                break;
            }
        }
        let text = self.pairs.as_flattened_mut();
        if n < 0 {
            at -= 1;
            text.get_mut(at).into_iter().for_each(|sign| *sign = b'-');
        }
        text.get(at..).unwrap_or_default()
    }
}

/// Reads the canonical decimal form of an integer, and nothing else.
///
/// The rule is that of the servers' `string2ll`: no `+`, no leading zeros, no `-0`, nothing that
/// does not fit. So `parse_integer(text) == Some(n)` exactly when [`Digits::format`] of `n` is
/// `text`, and a string may be stored as a number without being changed.
///
/// ```
/// use redkeep::wire::number::parse_integer;
/// assert_eq!(parse_integer(b"-17"), Some(-17));
/// assert_eq!(parse_integer(b"+17"), None);
/// assert_eq!(parse_integer(b"9223372036854775808"), None);
/// ```
#[inline]
#[must_use]
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let negative = text.first() == Some(&b'-');
    let ([b'-', digits @ ..] | digits) = text;
    match digits {
        [b'0'] => return (!negative).then_some(0),
        // Nineteen digits cannot overflow the sum below, and twenty do not fit.
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut sum = 0u64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum = sum * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(sum) } else { i64::try_from(sum).ok() }
}

/// Reads a whole text as a double: digits, point and exponent, or `inf`, `infinity`, `nan` in any
/// case, with or without a sign. `None` if anything is left over.
///
/// ```
/// use redkeep::wire::number::parse_double;
/// assert_eq!(parse_double(b"-1e5"), Some(-100_000.0));
/// assert_eq!(parse_double(b"-INF"), Some(f64::NEG_INFINITY));
/// assert_eq!(parse_double(b"1x"), None);
/// ```
#[must_use]
pub fn parse_double(text: &[u8]) -> Option<f64> {
    short_decimal(text).or_else(|| std::str::from_utf8(text).ok()?.parse().ok())
}

/// What nearly all scores are: at most 15 digits with a point among them. Both the digits and the
/// power of ten are then exact doubles, so one division rounds correctly.
#[inline]
fn short_decimal(text: &[u8]) -> Option<f64> {
    const TENS: [f64; 16] =
        [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > 16 {
        return None;
    }
    let (mut value, mut point, mut count) = (0u64, None, 0usize);
    for &byte in digits {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + u64::from(byte - b'0');
                count += 1;
            }
            b'.' if point.is_none() => point = Some(count),
            _ => return None,
        }
    }
    if !(1..=15).contains(&count) {
        return None;
    }
    #[allow(clippy::cast_precision_loss)] // below 10^15: exact
    let value = value as f64 / TENS.get(count - point.unwrap_or(count))?;
    Some(if negative { -value } else { value })
}

/// Reads the double a text begins with, as C's `sscanf("%lg")` does.
///
/// That is how servers read the ASCII scores of sorted sets (value type 3), so a score with junk
/// behind it loads: `1x` is 1. White space before it is skipped, hexadecimal is understood, and
/// `None` means that no number begins here.
///
/// ```
/// use redkeep::wire::number::parse_double_prefix;
/// assert_eq!(parse_double_prefix(b" 1.5e3 apples"), Some(1500.0));
/// assert_eq!(parse_double_prefix(b"0x1.8p3"), Some(12.0));
/// assert_eq!(parse_double_prefix(b"apples"), None);
/// ```
#[must_use]
pub fn parse_double_prefix(text: &[u8]) -> Option<f64> {
    if let Some(value) = short_decimal(text) {
        return Some(value);
    }
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let text = text.get(blanks..)?;
    let negative = text.first() == Some(&b'-');
    let ([b'+' | b'-', text @ ..] | text) = text;
    let size = match text {
        [b'n' | b'N', b'a' | b'A', b'n' | b'N', ..] => f64::NAN,
        [b'i' | b'I', ..] => {
            // A scanner takes one byte back at most: never from "infi" to "inf".
            let pairs = text.iter().zip(b"infinity");
            let same = pairs.take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
            matches!(same, 3 | 8).then_some(f64::INFINITY)?
        }
        [b'0', b'x' | b'X', rest @ ..] => hexadecimal(rest)?,
        _ => {
            let (mantissa, rest) = mantissa(text, 10)?;
            parse_double(part(text, 0, mantissa.len() + exponent(rest, b'e').len()))?
        }
    };
    Some(if negative { -size } else { size })
}

/// What follows `0x`; nothing is an error, and a lone point makes 0 (glibc).
fn hexadecimal(text: &[u8]) -> Option<f64> {
    let (digits, rest) = mantissa(text, 16).filter(|(digits, _)| !digits.is_empty())?;
    let (mut mantissa, mut power, mut step) = (0u64, 0i64, 0);
    for &byte in digits {
        match char::from(byte).to_digit(16).map(u64::from) {
            None => step = -4,
            Some(digit) if mantissa >> 59 == 0 => {
                mantissa = mantissa << 4 | digit;
                power += step;
            }
            // With 60 bits held, a further digit only matters for being zero or not.
            Some(digit) => {
                mantissa |= u64::from(digit != 0);
                power += step + 4;
            }
        }
    }
    if let Some(text) = exponent(rest, b'p').get(1..) {
        let beyond = if text.first() == Some(&b'-') { i64::MIN } else { i64::MAX };
        power = power.saturating_add(std::str::from_utf8(text).ok()?.parse().unwrap_or(beyond));
    }
    // Powers of two are exact, and in steps of 500 only the last can round, to a subnormal.
    let (mut value, mut left) = (mantissa as f64, i32::try_from(power.clamp(-1200, 1200)).ok()?);
    while left != 0 {
        let step = left.clamp(-500, 500);
        value *= 2f64.powi(step);
        left -= step;
    }
    Some(value)
}

/// Splits behind digits with at most one point.
fn mantissa(text: &[u8], radix: u32) -> Option<(&[u8], &[u8])> {
    let mut points = 0;
    let belongs = |byte: &&u8| {
        points += u32::from(**byte == b'.');
        **byte == b'.' && points == 1 || char::from(**byte).is_digit(radix)
    };
    text.split_at_checked(text.iter().take_while(belongs).count())
}

/// The mark, a sign or none, and the digits that `text` begins with; nothing without digits.
fn exponent(text: &[u8], mark: u8) -> &[u8] {
    let ([first, b'+' | b'-', digits @ ..] | [first, digits @ ..]) = text else { return &[] };
    let n = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if n == 0 || !first.eq_ignore_ascii_case(&mark) {
        return &[];
    }
    part(text, 0, text.len() - digits.len() + n)
}

/// Prints a double as servers since Redis 7.2 do, every Valkey included, in replies and listpacks.
///
/// Whole numbers up to 2^62 are printed in full. For others the text reads back as the same double
/// but is not always the shortest: `0.1`, `1.5e+5`, `1e+100`, `-0`, `inf`. Older servers print
/// [`write_double_17`]; `DEBUG DIGEST` has [`write_double_digest`].
///
/// ```
/// let mut text = Vec::new();
/// redkeep::wire::number::write_double(0.1, &mut text);
/// assert_eq!(text, b"0.1");
/// ```
pub fn write_double(value: f64, out: &mut Vec<u8>) {
    let (f, e) = parts(value.abs().to_bits());
    let whole = match e {
        -52..=0 if f.trailing_zeros() >= e.unsigned_abs() => f >> e.unsigned_abs(),
        1..=10 => f << e,
        _ => u64::MAX,
    };
    if whole > 1 << 62 {
        return write_double_digest(value, out);
    }
    let sign = if value < 0.0 { -1 } else { 1 };
    out.extend_from_slice(Digits::new().format(whole.cast_signed() * sign));
}

/// Prints a double as servers since Redis 7.2 do inside: for `DEBUG DIGEST` and in a rewritten AOF.
///
/// Unlike [`write_double`] it has no rule for whole numbers, so that they go over to exponents.
///
/// ```
/// let mut text = Vec::new();
/// redkeep::wire::number::write_double_digest(1e8, &mut text);
/// assert_eq!(text, b"1e+8");
/// ```
pub fn write_double_digest(value: f64, out: &mut Vec<u8>) {
    let Some(bits) = finite_part(value, out) else { return };
    let (decimal, power) = grisu2(bits);
    let mut text = Digits::new();
    let text = text.format(decimal.cast_signed());
    let n = i32::try_from(text.len()).unwrap_or_default();
    let exponent = power + n - 1;
    if power >= 0 && exponent < n + 7 || power < 0 && (power > -7 || exponent.abs() < 4) {
        write_plain(text, power + n, out);
    } else {
        write_scientific(text, exponent, 1, out);
    }
}

/// Prints a double as the text that Redis 8.8 keeps as a floating-point element of an array: with a
/// point or an exponent, for without one it would be an integer there.
pub(crate) fn write_array_float(value: f64, out: &mut Vec<u8>) {
    #[allow(clippy::cast_possible_truncation)] // saturates, and is compared
    let n = value as i64;
    #[allow(clippy::cast_precision_loss)]
    let whole = n as f64 == value && n.unsigned_abs() <= 1 << 62;
    let start = out.len();
    if whole && (n != 0 || value.is_sign_positive()) {
        out.extend_from_slice(Digits::new().format(n));
    } else {
        write_double_digest(value, out);
    }
    if !part(out, start, out.len()).iter().any(|byte| matches!(byte, b'.' | b'e')) {
        out.extend_from_slice(b".0");
    }
}

/// Prints a double as C's `%.17g` does, and so as Redis before 7.2 prints a score.
///
/// ```
/// let mut text = Vec::new();
/// redkeep::wire::number::write_double_17(0.1, &mut text);
/// assert_eq!(text, b"0.10000000000000001");
/// ```
pub fn write_double_17(value: f64, out: &mut Vec<u8>) {
    let Some(bits) = finite_part(value, out) else { return };
    // "d.dddddddddddddddde-308" is the longest, so writing cannot fail.
    let mut text = [0u8; 24];
    let mut left = text.as_mut_slice();
    let _ = write!(left, "{:.16e}", f64::from_bits(bits));
    let end = 24 - left.len();
    let [first, point, ..] = &mut text;
    *point = *first;
    let exponent = parse_integer(part(&text, 19, end)).and_then(|n| i32::try_from(n).ok());
    let zeros = part(&text, 1, 18).iter().rev().take_while(|&&digit| digit == b'0').count();
    let digits = part(&text, 1, 18 - zeros);
    match exponent.unwrap_or_default() {
        exponent @ -4..17 => write_plain(digits, exponent + 1, out),
        exponent => write_scientific(digits, exponent, 2, out),
    }
}

/// Prints the sign and whatever has no digits; returns the bits of the absolute value otherwise.
fn finite_part(value: f64, out: &mut Vec<u8>) -> Option<u64> {
    if value.is_sign_negative() && !value.is_nan() {
        out.push(b'-');
    }
    out.extend_from_slice(match value.classify() {
        FpCategory::Nan => b"nan",
        FpCategory::Infinite => b"inf",
        FpCategory::Zero => b"0",
        _ => return Some(value.abs().to_bits()),
    });
    None
}

/// `digits` with a point before the digit number `point`, and with the zeros that takes.
fn write_plain(digits: &[u8], point: i32, out: &mut Vec<u8>) {
    let Ok(point @ 1..) = usize::try_from(point) else {
        out.extend_from_slice(b"0.");
        out.extend((point..0).map(|_| b'0'));
        return out.extend_from_slice(digits);
    };
    let (whole, behind) = digits.split_at_checked(point).unwrap_or((digits, &[]));
    out.extend_from_slice(whole);
    out.extend(std::iter::repeat_n(b'0', point - whole.len()));
    if !behind.is_empty() {
        out.push(b'.');
        out.extend_from_slice(behind);
    }
}

/// `digits` with a point behind the first, and an exponent of at least `width` digits.
fn write_scientific(digits: &[u8], exponent: i32, width: usize, out: &mut Vec<u8>) {
    write_plain(digits, 1, out);
    out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
    let mut text = Digits::new();
    let text = text.format(i64::from(exponent.unsigned_abs()));
    out.extend(std::iter::repeat_n(b'0', width.saturating_sub(text.len())));
    out.extend_from_slice(text);
}

/// `(f, e)` of a positive double `f * 2^e`.
fn parts(bits: u64) -> (u64, i32) {
    let fraction = bits & ((1 << 52) - 1);
    match i32::try_from(bits >> 52).unwrap_or_default() {
        0 => (fraction, -1074),
        biased => (fraction | 1 << 52, biased - 1075),
    }
}

/// A positive number as `digits * 10^power`, by Grisu2 with the servers' table and rounding.
///
/// Grisu2 misses the shortest text about once in a hundred, and servers print what it gives: so
/// the arithmetic is theirs (Redis 7.2 to 8, Valkey 8 and 9), step for step.
fn grisu2(bits: u64) -> (u64, i32) {
    let (f, e) = parts(bits);
    let shift = f.leading_zeros();
    let value = f << shift;
    let upper = (2 * f + 1) << (shift - 1);
    let lower = if f == 1 << 52 { (4 * f - 1) << (shift - 2) } else { (2 * f - 1) << (shift - 1) };
    let e = e - shift.cast_signed();
    // The smallest power that leaves at most 60 bits behind the point, for every exponent of a
    // double: 9864 / 2^18 is an eighth of the logarithm of 2.
    let i = (11_063_700 - 9_864 * e) >> 18;
    let scale = usize::try_from(i).ok().and_then(|i| POWERS.get(i)).copied().unwrap_or_default();
    let power = 8 * i - 348;
    let fraction_bits = (e + ((power * 1_741_647) >> 19) + 1).unsigned_abs();
    let value = times(value, scale);
    let (lower, upper) = (times(lower, scale) + 1, times(upper, scale) - 1);
    let one = 1u64 << fraction_bits;

    let (mut delta, above) = (upper - lower, upper - value);
    let (mut whole, mut part) = (upper >> fraction_bits, upper & (one - 1));
    let mut digits = 0u64;
    let (mut kappa, mut ten) = (9, 1_000_000_000u64);
    while ten > 0 {
        digits = digits * 10 + whole / ten;
        whole %= ten;
        let rest = (whole << fraction_bits) + part;
        if rest <= delta {
            digits -= steps_down(rest, delta, ten << fraction_bits, above);
            return (digits, kappa - power);
        }
        (kappa, ten) = (kappa - 1, ten / 10);
    }
    let mut unit = 1u64;
    loop {
        [part, delta, unit] = [part, delta, unit].map(|n| n.wrapping_mul(10));
        digits = digits.wrapping_mul(10).wrapping_add(part >> fraction_bits);
        part &= one - 1;
        if part < delta {
            digits -= steps_down(part, delta, one, above.wrapping_mul(unit));
            return (digits, kappa - power);
        }
        kappa -= 1;
    }
}

/// By how much the last digit must fall to come nearest to the value, `above` below the upper end.
fn steps_down(mut rest: u64, delta: u64, step: u64, above: u64) -> u64 {
    let mut steps = 0;
    while rest < above
        && delta - rest >= step
        && (rest + step < above || above - rest > rest + step - above)
    {
        rest += step;
        steps += 1;
    }
    steps
}

/// The upper half of a product, rounded.
fn times(a: u64, b: u64) -> u64 {
    u64::try_from((u128::from(a) * u128::from(b) + (1 << 63)) >> 64).unwrap_or(u64::MAX)
}

/// 10^k in 64 bits, rounded, for k = -348, -340 to 340.
#[rustfmt::skip]
const POWERS: [u64; 87] = [
    0xfa8fd5a0081c0288, 0xbaaee17fa23ebf76, 0x8b16fb203055ac76, 0xcf42894a5dce35ea,
    0x9a6bb0aa55653b2d, 0xe61acf033d1a45df, 0xab70fe17c79ac6ca, 0xff77b1fcbebcdc4f,
    0xbe5691ef416bd60c, 0x8dd01fad907ffc3c, 0xd3515c2831559a83, 0x9d71ac8fada6c9b5,
    0xea9c227723ee8bcb, 0xaecc49914078536d, 0x823c12795db6ce57, 0xc21094364dfb5637,
    0x9096ea6f3848984f, 0xd77485cb25823ac7, 0xa086cfcd97bf97f4, 0xef340a98172aace5,
    0xb23867fb2a35b28e, 0x84c8d4dfd2c63f3b, 0xc5dd44271ad3cdba, 0x936b9fcebb25c996,
    0xdbac6c247d62a584, 0xa3ab66580d5fdaf6, 0xf3e2f893dec3f126, 0xb5b5ada8aaff80b8,
    0x87625f056c7c4a8b, 0xc9bcff6034c13053, 0x964e858c91ba2655, 0xdff9772470297ebd,
    0xa6dfbd9fb8e5b88f, 0xf8a95fcf88747d94, 0xb94470938fa89bcf, 0x8a08f0f8bf0f156b,
    0xcdb02555653131b6, 0x993fe2c6d07b7fac, 0xe45c10c42a2b3b06, 0xaa242499697392d3,
    0xfd87b5f28300ca0e, 0xbce5086492111aeb, 0x8cbccc096f5088cc, 0xd1b71758e219652c,
    0x9c40000000000000, 0xe8d4a51000000000, 0xad78ebc5ac620000, 0x813f3978f8940984,
    0xc097ce7bc90715b3, 0x8f7e32ce7bea5c70, 0xd5d238a4abe98068, 0x9f4f2726179a2245,
    0xed63a231d4c4fb27, 0xb0de65388cc8ada8, 0x83c7088e1aab65db, 0xc45d1df942711d9a,
    0x924d692ca61be758, 0xda01ee641a708dea, 0xa26da3999aef774a, 0xf209787bb47d6b85,
    0xb454e4a179dd1877, 0x865b86925b9bc5c2, 0xc83553c5c8965d3d, 0x952ab45cfa97a0b3,
    0xde469fbd99a05fe3, 0xa59bc234db398c25, 0xf6c69a72a3989f5c, 0xb7dcbf5354e9bece,
    0x88fcf317f22241e2, 0xcc20ce9bd35c78a5, 0x98165af37b2153df, 0xe2a0b5dc971f303a,
    0xa8d9d1535ce3b396, 0xfb9b7cd9a4a7443c, 0xbb764c4ca7a44410, 0x8bab8eefb6409c1a,
    0xd01fef10a657842c, 0x9b10a4e5e9913129, 0xe7109bfba19c0c9d, 0xac2820d9623bf429,
    0x80444b5e7aa7cf85, 0xbf21e44003acdd2d, 0x8e679c2f5e44ff8f, 0xd433179d9c8cb841,
    0x9e19db92b4e31ba9, 0xeb96bf6ebadf77d9, 0xaf87023b9bf0ee6b,
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn printed(value: f64) -> [String; 3] {
        [write_double, write_double_digest, write_double_17].map(|write| {
            let mut text = Vec::new();
            write(value, &mut text);
            String::from_utf8(text).unwrap()
        })
    }

    #[test]
    fn integers_of_every_length_are_printed_as_rust_does_and_read_again() {
        let mut digits = Digits::new();
        for shift in 0..64 {
            for n in [i64::MIN >> shift, i64::MAX >> shift, 10i64.pow(shift % 19)] {
                for n in [n, n.saturating_sub(1), n.saturating_add(1), n.wrapping_neg()] {
                    assert_eq!(digits.format(n), n.to_string().as_bytes());
                    assert_eq!(parse_integer(n.to_string().as_bytes()), Some(n));
                }
            }
        }
        for text in ["9223372036854775808", "-9223372036854775809", "10000000000000000000"] {
            assert_eq!(parse_integer(text.as_bytes()), None);
        }
    }

    #[test]
    fn the_short_way_to_a_double_gives_what_the_long_one_gives() {
        for text in ["0", "-0", "1.", ".5", "-12.25", "0.1", "123456789012345", "9.99999999999999"]
        {
            let long: f64 = text.parse().unwrap();
            let short = short_decimal(text.as_bytes()).unwrap();
            assert_eq!(short.to_bits(), long.to_bits(), "{text}");
        }
        for text in ["", "-", ".", "1e5", "1..2", "+1", "1234567890123456", "inf"] {
            assert_eq!(short_decimal(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn short_decimals_round_correctly(value in any::<i64>(), scale in 0usize..15) {
            let digits = format!("{:015}", value.unsigned_abs() % 1_000_000_000_000_000);
            let (whole, part) = digits.split_at(15 - scale);
            let text = format!("{}{whole}.{part}", if value < 0 { "-" } else { "" });
            let long: f64 = text.parse().unwrap();
            prop_assert_eq!(short_decimal(text.as_bytes()).unwrap().to_bits(), long.to_bits());
        }
    }

    #[test]
    fn scores_are_printed_as_each_server_prints_them() {
        // The value, then as replies and digests show it, then as before 7.2.
        let table = "0 0 0 0 | -0 -0 -0 -0 | 3 3 3 3 | -17 -17 -17 -17 | 2.5 2.5 2.5 2.5
            inf inf inf inf | -inf -inf -inf -inf | nan nan nan nan | -nan nan nan nan
            0.1 0.1 0.1 0.10000000000000001 | 1e-7 1e-7 1e-7 9.9999999999999995e-08
            1e-6 0.000001 0.000001 9.9999999999999995e-07 | 1e7 10000000 10000000 10000000
            1e8 100000000 1e+8 100000000 | -1.7e12 -1700000000000 -1.7e+12 -1700000000000
            3377699720527872 3377699720527872 3377699720527872 3377699720527872
            178580.96347620327 1.7858096347620327e+5 1.7858096347620327e+5 178580.96347620327
            1125899906842624.25 1125899906842624.3 1125899906842624.3 1125899906842624.2
            1e17 100000000000000000 1e+17 1e+17 | 1e22 1e+22 1e+22 1e+22
            4611686018427387904 4611686018427387904 4611686018427388000 4.6116860184273879e+18
            4611686018427388928 4611686018427389000 4611686018427389000 4.6116860184273889e+18
            1e23 99999999999999990000000 99999999999999990000000 9.9999999999999992e+22
            1e300 1e+300 1e+300 1.0000000000000001e+300
            5e-324 5e-324 5e-324 4.9406564584124654e-324";
        for row in table.split(['|', '\n']) {
            let cells: Vec<_> = row.split_whitespace().collect();
            assert_eq!(printed(cells[0].parse().unwrap()), cells[1..]);
        }
    }

    #[test]
    fn a_prefix_is_read_as_a_scanner_reads_it_and_a_strict_double_as_a_whole() {
        let all = |value: f64, texts: &[&str]| {
            for text in texts {
                assert_eq!(parse_double_prefix(text.as_bytes()), Some(value), "{text}");
            }
        };
        all(1.0, &["1x", "1e", "1e+", "1.", "+1.0.5", " \t\n\x0b\x0c\r1", "1\0", "0x1p", "0x1.g"]);
        all(-0.5, &["-.5", "-5E-1e3", "-0X.8P+0", "-0x1p-1"]);
        all(f64::INFINITY, &["inf", "Infinity!", "infant", "1e999", "0x1p1024", "0x1p9999999999"]);
        all(0.0, &["-0", "1e-999", "0x0", "0x.", "0x1p-1075", "0x1p-99999999999999999999"]);
        all(5e-324, &["0x1p-1074", "0x.0000000000000000000001p-986", "0x1.8p-1075"]);
        // Half to even at 53 bits, and upwards if anything follows.
        all(2.0, &["0x1.fffffffffffff8p0", "0x2.0000000000000800000000", "0x20000000000000p-52"]);
        all(1.0 + f64::EPSILON, &["0x1.000000000000080000000001", "0x1.0000000000001"]);
        assert!(parse_double_prefix(b"-nan(7)").is_some_and(f64::is_nan));
        for text in ["", " ", "-", ".", "e5", "x", "0x", "0xp1", "infi", "infinit", "na", "\0 1"] {
            assert_eq!(parse_double_prefix(text.as_bytes()), None, "{text}");
            assert_eq!(parse_double(text.as_bytes()), None, "{text}");
        }
        for text in ["1x", "1e", " 1", "1 ", "1\0", "0x10", "infant"] {
            assert_eq!(parse_double(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_the_same_double(bits: u64) {
            let value = f64::from_bits(bits);
            for text in printed(value).iter().filter(|_| !value.is_nan()) {
                prop_assert_eq!(parse_double(text.as_bytes()).map(f64::to_bits), Some(bits));
                prop_assert_eq!(parse_double_prefix(text.as_bytes()).map(f64::to_bits), Some(bits));
            }
        }

        #[test]
        fn an_integer_is_canonical_exactly_when_it_prints_back(text in "[-+ ]?[0-9]{0,20}[.e ]?") {
            let rust = text.parse::<i64>().ok().filter(|n| n.to_string() == text);
            prop_assert_eq!(parse_integer(text.as_bytes()), rust);
        }
    }
}
