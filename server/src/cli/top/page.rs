//! A page of metrics as it comes over the wire: read within bounds, never trusted.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(5);
/// Far above what a broker shows.
const PAGE_BYTES_MAX: u64 = 64 << 20;

/// The samples of a page, by metric.
#[derive(Debug, Default)]
pub(super) struct Page(BTreeMap<String, Vec<Sample>>);

#[derive(Debug, PartialEq)]
pub(super) struct Sample {
    labels: Vec<(String, String)>,
    pub(super) value: f64,
}

impl Sample {
    pub(super) fn label(&self, name: &str) -> &str {
        self.labels.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

impl Page {
    /// What does not look like a sample is passed over.
    pub(super) fn parse(text: &str) -> Page {
        let mut page = Page::default();
        for (name, sample) in text.lines().filter_map(line) {
            page.0.entry(name.to_owned()).or_default().push(sample);
        }
        page
    }

    pub(super) fn samples(&self, metric: &str) -> &[Sample] {
        self.0.get(metric).map_or(&[], Vec::as_slice)
    }

    pub(super) fn sum(&self, metric: &str) -> f64 {
        self.samples(metric).iter().map(|sample| sample.value).sum()
    }

    /// The sum over the samples with this label.
    pub(super) fn of(&self, metric: &str, label: &str, value: &str) -> f64 {
        let samples = self.samples(metric).iter().filter(|sample| sample.label(label) == value);
        samples.map(|sample| sample.value).sum()
    }
}

/// Name, labels and value of `name{label="value",…} number`.
fn line(line: &str) -> Option<(&str, Sample)> {
    if line.starts_with('#') {
        return None;
    }
    let end = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(end);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    (!name.is_empty()).then_some((name, Sample { labels, value }))
}

type Labels = Vec<(String, String)>;

/// The labels up to the closing brace, and what is behind it.
fn labels(mut rest: &str) -> Option<(Labels, &str)> {
    let mut found = Vec::new();
    loop {
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((found, rest));
        }
        let (name, behind) = rest.split_once("=\"")?;
        let (value, behind) = quoted(behind)?;
        found.push((name.trim_start_matches(',').to_owned(), value));
        rest = behind;
    }
}

/// A text up to its closing quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

/// Asks a broker for `path`; the answer's status and body.
pub(in crate::cli) fn ask(address: &str, path: &str) -> io::Result<(u16, String)> {
    let found = address.to_socket_addrs()?.next().ok_or(io::ErrorKind::AddrNotAvailable)?;
    let mut stream = TcpStream::connect_timeout(&found, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(PAGE_BYTES_MAX).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let unlike = || io::Error::new(io::ErrorKind::InvalidData, "this is no answer of HTTP");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(unlike)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(unlike)?;
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn samples_with_and_without_labels() {
        let page = Page::parse(
            "# HELP a b\n# TYPE a counter\na 3\na_bucket{le=\"+Inf\"} 4\n\
             lag{group=\"a \\\"b\\\\ {c}\",topic=\"t\"} 1.5\nnot a sample\n{} 3\n",
        );
        assert_eq!((page.sum("a"), page.sum("a_bucket"), page.sum("missing")), (3.0, 4.0, 0.0));
        let [lag] = page.samples("lag") else { panic!("one sample") };
        assert_eq!((lag.label("group"), lag.label("topic"), lag.value), ("a \"b\\ {c}", "t", 1.5));
        assert_eq!(page.of("lag", "topic", "t"), 1.5);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_breaks_it(text in "\\PC*", lines in "([a-z]{0,3}[{]?([a-z]?=?\"?[\\\\n\"}]?,?){0,5}[}]? ?[0-9.]{0,4}\n){0,10}") {
            Page::parse(&text);
            Page::parse(&lines);
        }
    }
}
