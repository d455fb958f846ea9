//! One line of output, for people or as JSON: a kind and named values.
//!
//! Invariant: a line holds no line break and no control character, whatever a client wrote.

use std::fmt::Write as _;
use std::io::{self, Write};

use storage::at_rest::{Field, Finding, Item, Summary};

/// How lines are printed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Json,
}

impl Format {
    pub(super) fn new(json: bool) -> Format {
        if json { Format::Json } else { Format::Text }
    }
}

/// A JSON object in the making.
pub(super) struct Object(String);

impl Object {
    pub(super) fn new(kind: &str) -> Object {
        Object(format!("{{\"type\":{}", quoted(kind)))
    }

    pub(super) fn with(mut self, name: &str, value: impl std::fmt::Display) -> Object {
        // Writing to a string does not fail.
        let _ = write!(self.0, ",{}:{value}", quoted(name));
        self
    }

    pub(super) fn text(self, name: &str, value: &str) -> Object {
        self.with(name, quoted(value))
    }

    pub(super) fn some(self, name: &str, value: Option<impl std::fmt::Display>) -> Object {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(super) fn put(self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}}}", self.0)
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out + "\""
}

/// Bytes for people: UTF-8 as it is, all else as `\xNN`.
fn escaped(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '"' || c == '\\' || c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out + "\""
}

fn text_bytes(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(|| "null".to_owned(), escaped)
}

fn json_bytes(bytes: Option<&[u8]>) -> String {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => "null".to_owned(),
        Some((_, Ok(text))) => quoted(text),
        Some((bytes, Err(_))) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{{\"hex\":\"{hex}\"}}")
        }
    }
}

fn text_field(field: &Field) -> String {
    match field {
        Field::Number(number) => number.to_string(),
        Field::Count(number) => number.to_string(),
        Field::Flag(flag) => flag.to_string(),
        Field::Text(text) => text.clone(),
        Field::Bytes(bytes) => text_bytes(bytes.as_deref()),
        Field::Headers(headers) => {
            let headers: Vec<String> = headers
                .iter()
                .map(|(key, value)| format!("{}={}", escaped(key), text_bytes(value.as_deref())))
                .collect();
            format!("[{}]", headers.join(", "))
        }
    }
}

fn json_field(field: &Field) -> String {
    match field {
        Field::Text(text) => quoted(text),
        Field::Bytes(bytes) => json_bytes(bytes.as_deref()),
        Field::Headers(headers) => {
            let header = |(key, value): &(_, Option<_>)| {
                let key: &bytes::Bytes = key;
                let value: Option<&bytes::Bytes> = value.as_ref();
                let value = json_bytes(value.map(|value| &value[..]));
                format!("{{\"key\":{},\"value\":{value}}}", json_bytes(Some(key)))
            };
            let headers: Vec<String> = headers.iter().map(header).collect();
            format!("[{}]", headers.join(","))
        }
        plain => text_field(plain),
    }
}

pub(super) fn item(item: &Item, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Json => {
            let object = Object::new(item.kind);
            item.fields
                .iter()
                .fold(object, |object, (name, field)| object.with(name, json_field(field)))
                .put(out)
        }
        Format::Text => {
            let mut line = if item.is_inner { "| ".to_owned() } else { String::new() };
            line += item.kind;
            for (name, field) in &item.fields {
                let _ = write!(line, " {name}: {}", text_field(field));
            }
            writeln!(out, "{line}")
        }
    }
}

pub(super) fn finding(finding: &Finding, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Text => writeln!(out, "{finding}"),
        Format::Json => Object::new("finding")
            .text("severity", &finding.severity.to_string())
            .text("path", &finding.path.display().to_string())
            .some("position", finding.position)
            .some("offset", finding.offset)
            .text("what", &finding.what)
            .text("advice", finding.advice)
            .put(out),
    }
}

pub(super) fn summary(path: &str, found: &Summary, format: Format, out: &mut dyn Write) -> io::Result<()> {
    let Summary { files, bytes, batches, records, notes, damages } = found;
    match format {
        Format::Text => {
            let count =
                |number: &u64, what: &str| format!("{number} {what}{}", if *number == 1 { "" } else { "s" });
            let verdict = if *damages == 0 { "no damage".to_owned() } else { count(damages, "damage") };
            let (notes, files) = (count(notes, "note"), count(files, "file"));
            let (batches, records) = (format!("{batches} batches"), count(records, "record"));
            writeln!(out, "{path}: {verdict}, {notes}; {files}, {bytes} bytes, {batches}, {records}")
        }
        Format::Json => Object::new("summary")
            .text("path", path)
            .with("damages", damages)
            .with("notes", notes)
            .with("files", files)
            .with("bytes", bytes)
            .with("batches", batches)
            .with("records", records)
            .put(out),
    }
}
