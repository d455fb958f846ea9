//! UpdateFeatures (key 57), versions 0–2: other levels of features (KIP-584).
//!
//! - 1 (KIP-778): types of update, `validate_only`; a request of version 0 can only upgrade, as 4.3.1 reads it. 2 (KIP-1022):
//!   no results for single features.
//!
//! One wrong update, and nothing changes: the whole is answered with INVALID_UPDATE_VERSION (95). `group.version` 0 turns the
//! protocol of KIP-848 off: its APIs are answered with UNSUPPORTED_VERSION (35) from then on. `metadata.version` has no level but
//! the highest here, and is refused others; Kafka refuses them too where its records differ.

use std::collections::BTreeMap;
use std::iter::once;

use protocol_compat::ErrorCode;
use protocol_compat::messages::update_features_request::FeatureUpdateKey;
use protocol_compat::messages::update_features_response::UpdatableFeatureResult;
use protocol_compat::messages::{ApiKey, StrBytes, UpdateFeaturesRequest, UpdateFeaturesResponse};

use super::error::{ToCode, text};
use super::features::supported;
use super::{Api, Cx, Then};
use crate::cluster::feature::{self, Direction, FeatureRefusal, Wanted};
use crate::security::{Operation, Resource};

pub(super) struct UpdateFeatures;

const TYPES_FROM: i16 = 1;
const RESULTS_TO: i16 = 1;
const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

impl Api for UpdateFeatures {
    const KEY: i16 = ApiKey::UpdateFeatures as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    type Req = UpdateFeaturesRequest;
    type Resp = UpdateFeaturesResponse;

    fn codes(reply: &UpdateFeaturesResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code).chain(reply.results.iter().map(|result| result.error_code))
    }

    fn begin(cx: &Cx, req: UpdateFeaturesRequest, version: i16) -> Then<UpdateFeaturesResponse> {
        if !cx.allow(Operation::Alter, Resource::Cluster) {
            let refused = (ErrorCode::ClusterAuthorizationFailed, "updating features is not allowed");
            return Then::Now(failed(refused.0, refused.1));
        }
        let wanted: BTreeMap<String, Wanted> =
            req.feature_updates.iter().map(|update| (update.feature.to_string(), wanted(update, version))).collect();
        let reply = || answered(&req, version);
        if req.validate_only {
            let decided = feature::update(&cx.seen.image, &supported(), &wanted);
            return Then::Now(decided.map_or_else(|why| failed(why.code(), &why.to_string()), |_| reply()));
        }
        let (outcome, seen) = cx.broker.controller.execute(|image| {
            Ok::<_, FeatureRefusal>((feature::update(image, &supported(), &wanted)?, ()))
        });
        let reply = match outcome {
            Ok(()) => reply(),
            Err(why) => failed(why.code(), &why.to_string()),
        };
        Then::once_durable(&seen, reply, |_, error| failed(error.code(), &error.to_string()))
    }
}

fn wanted(update: &FeatureUpdateKey, version: i16) -> Wanted {
    let direction = match update.upgrade_type {
        _ if version < TYPES_FROM => Direction::Up,
        UPGRADE => Direction::Up,
        SAFE_DOWNGRADE | UNSAFE_DOWNGRADE => Direction::Down,
        _ => Direction::Unknown,
    };
    Wanted { level: update.max_version_level, direction }
}

/// All is as it was asked for.
fn answered(req: &UpdateFeaturesRequest, version: i16) -> UpdateFeaturesResponse {
    let reply = UpdateFeaturesResponse::default().with_error_message(None);
    if version > RESULTS_TO {
        return reply;
    }
    let mut names: Vec<&StrBytes> = Vec::new();
    for update in &req.feature_updates {
        if !names.contains(&&update.feature) {
            names.push(&update.feature);
        }
    }
    let result = |name: &StrBytes| {
        UpdatableFeatureResult::default().with_feature(name.clone()).with_error_message(None)
    };
    reply.with_results(names.into_iter().map(result).collect())
}

fn failed(code: ErrorCode, why: &str) -> UpdateFeaturesResponse {
    UpdateFeaturesResponse::default().with_error_code(code.code()).with_error_message(text(why))
}
