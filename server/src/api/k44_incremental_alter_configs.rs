//! IncrementalAlterConfigs (key 44), versions 0–1.
//!
//! - 1: flexible.
//!
//! Changes single settings of a topic, a group or a subscription to clients' metrics: set, delete, append to a list, subtract
//! from a list. One wrong change, and nothing of that resource changes.
//!
//! Settings of this broker, or of all of them (empty name), are in force when the reply leaves, and kept over restarts. As
//! in Kafka a read-only one, a wrong value and one that is a single broker's are answered with 42, what is no list with 40,
//! and a name that nobody knows is kept. So are those of Kafka's that have no effect here. What Kafka changes and Ottla
//! only at a start is refused with 42 (`config/dynamic.rs`), and so is a default with which a topic's own settings would
//! not be valid any more. The level of a broker's logger is set, or taken away, until the broker stops.
//!
//! An operation that does not exist takes the whole request with it, but for what is refused before operations are looked
//! at: -1 for each resource, as 4.3.1 answers.

use std::collections::BTreeMap;

use protocol_compat::ErrorCode;
use protocol_compat::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol_compat::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use protocol_compat::messages::{
    ApiKey, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse, StrBytes,
};

use super::config_resource::{Altered, Asked, alter};
use super::error::text;
use super::{Api, Cx, Then};
use crate::cluster::configure::{Change, Wanted};
use crate::security::{Operation, Resource};

pub(super) struct IncrementalAlterConfigs;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

impl Api for IncrementalAlterConfigs {
    const KEY: i16 = ApiKey::IncrementalAlterConfigs as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    type Req = IncrementalAlterConfigsRequest;
    type Resp = IncrementalAlterConfigsResponse;

    fn codes(reply: &IncrementalAlterConfigsResponse) -> impl Iterator<Item = i16> {
        reply.responses.iter().map(|response| response.error_code)
    }

    fn begin(
        cx: &Cx,
        req: IncrementalAlterConfigsRequest,
        _version: i16,
    ) -> Then<IncrementalAlterConfigsResponse> {
        let asked: Vec<(i8, StrBytes)> = req
            .resources
            .iter()
            .map(|resource| (resource.resource_type, resource.resource_name.clone()))
            .collect();
        let all_known = req.resources.iter().flat_map(|resource| &resource.configs).all(is_known);
        let resources = req.resources.into_iter().map(altered).collect();
        let wanted = |configs: BTreeMap<String, Change>| match all_known {
            true => Ok(Wanted::Changes(configs)),
            false => {
                let why = "the request holds an operation that does not exist; there are 0 to 3";
                Err((ErrorCode::UnknownServerError, why.to_owned()))
            }
        };
        let may_alter = |resource: Resource<'_>| cx.allow(Operation::AlterConfigs, resource);
        let whole = Asked { validate_only: req.validate_only, loggers_too: true, may_alter: &may_alter };
        let altering = alter(cx, resources, &whole, wanted);
        let responses = asked.into_iter().zip(&altering.outcomes).map(|((kind, name), outcome)| {
            let response =
                AlterConfigsResourceResponse::default().with_resource_type(kind).with_resource_name(name);
            match outcome {
                Ok(()) => response.with_error_message(None),
                Err((code, why)) => response.with_error_code(code.code()).with_error_message(text(why)),
            }
        });
        let reply = IncrementalAlterConfigsResponse::default().with_responses(responses.collect());
        altering.then(cx, reply, |mut reply, code, why| {
            for response in reply.responses.iter_mut().filter(|response| response.error_code == 0) {
                response.error_code = code.code();
                response.error_message = text(why);
            }
            reply
        })
    }
}

fn is_known(config: &AlterableConfig) -> bool {
    (SET..=SUBTRACT).contains(&config.config_operation)
}

fn altered(resource: AlterConfigsResource) -> Altered<Change> {
    Altered {
        kind: resource.resource_type,
        name: resource.resource_name.to_string(),
        has_unknown_operation: !resource.configs.iter().all(is_known),
        configs: resource
            .configs
            .into_iter()
            .map(|config| (config.name.to_string(), change(config)))
            .collect(),
    }
}

/// `None`: it has no value and needs one.
fn change(config: AlterableConfig) -> Option<Change> {
    let value = config.value.map(|value| value.to_string());
    match config.config_operation {
        DELETE => Some(Change::Delete),
        APPEND => value.map(Change::Append),
        SUBTRACT => value.map(Change::Subtract),
        _ => value.map(Change::Set),
    }
}
