//! Which records are printed: those that match patterns, as `grep` does with lines.

use clap::Args;
use regex::bytes::{Regex, RegexBuilder};
use storage::Record;

use crate::cli::remote::Stop;

#[derive(Clone, Debug, Args)]
pub struct FilterArgs {
    /// Only records whose value matches this regular expression.
    #[arg(long, value_name = "PATTERN")]
    pub grep: Option<String>,

    /// Only records whose key matches this regular expression.
    #[arg(long, value_name = "PATTERN")]
    pub grep_key: Option<String>,

    /// Only records with this header; with a value, only where it has that.
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub grep_header: Option<String>,

    /// Only records that do not match.
    #[arg(long)]
    pub invert_match: bool,

    /// Patterns match small and capital letters alike.
    #[arg(long)]
    pub ignore_case: bool,
}

pub(super) struct Filter {
    value: Option<Regex>,
    key: Option<Regex>,
    header: Option<(String, Option<String>)>,
    is_inverted: bool,
}

impl Filter {
    pub(super) fn new(args: &FilterArgs) -> Result<Filter, Stop> {
        let pattern = |text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => RegexBuilder::new(text)
                .case_insensitive(args.ignore_case)
                .build()
                .map(Some)
                .map_err(|error| Stop::Usage(error.to_string())),
        };
        let header = args.grep_header.as_ref().map(|text| match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (text.clone(), None),
        });
        Ok(Filter {
            value: pattern(&args.grep)?,
            key: pattern(&args.grep_key)?,
            header,
            is_inverted: args.invert_match,
        })
    }

    pub(super) fn lets_pass(&self, record: &Record<'_>) -> bool {
        if self.value.is_none() && self.key.is_none() && self.header.is_none() {
            return true;
        }
        self.matches(record) != self.is_inverted
    }

    /// Null matches nothing.
    fn matches(&self, record: &Record<'_>) -> bool {
        let fits = |pattern: &Option<Regex>, field: Option<&[u8]>| match pattern {
            None => true,
            Some(pattern) => field.is_some_and(|bytes| pattern.is_match(bytes)),
        };
        let has_header = self.header.as_ref().is_none_or(|(name, value)| {
            record.headers.iter().any(|header| {
                let is_value = |value: &String| header.value.as_deref() == Some(value.as_bytes());
                *header.key == *name.as_bytes() && value.as_ref().is_none_or(is_value)
            })
        });
        fits(&self.value, record.value.as_deref()) && fits(&self.key, record.key.as_deref()) && has_header
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::{BatchBuilder, records};

    fn passes(args: FilterArgs) -> Vec<bool> {
        let filter = Filter::new(&args).unwrap();
        let batch = BatchBuilder::new(0)
            .push(Some(b"k1"), Some(b"an Error"), &[("h", Some(b"1"))])
            .push(Some(b"k2"), Some(b"fine"), &[("h", Some(b"2"))])
            .push(None, None, &[])
            .build();
        records(&batch).unwrap().map(|record| filter.lets_pass(&record.unwrap())).collect()
    }

    fn args() -> FilterArgs {
        FilterArgs { grep: None, grep_key: None, grep_header: None, invert_match: false, ignore_case: false }
    }

    #[test]
    fn patterns_choose_records() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(passes(args()), [true, true, true]);
        assert_eq!(passes(FilterArgs { grep: some("error"), ..args() }), [false, false, false]);
        let ignoring = FilterArgs { grep: some("error"), ignore_case: true, ..args() };
        assert_eq!(passes(ignoring.clone()), [true, false, false]);
        assert_eq!(passes(FilterArgs { invert_match: true, ..ignoring }), [false, true, true]);
        assert_eq!(passes(FilterArgs { grep_key: some("^k[12]$"), ..args() }), [true, true, false]);
        assert_eq!(passes(FilterArgs { grep_header: some("h"), ..args() }), [true, true, false]);
        assert_eq!(passes(FilterArgs { grep_header: some("h=2"), ..args() }), [false, true, false]);
        assert!(Filter::new(&FilterArgs { grep: some("("), ..args() }).is_err());
    }
}
