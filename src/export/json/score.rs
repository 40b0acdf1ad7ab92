//! Scores as servers print them, the usual ones without the general way of printing a double.

use super::text::Pen;
use crate::rdb::Score;
use crate::wire::number::write_double;

/// A score ready to be written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Printed {
    Whole(i64),
    /// With a point before the last three digits.
    Thousandths(i64),
    /// In the scratch buffer.
    Text,
}

/// Up to eight digits in front of the point: with more, servers go over to exponents for some.
const WHOLE: i64 = 100_000_000;

/// Prints a score, into `scratch` if need be; `None` where it is no number.
#[inline(always)]
pub(super) fn print(score: Score<'_>, scratch: &mut Vec<u8>) -> Option<Printed> {
    let usual = match score {
        Score::Int(n) if n.abs() < WHOLE => return Some(Printed::Whole(n)),
        Score::Int(_) => None,
        Score::Double(value) => usual_double(value),
        Score::Text(text) => usual_text(text),
    };
    match usual {
        Some(usual) => Some(usual),
        None => {
            scratch.clear();
            write_double(score.value()?, scratch);
            Some(Printed::Text)
        }
    }
}

impl Printed {
    /// Writes it in quotes: JSON's numbers have no infinities and no sure minus zero.
    #[inline(always)]
    pub(super) fn write(self, scratch: &[u8], pen: &mut Pen<'_>) {
        pen.push(b'"');
        match self {
            Printed::Whole(n) => pen.signed(n),
            Printed::Thousandths(n) => pen.thousandths(n),
            Printed::Text => pen.put(scratch),
        }
        pen.push(b'"');
    }
}

#[inline(always)]
fn usual_double(value: f64) -> Option<Printed> {
    // In range, so nothing is cut but what stands behind the point.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
    if value.abs() < WHOLE as f64 {
        let whole = value as i32;
        // Of bits, for a minus zero is not the integer zero.
        if f64::from(whole).to_bits() == value.to_bits() {
            return Some(Printed::Whole(whole.into()));
        }
        let n = (value * 1000.0 + 0.5f64.copysign(value)) as i64;
        if n as f64 / 1000.0 == value {
            return thousandths(n, value);
        }
    }
    None
}

/// Text as servers themselves print such a score: up to eight digits, a point, up to three digits.
#[inline(always)]
fn usual_text(text: &[u8]) -> Option<Printed> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.len() > 12 {
        return None;
    }
    let (mut n, mut behind) = (0i64, None);
    for byte in digits {
        match (byte, &mut behind) {
            (b'0'..=b'9', behind) => {
                n = n * 10 + i64::from(byte - b'0');
                *behind = behind.map(|digits| digits + 1);
            }
            (b'.', None) => behind = Some(0),
            _ => return None,
        }
    }
    n *= match behind? {
        1 => 100,
        2 => 10,
        3 => 1,
        _ => return None,
    };
    let n = if negative { -n } else { n };
    // Integers of this size are exact, and so the quotient is what parsing the text would give.
    #[allow(clippy::cast_precision_loss)]
    let value = n as f64 / 1000.0;
    if n % 1000 == 0 || value.abs() >= WHOLE as f64 { None } else { thousandths(n, value) }
}

/// `n / 1000` is how servers print the double nearest to it, if that is clearly the nearest.
///
/// Their Grisu2 prints the shortest decimal within an interval about the double, and with up to 15
/// digits there is no second one. But they take the interval a little too narrow, by less than
/// 2^-59 of the value: so `n / 1000` must not lie as near as that to the middle between two
/// doubles.
#[inline(always)]
fn thousandths(n: i64, value: f64) -> Option<Printed> {
    let bits = value.abs().to_bits();
    // The value is `mantissa / 2^shift`; between a thousandth and 2^27, so there are 27 to 62 bits
    // behind the point, and all below fits.
    let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
    let shift = 1075u64.checked_sub(bits >> 52).filter(|shift| *shift < 63)?;
    // In units of 2^-shift / 1000, of which half the distance between two doubles has 500.
    let off = (n.unsigned_abs() << shift).abs_diff(mantissa * 1000);
    (off <= 480).then_some(Printed::Thousandths(n))
}

#[cfg(test)]
mod tests {
    use super::super::text::Text;
    use super::*;
    use proptest::prelude::*;

    /// As this module writes it, after checking that it is as the general way does.
    fn printed(score: Score<'_>) -> (Printed, String) {
        let (mut text, mut scratch) = (Text::new(), Vec::new());
        let printed = print(score, &mut scratch).unwrap();
        let mut pen = text.pen();
        printed.write(&scratch, &mut pen);
        pen.done();
        let mut general = b"\"".to_vec();
        write_double(score.value().unwrap(), &mut general);
        general.push(b'"');
        assert_eq!(text.bytes(), general, "{}", text.bytes().escape_ascii());
        (printed, String::from_utf8(general).unwrap())
    }

    #[test]
    fn edges_are_printed_as_the_general_way_does() {
        for n in [0, 1, -1, 99_999_999, -99_999_999, 100_000_000, i64::MAX, i64::MIN + 1] {
            printed(Score::Int(n));
            printed(Score::Double(n as f64));
        }
        let doubles = [-0.0, 0.001, -0.001, 0.0005, 0.1, 0.3, 99_999_999.999, 1e8, 1e23, 5e-324];
        for value in doubles.into_iter().chain([f64::INFINITY, f64::NEG_INFINITY, f64::NAN]) {
            printed(Score::Double(value));
        }
        let texts = "-0 0 1 007 1.0 1.50 1.500 -0.0 -0.5 .5 5. 12345678.125 123456789.5 1e3 inf 1x \
                     99999999.999 0.0001 -99999999.999 1.2345";
        for text in texts.split_whitespace() {
            printed(Score::Text(text.as_bytes()));
        }
        assert_eq!(print(Score::Text(b"two"), &mut Vec::new()), None);
        assert_eq!(
            printed(Score::Text(b"1.5")),
            (Printed::Thousandths(1500), "\"1.5\"".to_owned())
        );
        assert_eq!(printed(Score::Double(-2.25)).0, Printed::Thousandths(-2250));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn decimals_are_printed_as_the_general_way_does(
            n in -200_000_000_000i64..200_000_000_000,
            digits in 0..4usize,
        ) {
            let text = format!("{:.digits$}", n as f64 / 1000.0);
            printed(Score::Text(text.as_bytes()));
            printed(Score::Double(text.parse().unwrap()));
        }

        #[test]
        fn neighbours_of_decimals_are_printed_as_the_general_way_does(
            n in -99_999_999_999i64..99_999_999_999,
            step in -3..=3i64,
        ) {
            let value = n as f64 / 1000.0;
            prop_assume!(value != 0.0);
            printed(Score::Double(f64::from_bits(value.to_bits().wrapping_add_signed(step))));
        }

        #[test]
        fn any_double_is_printed_as_the_general_way_does(bits: u64) {
            printed(Score::Double(f64::from_bits(bits)));
        }
    }
}
