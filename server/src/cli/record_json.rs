//! A record as a line of JSON: what `ottla consume --json` prints and `ottla produce --from-json` reads.
//!
//! `key` and `value` are text, null, or `{"hex": "…"}` where the bytes are no UTF-8; `headers` is a list of objects with
//! `key` and `value`, since a name may come twice; `timestamp` is in milliseconds since 1970. A line is somebody's text:
//! whatever does not fit is refused, with the reason.

use serde_json::{Map, Value, json};
use storage::Record;

/// What a line asks to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NewRecord {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(super) timestamp: Option<i64>,
    pub(super) partition: Option<i32>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct BadRecord(String);

fn bad(what: impl Into<String>) -> BadRecord {
    BadRecord(what.into())
}

/// The object of a record that was read.
pub(super) fn object(topic: &str, partition: i32, record: &Record<'_>) -> Value {
    let headers: Vec<Value> = record
        .headers
        .iter()
        .map(|header| json!({"key": bytes(Some(&header.key)), "value": bytes(header.value.as_deref())}))
        .collect();
    json!({
        "topic": topic,
        "partition": partition,
        "offset": record.offset.0,
        "timestamp": record.timestamp,
        "key": bytes(record.key.as_deref()),
        "value": bytes(record.value.as_deref()),
        "headers": headers,
    })
}

fn bytes(bytes: Option<&[u8]>) -> Value {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => Value::Null,
        Some((_, Ok(text))) => json!(text),
        Some((bytes, Err(_))) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({"hex": hex})
        }
    }
}

/// Reads a line. Names that a read record has and a new one has no use for (`topic`, `offset`) are passed over.
pub(super) fn parse(line: &[u8]) -> Result<NewRecord, BadRecord> {
    let value: Value = serde_json::from_slice(line).map_err(|error| bad(error.to_string()))?;
    let Value::Object(mut object) = value else { return Err(bad("it is no JSON object")) };
    let mut record = NewRecord {
        key: field(&mut object, "key")?,
        value: field(&mut object, "value")?,
        ..NewRecord::default()
    };
    record.timestamp = number(&mut object, "timestamp")?;
    record.partition = number(&mut object, "partition")?
        .map(|index| i32::try_from(index).map_err(|_| bad("`partition` is too large")))
        .transpose()?;
    match object.remove("headers") {
        None | Some(Value::Null) => {}
        Some(Value::Array(headers)) => {
            record.headers = headers.into_iter().map(header).collect::<Result<_, _>>()?;
        }
        Some(_) => return Err(bad("`headers` is no list")),
    }
    for passed_over in ["topic", "offset"] {
        object.remove(passed_over);
    }
    match object.keys().next() {
        // A misspelt name would be a lost field.
        Some(unknown) => Err(bad(format!(
            "`{unknown}` is not known; a record has key, value, headers, timestamp, partition"
        ))),
        None => Ok(record),
    }
}

fn header(header: Value) -> Result<(String, Option<Vec<u8>>), BadRecord> {
    let Value::Object(mut header) = header else { return Err(bad("a header is no JSON object")) };
    let Some(Value::String(key)) = header.remove("key") else { return Err(bad("a header has no `key`")) };
    Ok((key, field(&mut header, "value")?))
}

fn number(object: &mut Map<String, Value>, name: &str) -> Result<Option<i64>, BadRecord> {
    match object.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_i64() {
            Some(number) if number >= 0 => Ok(Some(number)),
            _ => Err(bad(format!("`{name}` is no number"))),
        },
    }
}

fn field(object: &mut Map<String, Value>, name: &str) -> Result<Option<Vec<u8>>, BadRecord> {
    match object.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.into_bytes())),
        Some(Value::Object(mut object)) => match object.remove("hex") {
            Some(Value::String(hex)) => unhexed(&hex).map(Some),
            _ => Err(bad(format!("`{name}` has no `hex`"))),
        },
        Some(_) => Err(bad(format!("`{name}` is no text"))),
    }
}

fn unhexed(hex: &str) -> Result<Vec<u8>, BadRecord> {
    let digits: Option<Vec<u8>> = hex.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => {
            Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
        }
        _ => Err(bad("`hex` does not hold pairs of hexadecimal digits")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use storage::{BatchBuilder, records};

    #[test]
    fn what_does_not_fit_is_refused() {
        for line in [
            "",
            "[]",
            "1",
            "{",
            r#"{"vlaue":"x"}"#,
            r#"{"value":1}"#,
            r#"{"value":{"hex":"0g"}}"#,
            r#"{"value":{"hex":"abc"}}"#,
            r#"{"headers":{}}"#,
            r#"{"headers":[{"value":"x"}]}"#,
            r#"{"timestamp":"now"}"#,
            r#"{"partition":-1}"#,
            r#"{"partition":99999999999}"#,
        ] {
            assert!(parse(line.as_bytes()).is_err(), "{line}");
        }
        assert_eq!(parse(b"{}"), Ok(NewRecord::default()));
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(
            key in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
            value in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
            header in prop::option::of(("\\PC{0,9}", prop::option::of(prop::collection::vec(any::<u8>(), 0..9)))),
            timestamp in 0i64..4_000_000_000_000,
        ) {
            let headers: Vec<(&str, Option<&[u8]>)> =
                header.iter().map(|(key, value)| (&**key, value.as_deref())).collect();
            let batch = BatchBuilder::new(timestamp).push(key.as_deref(), value.as_deref(), &headers).build();
            let record = records(&batch).unwrap().next().unwrap().unwrap();
            let line = object("t", 3, &record).to_string();
            let read = parse(line.as_bytes()).unwrap();
            let expected = NewRecord {
                key, value, headers: header.into_iter().collect(), timestamp: Some(timestamp), partition: Some(3),
            };
            prop_assert_eq!(read, expected);
        }

        #[test]
        fn any_line_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..100), text in "\\PC{0,60}") {
            let _ = parse(&bytes);
            let _ = parse(text.as_bytes());
        }
    }
}
