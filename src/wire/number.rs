//! Numbers as servers print and read them.
//!
//! RDB keeps many numbers as text, and keeps many texts as numbers: an integer string is stored as
//! one to four binary bytes, the scores of old sorted sets are ASCII. Going from one to the other
//! must give the very bytes the server would give, so the rules here are the servers', not Rust's.
//!
//! ```
//! use redkeep::wire::number;
//! assert_eq!(number::Digits::new().format(-42), b"-42");
//! assert_eq!(number::parse_integer(b"007"), None); // stays text: printed back it would be "7"
//! ```

use std::io::Write;

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
        if n < 0
            && let Some(sign) = at.checked_sub(1).and_then(|before| text.get_mut(before))
        {
            *sign = b'-';
            at -= 1;
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
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
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
    std::str::from_utf8(text).ok()?.parse().ok()
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
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let text = text.get(blanks..)?;
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let size = match text {
        [b'n' | b'N', b'a' | b'A', b'n' | b'N', ..] => f64::NAN,
        [b'i' | b'I', ..] => infinity(text)?,
        [b'0', b'x' | b'X', rest @ ..] => hexadecimal(rest)?,
        _ => decimal(text)?,
    };
    Some(if negative { -size } else { size })
}

/// `inf` or `infinity`: a scanner takes one byte back at most, so it cannot return to the `inf` of
/// a word that stops in between.
fn infinity(text: &[u8]) -> Option<f64> {
    let same = text.iter().zip(b"infinity").take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    matches!(same, 3 | 8).then_some(f64::INFINITY)
}

