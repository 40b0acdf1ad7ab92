//! Strings, in the form in which servers store them.

use crate::rdb::encoding::Scalar;
use crate::rdb::len::write_length;
use crate::rdb::string::Str;
use crate::wire::lzf::Compressor;
use crate::wire::number::{Digits, parse_integer};

/// The longest text that servers try as an integer.
const LONGEST_INTEGER: usize = 11;
/// Servers compress what is longer.
const LONGEST_UNPACKED: usize = 20;

/// Writes strings: an integer where the text is a canonical 32-bit one, LZF where that saves at
/// least four bytes of more than twenty, plain bytes otherwise.
#[derive(Debug)]
pub(crate) struct StrWriter {
    compressor: Option<Compressor>,
    packed: Vec<u8>,
    digits: Digits,
}

impl StrWriter {
    pub(crate) fn new(compress: bool) -> StrWriter {
        let compressor = compress.then(Compressor::new);
        StrWriter { compressor, packed: Vec::new(), digits: Digits::new() }
    }

    pub(crate) fn write(&mut self, text: Scalar<'_>, out: &mut Vec<u8>) {
        match text {
            Scalar::Int(n) => match i32::try_from(n) {
                Ok(n) => write_integer(n, out),
                Err(_) => write_plain(self.digits.format(n), out),
            },
            Scalar::Bytes(text) => self.write_bytes(text, out),
        }
    }

    pub(crate) fn write_bytes(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let integer = if text.len() <= LONGEST_INTEGER { parse_integer(text) } else { None };
        if let Some(n) = integer.and_then(|n| i32::try_from(n).ok()) {
            return write_integer(n, out);
        }
        self.write_blob(text, out);
    }

    /// A packed list, which is never an integer.
    pub(crate) fn write_blob(&mut self, blob: &[u8], out: &mut Vec<u8>) {
        if blob.len() > LONGEST_UNPACKED
            && let Some(compressor) = &mut self.compressor
            && let Some(packed) = compressor.compress(blob, &mut self.packed)
        {
            return write_packed(packed, blob.len() as u64, out);
        }
        write_plain(blob, out);
    }
}

/// A string in the form in which it was read.
pub(crate) fn write_as_read(text: Str<'_>, out: &mut Vec<u8>) {
    match text {
        Str::Plain(bytes) => write_plain(bytes, out),
        Str::Int(n) => write_integer(n, out),
        Str::Lzf { packed, len } => write_packed(packed, len, out),
    }
}

fn write_packed(packed: &[u8], len: u64, out: &mut Vec<u8>) {
    out.push(0xC3);
    write_length(packed.len() as u64, out);
    write_length(len, out);
    out.extend_from_slice(packed);
}

/// Bytes as they are.
pub(crate) fn write_plain(text: &[u8], out: &mut Vec<u8>) {
    write_length(text.len() as u64, out);
    out.extend_from_slice(text);
}

fn write_integer(n: i32, out: &mut Vec<u8>) {
    let [a, b, ..] = n.to_le_bytes();
    match n {
        -0x80..=0x7F => out.extend_from_slice(&[0xC0, a]),
        -0x8000..=0x7FFF => out.extend_from_slice(&[0xC1, a, b]),
        _ => {
            out.push(0xC2);
            out.extend_from_slice(&n.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::string::StrBuf;
    use crate::wire::cursor::Cursor;
    use proptest::prelude::*;

    fn written(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        StrWriter::new(true).write_bytes(text, &mut out);
        out
    }

    #[test]
    fn the_forms_are_those_that_servers_choose() {
        for (text, bytes) in [
            (&b"7"[..], &b"\xc0\x07"[..]),
            (b"-129", b"\xc1\x7f\xff"),
            (b"32768", b"\xc2\0\x80\0\0"),
            (b"-2147483648", b"\xc2\0\0\0\x80"),
            (b"2147483648", b"\x0a2147483648"),
            (b"007", b"\x03007"),
            (b"-0", b"\x02-0"),
            (b"", b"\0"),
        ] {
            assert_eq!(written(text), bytes, "{text:?}");
        }
        assert_eq!(written(&[b'a'; 20]).len(), 21);
        assert_eq!(written(&[b'a'; 21]).first(), Some(&0xC3));
        let mut plain = Vec::new();
        StrWriter::new(false).write_bytes(&[b'a'; 100], &mut plain);
        assert_eq!(plain.len(), 102);
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(text: Vec<u8>, n: i64, times in 1usize..200) {
            let mut writer = StrWriter::new(true);
            let mut digits = Digits::new();
            for scalar in [Scalar::Bytes(&text.repeat(times)), Scalar::Int(n)] {
                let mut out = Vec::new();
                writer.write(scalar, &mut out);
                let mut c = Cursor::new(&out);
                let string: Str<'_> = c.string().unwrap();
                let mut buf = StrBuf::new();
                prop_assert_eq!(string.bytes(&mut buf).unwrap(), scalar.bytes(&mut digits));
                prop_assert!(c.is_empty());
            }
        }
    }
}
