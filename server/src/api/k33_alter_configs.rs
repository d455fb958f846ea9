//! AlterConfigs (key 33), versions 0–2.
//!
//! - 1: as 0. 2: flexible.
//!
//! Replaces all settings of a topic, a group or a subscription to clients' metrics; those that are not named go back to the
//! broker's defaults. So it does with what this broker, or all of them (empty name), were given while they ran; which may be,
//! and with which codes others are refused, says IncrementalAlterConfigs. Loggers are not altered by this API in Kafka either
//! (42).
//!
//! Kafka never answers a request that names a resource twice (seen on 4.3.1: it fails while counting errors); here each of
//! them is answered with the code that Kafka means to give, 42.

use protocol_compat::messages::alter_configs_response::AlterConfigsResourceResponse;
use protocol_compat::messages::{AlterConfigsRequest, AlterConfigsResponse, ApiKey, StrBytes};

use super::config_resource::{Altered, Asked, alter};
use super::error::text;
use super::{Api, Cx, Then};
use crate::cluster::configure::Wanted;
use crate::security::{Operation, Resource};

pub(super) struct AlterConfigs;

impl Api for AlterConfigs {
    const KEY: i16 = ApiKey::AlterConfigs as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    type Req = AlterConfigsRequest;
    type Resp = AlterConfigsResponse;

    fn codes(reply: &AlterConfigsResponse) -> impl Iterator<Item = i16> {
        reply.responses.iter().map(|response| response.error_code)
    }

    fn begin(cx: &Cx, req: AlterConfigsRequest, _version: i16) -> Then<AlterConfigsResponse> {
        let asked: Vec<(i8, StrBytes)> = req
            .resources
            .iter()
            .map(|resource| (resource.resource_type, resource.resource_name.clone()))
            .collect();
        let resources = req.resources.into_iter().map(|resource| Altered {
            kind: resource.resource_type,
            name: resource.resource_name.to_string(),
            configs: resource
                .configs
                .into_iter()
                .map(|config| (config.name.to_string(), config.value.map(|value| value.to_string())))
                .collect(),
            has_unknown_operation: false,
        });
        let exactly = |configs| Ok(Wanted::Exactly(configs));
        let may_alter = |resource: Resource<'_>| cx.allow(Operation::AlterConfigs, resource);
        let whole = Asked { validate_only: req.validate_only, loggers_too: false, may_alter: &may_alter };
        let altering = alter(cx, resources.collect(), &whole, exactly);
        let responses = asked.into_iter().zip(&altering.outcomes).map(|((kind, name), outcome)| {
            let response =
                AlterConfigsResourceResponse::default().with_resource_type(kind).with_resource_name(name);
            match outcome {
                Ok(()) => response.with_error_message(None),
                Err((code, why)) => response.with_error_code(code.code()).with_error_message(text(why)),
            }
        });
        let reply = AlterConfigsResponse::default().with_responses(responses.collect());
        altering.then(cx, reply, |mut reply, code, why| {
            for response in reply.responses.iter_mut().filter(|response| response.error_code == 0) {
                response.error_code = code.code();
                response.error_message = text(why);
            }
            reply
        })
    }
}
