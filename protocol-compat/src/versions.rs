//! What Kafka 4.3.1 serves: API keys with their versions and listeners, and the ranges of its versioned features.
//!
//! Generated from Kafka's jar. It says what a broker of that release does; what Ottla serves and advertises of it is
//! the server's table, a subset of this one.

/// One API of Kafka 4.3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiInfo {
    pub key: i16,
    pub name: &'static str,
    /// The lowest version served.
    pub min: i16,
    /// The highest version served.
    pub max: i16,
    /// The lowest version that ApiVersions names. It differs for Produce only: older clients stop compressing when they
    /// do not see version 0, although 0 to 2 are refused.
    pub advertised_min: i16,
    /// The first version with compact lengths and tagged fields, if there is one.
    pub first_flexible: Option<i16>,
    /// Whether brokers' listeners serve it.
    pub on_broker: bool,
    /// Whether controllers' listeners serve it.
    pub on_controller: bool,
}

impl ApiInfo {
    pub fn serves(&self, version: i16) -> bool {
        (self.min..=self.max).contains(&version)
    }

    pub fn is_flexible(&self, version: i16) -> bool {
        self.first_flexible.is_some_and(|first| version >= first)
    }

    /// 1, or 2 where the header carries tagged fields.
    pub fn request_header_version(&self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// 0, or 1 where the header carries tagged fields. ApiVersions always answers with 0: a client that asks for a
    /// version the broker does not know must still find the body.
    pub fn response_header_version(&self, version: i16) -> i16 {
        if self.is_flexible(version) && self.key != API_VERSIONS_KEY { 1 } else { 0 }
    }
}

/// A versioned feature and the levels that a broker of this release supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    pub name: &'static str,
    pub min: i16,
    pub max: i16,
}

const LIST_OFFSETS: i16 = 2;
const DESCRIBE_LOG_DIRS: i16 = 35;
/// The API that is answered in every version that there may be.
pub const API_VERSIONS_KEY: i16 = 18;

/// The API with this key, if Kafka 4.3.1 serves any version of it.
pub fn api_info(key: i16) -> Option<&'static ApiInfo> {
    let at = APIS.binary_search_by_key(&key, |api| api.key).ok()?;
    Some(&APIS[at])
}

/// The feature of this name.
pub fn feature(name: &str) -> Option<&'static Feature> {
    FEATURES.iter().find(|feature| feature.name == name)
}

/// The version to hand to the message codec for a request of a version on the wire: the same, but where the codec stops
/// earlier and the newer version changed meaning without changing a byte.
pub fn codec_version(key: i16, version: i16) -> i16 {
    match (key, version) {
        // Version 11 adds the timestamp -6 and nothing else.
        (LIST_OFFSETS, 11) => 10,
        // Version 5 changes the reply alone.
        (DESCRIBE_LOG_DIRS, 5) => 4,
        _ => version,
    }
}

/// As [`codec_version`], for the reply.
pub fn reply_codec_version(key: i16, version: i16) -> i16 {
    if key == DESCRIBE_LOG_DIRS { version } else { codec_version(key, version) }
}

include!("generated/apis.rs");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema_table::same_request_bytes;

    #[test]
    fn keys_are_sorted_and_found() {
        assert!(APIS.is_sorted_by_key(|api| api.key));
        for api in APIS {
            assert_eq!(api_info(api.key), Some(api));
            assert!(api.min <= api.max && api.advertised_min <= api.min, "{api:?}");
        }
        for absent in [-1, 4, 7, 93, 999, i16::MIN, i16::MAX] {
            assert_eq!(api_info(absent), None);
        }
    }

    #[test]
    fn only_produce_is_advertised_below_what_is_served() {
        let below: Vec<_> = APIS.iter().filter(|api| api.advertised_min < api.min).collect();
        assert_eq!(below.len(), 1);
        assert_eq!((below[0].key, below[0].advertised_min, below[0].min), (0, 0, 3));
    }

    #[test]
    fn a_borrowed_codec_version_has_the_same_bytes() {
        for api in APIS {
            for version in api.min..=api.max {
                let codec = codec_version(api.key, version);
                assert!(same_request_bytes(api.key, version, codec), "{} {version} by {codec}", api.name);
            }
        }
    }

    #[test]
    fn response_headers_follow_the_request() {
        let metadata = api_info(3).unwrap();
        assert_eq!((metadata.response_header_version(8), metadata.response_header_version(9)), (0, 1));
        let api_versions = api_info(API_VERSIONS_KEY).unwrap();
        assert_eq!((api_versions.request_header_version(4), api_versions.response_header_version(4)), (2, 0));
    }

    #[test]
    fn features_of_this_release() {
        assert_eq!(feature("metadata.version"), Some(&FEATURES[0]));
        assert_eq!((FEATURES[0].min, FEATURES[0].max), (7, 30));
        assert_eq!(feature("transaction.version").map(|f| (f.min, f.max)), Some((0, 2)));
        assert_eq!(feature("no.such.version"), None);
    }
}
