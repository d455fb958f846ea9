//! ApiVersions (key 18), versions 0–4.
//!
//! - 3 (KIP-511): client software name and version; flexible, but for the reply's header, which stays version 0.
//! - 3–4 (KIP-584): features, and the levels that count (UpdateFeatures changes them; one at level 0 is not named). Of the
//!   supported ones those that begin with level 0 are named from 4 on (KIP-1022).
//!
//! A version of the future is answered in version 0 with UNSUPPORTED_VERSION and the range that is served.

use std::iter::once;

use protocol_compat::ErrorCode;
use protocol_compat::messages::api_versions_response::{
    ApiVersion, FinalizedFeatureKey, SupportedFeatureKey,
};
use protocol_compat::messages::{ApiKey, ApiVersionsRequest, ApiVersionsResponse, StrBytes};
use protocol_compat::versions;

use super::features;
use super::{Api, Cx, Served, TABLE, Then};
use crate::cluster::feature::{Features, Supported};

pub(super) struct ApiVersions;

/// The first version that carries the client's software.
const SOFTWARE_FROM: i16 = 3;
/// Clients of version 3 stumble over features that begin with level 0.
const LEVEL_0_FROM: i16 = 4;
/// Longest software name kept; it becomes a label of a metric one day.
const SOFTWARE_BYTES_MAX: usize = 128;

impl Api for ApiVersions {
    const KEY: i16 = ApiKey::ApiVersions as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;
    type Req = ApiVersionsRequest;
    type Resp = ApiVersionsResponse;

    fn codes(reply: &ApiVersionsResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code)
    }

    fn begin(cx: &Cx, req: ApiVersionsRequest, version: i16) -> Then<ApiVersionsResponse> {
        // Every client must be able to ask this before it is anybody: Kafka requires no right for it either.
        if version >= SOFTWARE_FROM {
            let software = [&req.client_software_name, &req.client_software_version];
            if !software.iter().all(|s| is_software_word(s)) {
                return Then::Now(
                    ApiVersionsResponse::default().with_error_code(ErrorCode::InvalidRequest.code()),
                );
            }
            let [name, release] = software.map(|s| s[..s.len().min(SOFTWARE_BYTES_MAX)].to_owned());
            // The pattern leaves ASCII only, so that any cut is between characters. A client may ask twice; what it said
            // first stands.
            let software = (name, release);
            if cx.peer.software.set(software.clone()).is_ok() {
                cx.broker.metrics.clients.opened(&software);
            }
        }
        Then::Now(served(version, cx.seen.image.features()))
    }
}

fn served(version: i16, levels: &Features) -> ApiVersionsResponse {
    let reply = ApiVersionsResponse::default().with_api_keys(TABLE.iter().map(api_version).collect());
    if version < SOFTWARE_FROM {
        return reply;
    }
    let features = features::supported();
    let shown = features.iter().filter(|feature| version >= LEVEL_0_FROM || feature.min > 0);
    let finalized = features.iter().filter_map(|feature| finalized(feature, levels.level(feature)));
    reply
        .with_supported_features(shown.map(supported).collect())
        .with_finalized_features(finalized.collect())
        .with_finalized_features_epoch(levels.epoch())
}

fn api_version(api: &Served) -> ApiVersion {
    // Produce is named from 0 although 3 is the lowest served: older librdkafka stops compressing otherwise.
    let min = versions::api_info(api.key).map_or(*api.versions.start(), |info| info.advertised_min);
    ApiVersion::default().with_api_key(api.key).with_min_version(min).with_max_version(*api.versions.end())
}

fn supported(feature: &Supported) -> SupportedFeatureKey {
    SupportedFeatureKey::default()
        .with_name(StrBytes::from_static_str(feature.name))
        .with_min_version(feature.min as i16)
        .with_max_version(feature.max as i16)
}

/// `None`: it is off.
fn finalized(feature: &Supported, level: u32) -> Option<FinalizedFeatureKey> {
    let key = FinalizedFeatureKey::default().with_name(StrBytes::from_static_str(feature.name));
    let level = Some(level as i16).filter(|level| *level > 0)?;
    Some(key.with_min_version_level(level).with_max_version_level(level))
}

/// Kafka's pattern for software names and versions: letters and digits, with `-` and `.` between them.
fn is_software_word(word: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = word.as_bytes();
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(b))
}

/// The answer to a version that is not known, in the layout of version 0.
pub(super) fn unsupported_version() -> ApiVersionsResponse {
    let own = TABLE.iter().filter(|api| api.key == ApiVersions::KEY).map(api_version).collect();
    ApiVersionsResponse::default().with_error_code(ErrorCode::UnsupportedVersion.code()).with_api_keys(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_words_follow_kafkas_pattern() {
        for good in ["apache-kafka-java", "4.3.1", "a", "librdkafka"] {
            assert!(is_software_word(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a b", "a/b", ".1"] {
            assert!(!is_software_word(bad), "{bad}");
        }
    }

    #[test]
    fn produce_is_named_from_version_0() {
        let produce = &served(0, &Features::default()).api_keys[0];
        assert_eq!((produce.api_key, produce.min_version, produce.max_version), (0, 0, 13));
    }
}
