use super::print::{self, Format};
use bytes::Bytes;
use storage::Offset;
use storage::at_rest::{Field, Finding, Item, Severity};

fn item() -> Item {
    let bytes = |bytes: &'static [u8]| Some(Bytes::from_static(bytes));
    let headers = vec![(Bytes::from_static(b"h"), None), (Bytes::from_static(b"h"), bytes(b"2"))];
    Item {
        kind: "record",
        is_inner: true,
        fields: vec![
            ("offset", Field::Number(-1)),
            ("size", Field::Count(u64::MAX)),
            ("control", Field::Flag(false)),
            ("codec", Field::Text("none".to_owned())),
            ("key", Field::Bytes(None)),
            ("value", Field::Bytes(bytes(b"\xc3\xa4\"\\\x1b[31m\n\xff\xc3"))),
            ("headers", Field::Headers(headers)),
        ],
    }
}

fn printed(format: Format) -> String {
    let mut out = Vec::new();
    print::item(&item(), format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_line_for_people_holds_nothing_that_a_terminal_obeys() {
    assert_eq!(
        printed(Format::Text),
        "| record offset: -1 size: 18446744073709551615 control: false codec: none key: null \
         value: \"ä\\\"\\\\\\u{1b}[31m\\n\\xff\\xc3\" headers: [\"h\"=null, \"h\"=\"2\"]\n"
    );
}

#[test]
fn a_line_of_json_is_json() {
    let line: serde_json::Value = serde_json::from_str(&printed(Format::Json)).unwrap();
    assert_eq!(line["type"], "record");
    assert_eq!(line["size"], u64::MAX);
    assert_eq!(line["key"], serde_json::Value::Null);
    assert_eq!(line["value"]["hex"], "c3a4225c1b5b33316d0affc3");
    assert_eq!(line["headers"][1]["value"], "2");
    let finding = Finding {
        severity: Severity::Damage,
        path: "/a \"b\"/\u{1}".into(),
        position: Some(7),
        offset: Some(Offset(3)),
        what: "broken".to_owned(),
        advice: "mend it",
    };
    let mut out = Vec::new();
    print::finding(&finding, Format::Json, &mut out).unwrap();
    let line: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!((&line["path"], &line["offset"]), (&"/a \"b\"/\u{1}".into(), &3.into()));
    assert_eq!(finding.to_string(), "damage: /a \"b\"/\u{1}, position 7, offset 3: broken; mend it");
}