fn decimal(text: &[u8]) -> Option<f64> {
    let (mantissa, rest) = mantissa(text, 10)?;
    parse_double(text.get(..mantissa.len() + exponent(rest, b'e').len())?)
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

/// Prints a double as Redis since 7.2 and every Valkey print a score.
///
/// Their text reads back as the same double but is not always the shortest, and goes over to
/// exponents early: `0.1`, `3`, `1e+8`, `1.7e+12`, `-0`, `inf`. Older servers print
/// [`write_double_17`].
///
/// ```
/// let mut text = Vec::new();
/// redkeep::wire::number::write_double(0.1, &mut text);
/// assert_eq!(text, b"0.1");
/// ```
pub fn write_double(value: f64, out: &mut Vec<u8>) {
    let Some(bits) = finite_part(value, out) else { return };
    let (decimal, power) = grisu2(bits);
    let mut text = Digits::new();
    let text = text.format(decimal.cast_signed());
    let n = i32::try_from(text.len()).unwrap_or_default();
    let exponent = power + n - 1;
    let plain = if power >= 0 { exponent.abs() < n + 7 } else { power > -7 || exponent.abs() < 4 };
    if plain {
        write_plain(text, power + n, out);
    } else {
        write_scientific(text, exponent, 1, out);
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
    if value.is_nan() {
        out.extend_from_slice(b"nan");
        return None;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value == 0.0 {
        out.push(b'0');
    } else if value.is_infinite() {
        out.extend_from_slice(b"inf");
    } else {
        return Some(value.abs().to_bits());
    }
    None
}

/// `digits` with a point before the digit number `point`, and with the zeros that takes.
fn write_plain(digits: &[u8], point: i32, out: &mut Vec<u8>) {
    match usize::try_from(point) {
        Ok(point @ 1..) => match digits.split_at_checked(point) {
            Some((whole, [])) => out.extend_from_slice(whole),
            Some((whole, part)) => {
                out.extend_from_slice(whole);
                out.push(b'.');
                out.extend_from_slice(part);
            }
            None => {
                out.extend_from_slice(digits);
                out.extend(std::iter::repeat_n(b'0', point - digits.len()));
            }
        },
        _ => {
            out.extend_from_slice(b"0.");
            out.extend((point..0).map(|_| b'0'));
            out.extend_from_slice(digits);
        }
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

/// A positive number as `digits * 10^power`, by Grisu2 with the servers' table and rounding.
///
/// Grisu2 misses the shortest text about once in a hundred, and servers print what it gives: so
/// the arithmetic is theirs (Redis 7.2 to 8, Valkey 8 and 9), step for step.
fn grisu2(bits: u64) -> (u64, i32) {
    const HIDDEN: u64 = 1 << 52;
    let fraction = bits & (HIDDEN - 1);
    let (f, e) = match i32::try_from(bits >> 52).unwrap_or_default() {
        0 => (fraction, -1074),
        biased => (fraction | HIDDEN, biased - 1075),
    };
    let shift = f.leading_zeros();
    let value = f << shift;
    let upper = (2 * f + 1) << (shift - 1);
    let lower = if f == HIDDEN { (4 * f - 1) << (shift - 2) } else { (2 * f - 1) << (shift - 1) };
    let exponent = e - shift.cast_signed();
    let (power, scale_exponent) = power_for(exponent);
    let scale = usize::try_from((power + 348) / 8).ok().and_then(|i| POWERS.get(i)).copied();
    let scale = scale.unwrap_or_default();
    let value = times(value, scale);
    let (lower, upper) = (times(lower, scale) + 1, times(upper, scale) - 1);
    let fraction_bits = (exponent + scale_exponent + 64).unsigned_abs();
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
        part = part.wrapping_mul(10);
        delta = delta.wrapping_mul(10);
        unit = unit.wrapping_mul(10);
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
    let product = u128::from(a) * u128::from(b) + (1 << 63);
    u64::try_from(product >> 64).unwrap_or(u64::MAX)
}

/// `(k, x)` of the power of ten, about `POWERS[(k + 348) / 8] * 2^x`, that leaves 32 to 60 bits
/// behind the point of a 64-bit number with this exponent; of two that do, the smaller.
fn power_for(exponent: i32) -> (i32, i32) {
    // Holds for every exponent of a double: 9864 / 2^18 is an eighth of the logarithm of 2.
    let k = 8 * ((11_063_700 - 9_864 * exponent) >> 18) - 348;
    (k, ((k * 1_741_647) >> 19) - 63)
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

    /// As servers since 7.2 print it, and as those before.
    fn printed(value: f64) -> [String; 2] {
        let (mut new, mut old) = (Vec::new(), Vec::new());
        write_double(value, &mut new);
        write_double_17(value, &mut old);
        [new, old].map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn integers_of_every_length_are_printed_like_rust_prints_them() {
        let mut digits = Digits::new();
        for shift in 0..64 {
            for n in [i64::MIN >> shift, i64::MAX >> shift, 10i64.pow(shift % 19)] {
                for n in [n, n.saturating_sub(1), n.saturating_add(1), n.wrapping_neg()] {
                    assert_eq!(digits.format(n), n.to_string().as_bytes());
                    assert_eq!(parse_integer(n.to_string().as_bytes()), Some(n));
                }
            }
        }
    }

    #[test]
    fn only_the_canonical_form_is_an_integer() {
        let not = "|-|+1|-0|00|007|-01| 1|1 |1.0|1e3|0x1|--1|9223372036854775808|\
                   -9223372036854775809|10000000000000000000|99999999999999999999";
        for text in not.split('|') {
            assert_eq!(parse_integer(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn scores_are_printed_as_each_server_prints_them() {
        let table = "0 0 0 | -0 -0 -0 | 3 3 3 | -17 -17 -17 | inf inf inf | -inf -inf -inf
            nan nan nan | -nan nan nan | 0.1 0.1 0.10000000000000001 | 2.5 2.5 2.5
            1e-6 0.000001 9.9999999999999995e-07 | 1e-7 1e-7 9.9999999999999995e-08
            1e7 10000000 10000000 | 1e8 1e+8 100000000 | 1.7e12 1.7e+12 1700000000000
            3377699720527872 3377699720527872 3377699720527872 | 1e17 1e+17 1e+17
            178580.96347620327 1.7858096347620327e+5 178580.96347620327 | 1e22 1e+22 1e+22
            1e23 99999999999999990000000 9.9999999999999992e+22
            937405166487792700 937405166487792600 9.3740516648779264e+17
            1.7976931348623157e308 1.7976931348623157e+308 1.7976931348623157e+308
            5e-324 5e-324 4.9406564584124654e-324
            1125899906842624.25 1125899906842624.3 1125899906842624.2
            1125899906842624.75 1125899906842624.8 1125899906842624.8";
        for row in table.split(['|', '\n']) {
            let [value, new, old] = row.split_whitespace().collect::<Vec<_>>()[..] else {
                panic!("{row}")
            };
            assert_eq!(printed(value.parse().unwrap()), [new, old]);
        }
    }

    #[test]
    fn a_prefix_is_read_as_a_scanner_reads_it() {
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
        }
    }

    #[test]
    fn a_strict_double_takes_the_whole_text_or_nothing() {
        let bits = |text: &str| parse_double(text.as_bytes()).map(f64::to_bits);
        assert_eq!(bits("-0"), Some((-0.0f64).to_bits()));
        assert_eq!(bits("-INFINITY"), Some(f64::NEG_INFINITY.to_bits()));
        assert!(parse_double(b"NaN").is_some_and(f64::is_nan));
        for text in ["", " 1", "1 ", "1x", "0x10", "1e", ".", "infi", "1\0"] {
            assert_eq!(bits(text), None, "{text}");
        }
    }

    #[test]
    fn the_smallest_power_that_fits_is_taken_for_every_exponent() {
        for exponent in -1137..=960 {
            let (k, x) = power_for(exponent);
            assert!((-60..=-32).contains(&(exponent + x + 64)));
            assert!(exponent + (((k - 8) * 1_741_647) >> 19) + 1 < -60);
        }
    }

    #[test]
    fn each_power_in_the_table_is_the_one_before_times_ten_to_the_eighth() {
        assert_eq!(POWERS[44], 10_000 << 50);
        for pair in POWERS.windows(2) {
            let product = u128::from(pair[0]) * 100_000_000;
            let shift = 64 - product.leading_zeros();
            assert!(u128::from(pair[1]).abs_diff(product >> shift) <= 2, "{:#x}", pair[1]);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_the_same_double(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            for text in printed(value) {
                prop_assert_eq!(parse_double(text.as_bytes()).map(f64::to_bits), Some(bits));
                prop_assert_eq!(parse_double_prefix(text.as_bytes()).map(f64::to_bits), Some(bits));
            }
        }

        #[test]
        fn an_integer_is_canonical_exactly_when_it_prints_back(text in "-?[0-9]{0,20}") {
            let rust = text.parse::<i64>().ok().filter(|n| n.to_string() == text);
            prop_assert_eq!(parse_integer(text.as_bytes()), rust);
        }
    }
}
