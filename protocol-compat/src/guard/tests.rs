use super::*;

const METADATA: i16 = 3;
const FETCH: i16 = 1;
const DESCRIBE_TOPIC_PARTITIONS: i16 = 75;

fn check(key: i16, version: i16, body: &[u8]) -> Result<Footprint, GuardError> {
    check_body(key, version, body, &Limits::default())
}

fn violation(key: i16, version: i16, body: &[u8]) -> Violation {
    match check(key, version, body) {
        Err(GuardError::Malformed { violation, .. }) => violation,
        other => panic!("{other:?}"),
    }
}

#[test]
fn five_bytes_cannot_ask_for_gigabytes() {
    assert_eq!(violation(METADATA, 0, &i32::MAX.to_be_bytes()), Violation::CountTooLarge);
    assert_eq!(violation(METADATA, 12, &[0xff, 0xff, 0xff, 0xff, 0x0f]), Violation::CountTooLarge);
}

#[test]
fn nulls_pass_only_where_they_may() {
    // Version 0 has no null, version 1 does.
    assert_eq!(violation(METADATA, 0, &(-1i32).to_be_bytes()), Violation::UnexpectedNull);
    assert_eq!(check(METADATA, 1, &(-1i32).to_be_bytes()).map(|f| f.wire_bytes), Ok(4));
    assert_eq!(violation(METADATA, 1, &(-2i32).to_be_bytes()), Violation::NegativeLength);
    assert_eq!(violation(METADATA, 1, b"\x00\x00\x00\x01\xff\xff"), Violation::UnexpectedNull);
}

#[test]
fn text_is_utf_8_and_not_too_long() {
    assert_eq!(violation(METADATA, 0, b"\x00\x00\x00\x01\x00\x02\xff\xfe"), Violation::NotUtf8);
    let mut long = vec![2, 0x82, 0x80, 0x02];
    long.resize(40_000, b'a');
    assert_eq!(violation(METADATA, 9, &long), Violation::TextTooLong);
}

#[test]
fn bytes_behind_the_body_are_ignored() {
    let footprint = check(METADATA, 0, b"\x00\x00\x00\x00rest").unwrap();
    assert_eq!(footprint.wire_bytes, 4);
}

#[test]
fn a_nullable_struct_is_there_or_not() {
    // No topics, a limit, then the cursor.
    let request = |presence: &[u8]| [b"\x01\x00\x00\x00\x0a", presence].concat();
    assert_eq!(check(DESCRIBE_TOPIC_PARTITIONS, 0, &request(b"\xff\x00")).map(|f| f.wire_bytes), Ok(7));
    let present = request(b"\x01\x02a\x00\x00\x00\x01\x00\x00");
    assert_eq!(check(DESCRIBE_TOPIC_PARTITIONS, 0, &present).map(|f| f.wire_bytes), Ok(present.len()));
    assert_eq!(violation(DESCRIBE_TOPIC_PARTITIONS, 0, &request(b"\x00\x00")), Violation::BadPresence);
}

#[test]
fn tags_are_known_unknown_or_of_another_version() {
    // Fetch 12 without topics; then the tags.
    let fetch = |tags: &[u8]| {
        let mut body = vec![0; 25];
        body.extend_from_slice(b"\x01\x01\x01");
        body.extend_from_slice(tags);
        body
    };
    let plain = check(FETCH, 12, &fetch(b"\x00")).unwrap();
    let cluster_id = check(FETCH, 12, &fetch(b"\x01\x00\x03\x03id")).unwrap();
    assert_eq!(cluster_id.decoded_bytes_max, plain.decoded_bytes_max);
    let unknown = check(FETCH, 12, &fetch(b"\x02\x63\x01x\x64\x00")).unwrap();
    assert_eq!(unknown.decoded_bytes_max, plain.decoded_bytes_max + 512 + 112);
    // Tag 1 exists from version 15.
    assert_eq!(violation(FETCH, 12, &fetch(b"\x01\x01\x00")), Violation::TagOfAnotherVersion);
    assert_eq!(violation(FETCH, 12, &fetch(b"\xff\xff\xff\xff\x0f")), Violation::Truncated);
}

#[test]
fn what_is_not_served_has_no_schema() {
    assert_eq!(check(FETCH, 3, &[]), Err(GuardError::NoSchema { key: FETCH, version: 3 }));
    assert_eq!(check(-7, 0, &[]), Err(GuardError::NoSchema { key: -7, version: 0 }));
}

#[test]
fn structure_out_of_proportion_is_refused() {
    // A million topics with empty names: two bytes each, and many times that once decoded.
    let mut body = 1_000_000i32.to_be_bytes().to_vec();
    body.resize(4 + 2_000_000, 0);
    assert!(matches!(
        check(METADATA, 0, &body),
        Err(GuardError::TooLarge { at: 4, limit_bytes: FOOTPRINT_MAX_BYTES })
    ));
    // A thousand pass the floor, and only a larger floor lets them by.
    let mut body = 1_000i32.to_be_bytes().to_vec();
    body.resize(4 + 2_000, 0);
    assert!(matches!(
        check(METADATA, 0, &body),
        Err(GuardError::TooLarge { limit_bytes: FOOTPRINT_FLOOR_BYTES, .. })
    ));
    let generous = Limits { footprint_floor_bytes: 1 << 20, ..Limits::default() };
    assert!(check_body(METADATA, 0, &body, &generous).is_ok());
}

#[test]
fn limits_have_a_floor_a_proportion_and_a_ceiling() {
    let limits = Limits::default();
    assert_eq!(limits.footprint_bytes(0), FOOTPRINT_FLOOR_BYTES);
    assert_eq!(limits.footprint_bytes(10_000), 160_000);
    assert_eq!(limits.footprint_bytes(usize::MAX), FOOTPRINT_MAX_BYTES);
}
