//! Lines as words: how servers split a line of a manifest, and how they quote a word.
//!
//! The rules are those of the servers' `sdssplitargs` and `sdscatrepr`, corners included: a quote
//! may begin in the midst of a word, but after the closing one a blank must follow.

use crate::wire::cursor::Cursor;

/// The words of a line; `None` where a quote is not closed, or closed in the midst of a word.
pub(crate) fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut c = Cursor::new(line);
    let mut words = Vec::new();
    loop {
        while c.peek().is_ok_and(is_blank) {
            c.byte().ok()?;
        }
        if c.is_empty() {
            return Some(words);
        }
        words.push(word(&mut c)?);
    }
}

fn word(c: &mut Cursor<'_>) -> Option<Vec<u8>> {
    let mut word = Vec::new();
    while let Ok(byte) = c.byte() {
        match byte {
            b'"' => {
                double_quoted(c, &mut word)?;
                return closed(*c).then_some(word);
            }
            b'\'' => {
                single_quoted(c, &mut word)?;
                return closed(*c).then_some(word);
            }
            b' ' | b'\n' | b'\r' | b'\t' => break,
            _ => word.push(byte),
        }
    }
    Some(word)
}

fn closed(c: Cursor<'_>) -> bool {
    c.peek().map_or(true, is_blank)
}

fn double_quoted(c: &mut Cursor<'_>, word: &mut Vec<u8>) -> Option<()> {
    loop {
        let byte = match c.byte().ok()? {
            b'"' => return Some(()),
            b'\\' => match *c.rest() {
                [b'x', a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
                    c.take(3).ok()?;
                    hex(a) << 4 | hex(b)
                }
                _ => match c.byte().ok()? {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                },
            },
            byte => byte,
        };
        word.push(byte);
    }
}

fn single_quoted(c: &mut Cursor<'_>, word: &mut Vec<u8>) -> Option<()> {
    loop {
        match c.byte().ok()? {
            b'\'' => return Some(()),
            b'\\' if c.peek() == Ok(b'\'') => word.push(c.byte().ok()?),
            byte => word.push(byte),
        }
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// What C calls a space.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Appends a word so that [`split`] gives it back, quoted only where it has to be.
///
/// Servers do not quote a word for a `'` in it, and then cannot read what they wrote.
pub(crate) fn write(word: &[u8], out: &mut Vec<u8>) {
    let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'"' | b'\'');
    if !word.is_empty() && word.iter().all(plain) {
        out.extend_from_slice(word);
        return;
    }
    out.push(b'"');
    for &byte in word {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            8 => out.extend(b"\\b"),
            7 => out.extend(b"\\a"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend(format!("\\x{byte:02x}").bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(line: &str) -> Option<Vec<String>> {
        let words = split(line.as_bytes())?;
        Some(words.into_iter().map(|word| word.escape_ascii().to_string()).collect())
    }

    #[test]
    fn words_are_split_as_servers_split_them() {
        let some = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(words(""), some(&[]));
        assert_eq!(words(" \t a  b\x0b c\r\n"), some(&["a", "b\\x0b", "c"]));
        assert_eq!(words(r#""a b" 'c d' x"y z""#), some(&["a b", "c d", "xy z"]));
        assert_eq!(words(r#""\x41\x4g\n\q\"" '\n\''"#), some(&["Ax4g\\nq\\\"", "\\\\n\\\'"]));
        assert_eq!(words(r#""" ''"#), some(&["", ""]));
        for open in [r#""a"#, "'a", r#""a"b"#, "'a'b", r#""a\"#] {
            assert_eq!(words(open), None, "{open}");
        }
    }

    #[test]
    fn a_word_is_quoted_where_servers_quote_it() {
        let write = |word: &str| {
            let mut out = Vec::new();
            super::write(word.as_bytes(), &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(write("appendonly.aof.1.base.rdb"), "appendonly.aof.1.base.rdb");
        assert_eq!(write("my log"), r#""my log""#);
        assert_eq!(write("é\"\\\n\x07"), r#""\xc3\xa9\"\\\n\a""#);
        assert_eq!(write("it's"), r#""it's""#);
        assert_eq!(write(""), r#""""#);
    }

    proptest! {
        #[test]
        fn what_was_written_splits_into_the_same(
            words in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..12), 0..6),
        ) {
            let mut line = Vec::new();
            for word in &words {
                line.push(b' ');
                write(word, &mut line);
            }
            prop_assert_eq!(split(&line), Some(words));
        }
    }
}
