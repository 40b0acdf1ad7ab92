//! Writing records: the mirror of the framing.

use crate::aof::frame;
use crate::aof::resp::MAX_ANNOTATION;
use crate::error::{Error, Result};
use crate::wire::number::Digits;

/// Appends a command as servers write it.
///
/// # Errors
/// `Usage` where there is not even a name; nothing is written then.
///
/// ```
/// let mut log = Vec::new();
/// redkeep::aof::write_command(&["SELECT", "3"], &mut log)?;
/// assert_eq!(log, b"*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n");
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn write_command(args: &[impl AsRef<[u8]>], out: &mut Vec<u8>) -> Result<()> {
    if args.is_empty() {
        return Err(Error::usage("a command without a name"));
    }
    frame::command(args, out);
    Ok(())
}

/// Appends an annotation; `text` goes without `#` and line end.
///
/// # Errors
/// `Usage` where the text holds a line end, or the line would be longer than
/// [`MAX_ANNOTATION`](crate::aof::MAX_ANNOTATION); nothing is written then.
///
/// ```
/// let mut log = Vec::new();
/// redkeep::aof::write_annotation(b"restored", &mut log)?;
/// assert_eq!(log, b"#restored\r\n");
/// # Ok::<(), redkeep::Error>(())
/// ```
pub fn write_annotation(text: &[u8], out: &mut Vec<u8>) -> Result<()> {
    if text.contains(&b'\n') || text.ends_with(b"\r") {
        return Err(Error::usage("an annotation is one line"));
    }
    if text.len() + 3 > MAX_ANNOTATION {
        return Err(Error::usage("an annotation longer than servers read"));
    }
    out.push(b'#');
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Appends a `#TS:` annotation, as servers write it before the first command of a second.
///
/// ```
/// let mut log = Vec::new();
/// redkeep::aof::write_timestamp(1_795_159_679, &mut log);
/// assert_eq!(log, b"#TS:1795159679\r\n");
/// ```
pub fn write_timestamp(seconds: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"#TS:");
    out.extend_from_slice(Digits::new().format(seconds));
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aof::resp::{Annotation, Command, annotation};
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_written_reads_the_same(
            args in vec(vec(any::<u8>(), 0..300), 1..30),
            seconds: i64,
            text in vec(any::<u8>(), 0..1020),
        ) {
            let mut out = Vec::new();
            write_command(&args, &mut out).unwrap();
            let command = Command::parse(&out).unwrap();
            prop_assert_eq!(command.len(), args.len());
            prop_assert!(command.args().eq(args.iter().map(Vec::as_slice)));

            let mut out = Vec::new();
            write_timestamp(seconds, &mut out);
            prop_assert_eq!(annotation(&out), Ok(out.len()));
            prop_assert_eq!(Annotation::new(&out).timestamp(), Some(seconds));

            let mut out = Vec::new();
            if write_annotation(&text, &mut out).is_ok() {
                prop_assert_eq!(annotation(&out), Ok(out.len()));
                prop_assert_eq!(Annotation::new(&out).text(), &text[..]);
            } else {
                prop_assert!(out.is_empty());
                prop_assert!(text.contains(&b'\n') || text.ends_with(b"\r"));
            }
        }
    }

    #[test]
    fn what_would_not_read_again_is_not_written() {
        let mut out = Vec::new();
        assert!(write_command(&[] as &[&[u8]], &mut out).is_err());
        assert!(write_annotation(b"a\nb", &mut out).is_err());
        assert!(write_annotation(&[b'x'; 1020], &mut out).is_ok());
        assert!(write_annotation(&[b'x'; 1021], &mut out).is_err());
        assert_eq!(out.len(), 1023);
    }
}
