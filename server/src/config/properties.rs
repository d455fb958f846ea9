//! Java's properties format, read as `java.util.Properties` reads it (but for a lone backslash at the end of a file, out of which
//! Java makes a property without a name).
//!
//! Any text has a reading but for a broken `\u` escape, which is an error with its line, and nothing panics. The module
//! knows the format only: names and values are plain text to it.

use std::fmt::Write as _;

/// One `name = value` of a file, and the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    pub line: usize,
    pub name: String,
    pub value: String,
}

/// `\u` without four hexadecimal digits behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: \\u must be followed by four hexadecimal digits")]
pub struct BadEscape {
    pub line: usize,
}

/// Reads a whole file. A name may occur more than once; the caller says which of them counts (in Java the last one).
pub fn parse(text: &str) -> Result<Vec<Property>, BadEscape> {
    let mut properties = Vec::new();
    for (line, logical) in logical_lines(text) {
        let (name, value) = split(&logical);
        let unescape = |part: &str| unescape(part).ok_or(BadEscape { line });
        properties.push(Property { line, name: unescape(name)?, value: unescape(value)? });
    }
    Ok(properties)
}

/// Writes one property so that [`parse`] gives it back.
pub fn write(name: &str, value: &str) -> String {
    let mut out = String::with_capacity(name.len() + value.len() + 2);
    escape_into(&mut out, name, true);
    out.push('=');
    escape_into(&mut out, value, false);
    out
}

/// White space between tokens; a line's end is not among them.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Lines that hold something, with continuation lines joined, numbered from 1.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, natural) in natural_lines(text).enumerate() {
        let natural = natural.trim_start_matches(is_blank);
        let (begun, mut logical) = match open.take() {
            Some(begun) => begun,
            None if natural.is_empty() || natural.starts_with(['#', '!']) => continue,
            None => (at + 1, String::new()),
        };
        // An odd number of backslashes at the end escapes the line's end; an even number is escaped backslashes.
        let backslashes = natural.len() - natural.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            logical.push_str(&natural[..natural.len() - 1]);
            // Nothing so far is nothing to go on with: the next line is a new one and may be a comment.
            open = (!logical.is_empty()).then_some((begun, logical));
        } else {
            logical.push_str(natural);
            lines.push((begun, logical));
        }
    }
    lines.extend(open);
    lines
}

fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\n', '\r']) else {
            rest = None;
            return Some(text);
        };
        let skip = if text[end..].starts_with("\r\n") { 2 } else { 1 };
        rest = Some(&text[end + skip..]);
        Some(&text[..end])
    })
}

/// The name ends at the first `=`, `:` or blank that no backslash escapes; one separator and the blanks around it go.
fn split(logical: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = logical.find(|c: char| {
        let ends = !escaped && (matches!(c, '=' | ':') || is_blank(c));
        escaped = !escaped && c == '\\';
        ends
    });
    let Some(end) = end else { return (logical, "") };
    let rest = logical[end..].trim_start_matches(is_blank);
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (&logical[..end], value.trim_start_matches(is_blank))
}

fn unescape(text: &str) -> Option<String> {
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let mut pair = [0; 2];
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut pair));
            continue;
        }
        match chars.next() {
            Some('t') => units.push('\t' as u16),
            Some('n') => units.push('\n' as u16),
            Some('r') => units.push('\r' as u16),
            Some('f') => units.push(0x0c),
            Some('u') => units.push(hex4(&mut chars)?),
            Some(other) => units.extend_from_slice(other.encode_utf16(&mut pair)),
            None => {}
        }
    }
    // Escapes are UTF-16 units, as in Java: two of them may make one character. Half a pair has no meaning.
    Some(String::from_utf16_lossy(&units))
}

fn hex4(chars: &mut std::str::Chars<'_>) -> Option<u16> {
    let mut unit = 0;
    for _ in 0..4 {
        unit = unit * 16 + chars.next()?.to_digit(16)?;
    }
    u16::try_from(unit).ok()
}

fn escape_into(out: &mut String, text: &str, is_name: bool) {
    let mut leading = true;
    for c in text.chars() {
        match c {
            '\\' | '=' | ':' | '#' | '!' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{c}' => out.push_str("\\f"),
            ' ' if is_name || leading => out.push_str("\\ "),
            c if c.is_control() => write!(out, "\\u{:04x}", c as u32).expect("a String takes all"),
            c => out.push(c),
        }
        leading = leading && c == ' ';
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<(String, String)> {
        parse(text).expect("well-formed").into_iter().map(|p| (p.name, p.value)).collect()
    }

    fn one(text: &str) -> (String, String) {
        let all = read(text);
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().expect("one")
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn separators_and_the_blanks_around_them() {
        for text in ["a=b", "a:b", "a b", "  a = b", "a\t:\tb", "a   b", "a\u{c}=\u{c}b"] {
            assert_eq!(one(text), pair("a", "b"), "{text:?}");
        }
        assert_eq!(one("a==b"), pair("a", "=b"));
        assert_eq!(one("a = : b"), pair("a", ": b"));
        assert_eq!(one("a"), pair("a", ""));
        assert_eq!(one("a=b "), pair("a", "b "), "blanks at the end belong to the value, as in Java");
        assert_eq!(one(r"a\ b\=c=d"), pair("a b=c", "d"));
    }

    #[test]
    fn comments_blank_lines_and_line_ends() {
        assert_eq!(read("# a=1\n ! b=2\r\n\r\nc=3\rd=4\n"), [pair("c", "3"), pair("d", "4")]);
        assert_eq!(one("a=b # not a comment"), pair("a", "b # not a comment"));
    }

    #[test]
    fn continuation_lines() {
        assert_eq!(one("a=b,\\\n    c"), pair("a", "b,c"));
        assert_eq!(one("a=b\\\r\n# c"), pair("a", "b# c"), "a continuation is no comment");
        assert_eq!(
            read("a=b\\\\\nc=d"),
            [pair("a", "b\\"), pair("c", "d")],
            "an escaped backslash continues nothing"
        );
        assert_eq!(one("a=b\\"), pair("a", "b"));
        assert_eq!(read("\\\n# c\n\\\n\n\\"), [], "nothing is not continued");
    }

    #[test]
    fn escapes() {
        assert_eq!(one(r"a=\t\n\r\f\\\q\u00e9"), pair("a", "\t\n\r\u{c}\\qé"));
        assert_eq!(one(r"a=\ud83d\ude00"), pair("a", "😀"), "two units make one character");
        assert_eq!(parse("x=1\na=\\u12").unwrap_err(), BadEscape { line: 2 });
        assert_eq!(parse("a=\\u12g4").unwrap_err(), BadEscape { line: 1 });
    }

    #[test]
    fn the_line_is_where_the_property_begins() {
        let lines: Vec<_> = parse("\na=1\\\n2\n\nb=3").expect("fine").into_iter().map(|p| p.line).collect();
        assert_eq!(lines, [2, 5]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn text_made_of_the_formats_own_characters(text in "[ab=:# !\\\\u0f\n\r\t\u{c}]{0,60}") {
            if let Ok(properties) = parse(&text) {
                // Reading never makes more out of a file than the file holds.
                let chars: usize = properties.iter().map(|p| p.name.chars().count() + p.value.chars().count()).sum();
                prop_assert!(chars <= text.chars().count());
            }
        }

        #[test]
        fn what_is_written_reads_back(pairs in prop::collection::vec((any::<String>(), any::<String>()), 0..8)) {
            let text: String = pairs.iter().map(|(name, value)| write(name, value) + "\n").collect();
            prop_assert_eq!(read(&text), pairs);
        }
    }
}
