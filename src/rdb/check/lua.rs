//! Could this function library compile?
//!
//! A server refuses a whole file for one library that does not. Nothing runs Lua here: the check is
//! that of the first line and of what nests (brackets, blocks, strings), which every valid library
//! passes. What it lets through may still not compile.

/// Why a library cannot compile, if that can be seen.
pub(crate) fn flaw(code: &[u8]) -> Option<&'static str> {
    let Some(line_end) = code.iter().position(|&byte| byte == b'\n') else {
        return Some("it has no first line");
    };
    let (first, body) = code.split_at_checked(line_end)?;
    let Some(words) = first.strip_prefix(b"#!") else {
        return Some("it does not begin with #! and its engine");
    };
    let mut words = words.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let engine = words.next().unwrap_or_default();
    let name = words.find_map(|word| word.strip_prefix(b"name=")).unwrap_or_default();
    let name = name.strip_suffix(b"\r").unwrap_or(name);
    if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
        return Some("its first line has no valid name=");
    }
    match engine.eq_ignore_ascii_case(b"lua") {
        true => nesting(body),
        false => None,
    }
}

/// Lua 5.1: whether strings end, and brackets and blocks close in order.
fn nesting(code: &[u8]) -> Option<&'static str> {
    let mut open: Vec<&[u8]> = Vec::new();
    let mut rest = code;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'-' if after.first() == Some(&b'-') => match comment(after.get(1..)?) {
                Some(rest) => rest,
                None => return Some("a comment does not end"),
            },
            b'\'' | b'"' => match string(after, byte) {
                Some(rest) => rest,
                None => return Some("a string does not end"),
            },
            b'[' if long_bracket(rest).is_some() => match long_string(rest) {
                Some(rest) => rest,
                None => return Some("a long string does not end"),
            },
            b'(' | b'[' | b'{' => {
                open.push(rest.get(..1)?);
                after
            }
            b')' | b']' | b'}' => {
                let opened = open.pop().and_then(<[u8]>::first);
                if !matches!(
                    (opened, byte),
                    (Some(b'('), b')') | (Some(b'['), b']') | (Some(b'{'), b'}')
                ) {
                    return Some("a bracket closes that was not open");
                }
                after
            }
            b'0'..=b'9' => skip(rest, |byte| byte.is_ascii_alphanumeric() || byte == b'.'),
            byte if is_name(byte) => {
                let after = skip(rest, is_name);
                let word = rest.get(..rest.len() - after.len())?;
                let closes = match word {
                    b"function" | b"do" | b"if" | b"repeat" => {
                        open.push(word);
                        true
                    }
                    b"end" => matches!(open.pop(), Some(b"function" | b"do" | b"if")),
                    b"until" => open.pop() == Some(b"repeat"),
                    _ => true,
                };
                if !closes {
                    return Some("an `end` or `until` without its block");
                }
                after
            }
            _ => after,
        };
    }
    (!open.is_empty()).then_some("a bracket or a block is not closed")
}

fn is_name(byte: u8) -> bool {
    // Letters beyond ASCII are names under some locales.
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn skip(bytes: &[u8], of: impl Fn(u8) -> bool) -> &[u8] {
    let end = bytes.iter().position(|&byte| !of(byte)).unwrap_or(bytes.len());
    bytes.get(end..).unwrap_or_default()
}

/// What follows a string whose opening quote has been passed.
fn string(mut bytes: &[u8], quote: u8) -> Option<&[u8]> {
    loop {
        let (&byte, after) = bytes.split_first()?;
        bytes = match byte {
            b'\\' => after.get(1..)?,
            b'\n' => return None,
            byte if byte == quote => return Some(after),
            _ => after,
        };
    }
}

/// The level of a long bracket `[==[` that begins here.
fn long_bracket(bytes: &[u8]) -> Option<usize> {
    let level = bytes.iter().skip(1).take_while(|&&byte| byte == b'=').count();
    (bytes.first() == Some(&b'[') && bytes.get(level + 1) == Some(&b'[')).then_some(level)
}

/// What follows a long string that begins here.
fn long_string(bytes: &[u8]) -> Option<&[u8]> {
    let level = long_bracket(bytes)?;
    let mut bytes = bytes.get(level + 2..)?;
    loop {
        let (&byte, after) = bytes.split_first()?;
        let closes = byte == b']'
            && after.iter().take_while(|&&byte| byte == b'=').count() == level
            && after.get(level) == Some(&b']');
        if closes {
            return after.get(level + 1..);
        }
        bytes = after;
    }
}

/// What follows a comment whose `--` has been passed.
fn comment(bytes: &[u8]) -> Option<&[u8]> {
    match long_bracket(bytes) {
        Some(_) => long_string(bytes),
        None => Some(skip(bytes, |byte| byte != b'\n')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Option<&'static str> {
        flaw(format!("#!lua name=lib\n{body}").as_bytes())
    }

    #[test]
    fn valid_libraries_pass() {
        for body in [
            "redis.register_function('f', function(keys, args) return redis.call('GET', keys[1]) end)",
            "-- a comment with ( and 'quotes\nlocal t = {[1] = 'it\\'s', [\"x\"] = [==[ ]] end ]==]}",
            "--[[ ( function\n]] local a = 1 --[=[ ]] ]=] do repeat if a then a = t[t[1]] end until a end",
            "for i = 1, 10 do while i > 0x1F do i = i - 1.5e3 end end local function x() end",
            "local ended, dofile_, format = 1, 2, 3",
            "return 'line \\\n continued'",
        ] {
            assert_eq!(of(body), None, "{body}");
        }
    }

    #[test]
    fn what_cannot_compile_is_seen_where_nesting_shows_it() {
        for body in [
            "redis.register_function 'f', function(keys, args) return 1 end)",
            "redis.register_function('f', functiof(keys, args) return 1 end)",
            "local a = {1, 2",
            "local a = 'x",
            "local a = [[x]",
            "if a then b()",
            "repeat a() end",
            "(]",
        ] {
            assert!(of(body).is_some(), "{body}");
        }
        assert!(flaw(b"#!lua name=a b\nreturn 1").is_none());
        assert!(flaw(b"#!lua name=a-b\nreturn 1").is_some());
        assert!(flaw(b"lua name=ab\nreturn 1").is_some());
        assert!(flaw(b"#!js name=ab\n)").is_none());
    }
}
