//! Patterns of topic names: RE2's language, a whole name must match, as with the RE2/J that Kafka uses.
//!
//! Rust's engine is of the same family and runs in linear time, too. It lacks RE2's `\Q…\E`, which is written out here
//! before, and `\C`, which is refused. What a pattern may grow to in memory is bounded.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};

use crate::cluster::Image;

/// A compiled pattern may take this much.
const COMPILED_BYTES_MAX: usize = 1 << 20;

pub(super) fn is_valid(pattern: &str) -> bool {
    compile(pattern).is_some()
}

/// The topics that match; none for a pattern that is not valid here, as an older log may hold.
pub(super) fn resolve(pattern: &str, image: &Image) -> BTreeSet<String> {
    let Some(regex) = compile(pattern) else { return BTreeSet::new() };
    image.topics().filter(|topic| regex.is_match(&topic.name)).map(|topic| topic.name.to_string()).collect()
}

fn compile(pattern: &str) -> Option<Regex> {
    let plain = unquote(pattern);
    // By itself first, so that no stray bracket closes ours.
    build(&plain)?;
    build(&format!(r"\A(?:{plain})\z"))
}

fn build(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).build().ok()
}

/// `\Q…\E` with what is inside written so that it stands for itself.
fn unquote(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        if let Some(quoted) = escape.strip_prefix(r"\Q") {
            let (literal, behind) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            out.push_str(&regex::escape(literal));
            rest = behind;
        } else {
            let end = escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end);
            out.push_str(&escape[..end]);
            rest = &escape[end..];
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        compile(pattern).is_some_and(|regex| regex.is_match(name))
    }

    #[test]
    fn whole_names_match() {
        assert!(matches("logs.*", "logs-1"));
        assert!(!matches("logs", "logs-1"));
        assert!(!matches("ogs", "logs"));
        assert!(matches("a|ab", "ab"));
        assert!(!matches("a|b", "ab"));
        assert!(matches(r"\Qa.b\E.*", "a.bc"));
        assert!(!matches(r"\Qa.b\E.*", "axbc"));
        assert!(matches(r"\Qa.b", "a.b"));
        assert!(matches(r"a\.b", "a.b"));
        assert!(matches("[[:alpha:]]+", "abc"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for wrong in ["(", "a)", "a)(b", "*", "[", r"\C", r"(?=a)", r"(a)\1", r"\", "(a{1000}){1000}"] {
            assert!(!is_valid(wrong), "{wrong}");
        }
    }
}
