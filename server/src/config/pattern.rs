//! Patterns that must be the whole of a text, as Java's `matches` has it.

use regex::{Regex, RegexBuilder};

/// A compiled pattern may take this much.
const COMPILED_BYTES_MAX: usize = 1 << 20;

#[derive(Clone, Debug)]
pub struct WholePattern {
    text: String,
    compiled: Regex,
}

impl WholePattern {
    pub fn parse(text: &str) -> Option<WholePattern> {
        let build = |pattern: &str| RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).build().ok();
        // By itself first, so that no stray bracket closes ours.
        build(text)?;
        let compiled = build(&format!(r"\A(?:{text})\z"))?;
        Some(WholePattern { text: text.to_owned(), compiled })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn is_match(&self, text: &str) -> bool {
        self.compiled.is_match(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_must_match() {
        let pattern = WholePattern::parse("a|b.*").unwrap();
        assert!(pattern.is_match("a") && pattern.is_match("bcd"));
        assert!(!pattern.is_match("ab") && !pattern.is_match("cb") && !pattern.is_match("a\n"));
        for text in ["(", "a)|(?:b", "[", r"\w{900}{900}"] {
            assert!(WholePattern::parse(text).is_none(), "{text}");
        }
    }
}
