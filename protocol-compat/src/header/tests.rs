use super::*;
use proptest::prelude::*;

const METADATA: i16 = 3;
const API_VERSIONS: i16 = 18;

fn frame(key: i16, version: i16, rest: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(key);
    out.put_i16(version);
    out.put_i32(77);
    out.put_slice(rest);
    out.freeze()
}

#[test]
fn a_plain_and_a_flexible_header() {
    let header = decode_request_header(&frame(METADATA, 8, b"\x00\x03abc\x55")).unwrap();
    assert_eq!((header.api_key, header.api_version, header.correlation_id), (METADATA, 8, 77));
    assert_eq!((&*header.client_id, header.body_offset), ("abc", 13));

    let tagged = b"\x00\x01z\x02\x07\x02xy\x81\x01\x00\x55";
    let header = decode_request_header(&frame(METADATA, 9, tagged)).unwrap();
    assert_eq!((&*header.client_id, header.body_offset), ("z", 8 + tagged.len() - 1));
}

#[test]
fn a_null_client_id_is_empty() {
    let header = decode_request_header(&frame(METADATA, 1, b"\xff\xff")).unwrap();
    assert_eq!((&*header.client_id, header.body_offset), ("", 10));
}

#[test]
fn what_is_unknown_keeps_its_correlation_id() {
    let unknown = decode_request_header(&frame(999, 1, b"")).unwrap_err();
    assert_eq!(unknown, HeaderError::UnknownKey { api_key: 999, api_version: 1, correlation_id: 77 });
    for version in [-1, 5, 99, i16::MAX] {
        let rest: &[u8] = if version < 3 { b"\x00\x01c" } else { b"\x00\x01c\x00" };
        let refused = decode_request_header(&frame(API_VERSIONS, version, rest)).unwrap_err();
        let client_id = StrBytes::from_static_str("c");
        let (api_key, api_version, correlation_id) = (API_VERSIONS, version, 77);
        assert_eq!(
            refused,
            HeaderError::UnsupportedVersion { api_key, api_version, correlation_id, client_id }
        );
    }
}

#[test]
fn a_header_that_is_cut_or_not_text_is_malformed() {
    let whole = frame(METADATA, 9, b"\x00\x01z\x01\x07\x02xy");
    for cut in 0..whole.len() {
        match decode_request_header(&whole.slice(..cut)).unwrap_err() {
            HeaderError::TooShort { frame_bytes } => assert!(frame_bytes < 8),
            HeaderError::Malformed { correlation_id, .. } => {
                assert_eq!((cut >= 8, correlation_id), (true, 77))
            }
            other => panic!("{other:?} at {cut}"),
        }
    }
    let not_text = decode_request_header(&frame(METADATA, 1, b"\x00\x02\xff\xfe"));
    assert!(matches!(not_text, Err(HeaderError::Malformed { .. })), "{not_text:?}");
    // The number of tags is four thousand million, and there are none.
    let endless = decode_request_header(&frame(METADATA, 9, b"\x00\x00\xff\xff\xff\xff\x0f"));
    assert!(matches!(endless, Err(HeaderError::Malformed { .. })), "{endless:?}");
}

#[test]
fn response_headers_have_a_tag_byte_when_flexible_but_for_api_versions() {
    for (key, version, expected) in
        [(METADATA, 8, 4), (METADATA, 9, 5), (API_VERSIONS, 0, 4), (API_VERSIONS, 4, 4), (999, 0, 4)]
    {
        let mut out = BytesMut::new();
        encode_response_header(key, version, 0x0102_0304, &mut out);
        assert_eq!(out.len(), expected);
        assert_eq!(response_header_bytes(key, version), expected);
        assert_eq!(&out[..4], [1, 2, 3, 4]);
        assert!(out[4..].iter().all(|&b| b == 0));
    }
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(header) = decode_request_header(&Bytes::from(bytes.clone())) {
            prop_assert!(header.body_offset <= bytes.len());
        }
    }

    #[test]
    fn any_rest_behind_a_known_key_gives_an_answer(
        key in 0i16..93,
        version in 0i16..20,
        rest in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let frame = frame(key, version, &rest);
        match decode_request_header(&frame) {
            Ok(header) => {
                prop_assert_eq!((header.api_key, header.api_version, header.correlation_id), (key, version, 77));
                prop_assert!((10..=frame.len()).contains(&header.body_offset));
            }
            Err(HeaderError::TooShort { .. }) => prop_assert!(false, "eight bytes are there"),
            Err(_) => {}
        }
    }

    #[test]
    fn what_a_client_writes_is_read(
        key in 0i16..93,
        version in 0i16..14,
        correlation_id: i32,
        client_id in prop::option::of("\\PC{0,40}"),
        tags in prop::collection::btree_map(any::<i32>().prop_map(|tag| tag & i32::MAX), prop::collection::vec(any::<u8>(), 0..20), 0..4),
        body in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        use kafka_protocol::messages::RequestHeader as Written;
        use kafka_protocol::protocol::Encodable;
        let Some(api) = api_info(key).filter(|api| api.serves(version)) else { return Ok(()) };
        let header_version = api.request_header_version(version);
        let mut written = Written::default()
            .with_request_api_key(key)
            .with_request_api_version(version)
            .with_correlation_id(correlation_id)
            .with_client_id(client_id.clone().map(StrBytes::from));
        if header_version == 2 {
            written.unknown_tagged_fields = tags.into_iter().map(|(tag, data)| (tag, Bytes::from(data))).collect();
        }
        let mut bytes = BytesMut::new();
        written.encode(&mut bytes, header_version).unwrap();
        let body_offset = bytes.len();
        bytes.put_slice(&body);
        let client_id = StrBytes::from(client_id.unwrap_or_default());
        let read = decode_request_header(&bytes.freeze());
        prop_assert_eq!(read, Ok(RequestHeader { api_key: key, api_version: version, correlation_id, client_id, body_offset }));
    }
}
