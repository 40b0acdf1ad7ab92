//! The protocol's frames: arrays of bulk strings, which are all that a client or a log sends.
//!
//! ```text
//! *2\r\n  $6\r\n SELECT \r\n  $1\r\n 0 \r\n
//! ```

use crate::wire::number::Digits;

/// The head of a command with so many arguments, its name counted.
pub(crate) fn array(arguments: usize, out: &mut Vec<u8>) {
    head(b'*', arguments as u64, out);
}

/// The head of an argument: its bytes and a line's end follow.
pub(crate) fn bulk_head(len: u64, out: &mut Vec<u8>) {
    head(b'$', len, out);
}

/// An argument.
#[inline]
pub(crate) fn bulk(bytes: &[u8], out: &mut Vec<u8>) {
    bulk_head(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// A command.
#[inline]
pub(crate) fn command(words: &[impl AsRef<[u8]>], out: &mut Vec<u8>) {
    array(words.len(), out);
    words.iter().for_each(|word| bulk(word.as_ref(), out));
}

/// A number without sign as text.
pub(crate) fn decimal(n: u64, out: &mut Vec<u8>) {
    match i64::try_from(n) {
        Ok(n) => out.extend_from_slice(Digits::new().format(n)),
        Err(_) => out.extend_from_slice(n.to_string().as_bytes()),
    }
}

#[inline]
fn head(sign: u8, n: u64, out: &mut Vec<u8>) {
    // Most names, keys and elements are short.
    match u8::try_from(n) {
        Ok(n @ 0..10) => out.extend_from_slice(&[sign, b'0' + n, b'\r', b'\n']),
        Ok(n @ 10..100) => {
            out.extend_from_slice(&[sign, b'0' + n / 10, b'0' + n % 10, b'\r', b'\n']);
        }
        Ok(n) => {
            let [hundreds, tens, ones] = [n / 100, n / 10 % 10, n % 10].map(|digit| b'0' + digit);
            out.extend_from_slice(&[sign, hundreds, tens, ones, b'\r', b'\n']);
        }
        Err(_) => {
            out.push(sign);
            decimal(n, out);
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_every_width_are_decimal() {
        for n in [0, 9, 10, 99, 100, 255, 256, u64::MAX] {
            let mut out = Vec::new();
            bulk_head(n, &mut out);
            assert_eq!(out, format!("${n}\r\n").as_bytes());
        }
        let mut out = Vec::new();
        command(&[&b"GET"[..], b"\r\n"], &mut out);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$2\r\n\r\n\r\n");
    }
}
