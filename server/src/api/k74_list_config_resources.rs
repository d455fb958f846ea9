//! ListConfigResources (key 74), versions 0–1: what there are settings of.
//!
//! - 0 (KIP-714): client metrics only. 1 (KIP-1142): any types; none asked for are all.
//!
//! Groups are listed that have settings of their own; brokers and their loggers by the broker's id. A type that the
//! version does not know is answered with UNSUPPORTED_VERSION.

use protocol_compat::ErrorCode;
use protocol_compat::messages::list_config_resources_response::ConfigResource;
use protocol_compat::messages::{ApiKey, ListConfigResourcesRequest, ListConfigResourcesResponse};

use super::config_resource::ResourceType;
use super::groups::text;
use super::{Api, Cx, Then};
use crate::security::{Operation, Resource};

pub(super) struct ListConfigResources;

const TYPES_FROM: i16 = 1;

impl Api for ListConfigResources {
    const KEY: i16 = ApiKey::ListConfigResources as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    type Req = ListConfigResourcesRequest;
    type Resp = ListConfigResourcesResponse;

    fn codes(reply: &ListConfigResourcesResponse) -> impl Iterator<Item = i16> {
        [reply.error_code].into_iter()
    }

    fn begin(cx: &Cx, req: ListConfigResourcesRequest, version: i16) -> Then<ListConfigResourcesResponse> {
        if !cx.allow(Operation::DescribeConfigs, Resource::Cluster) {
            return Then::Now(failed(ErrorCode::ClusterAuthorizationFailed));
        }
        let known = match version {
            TYPES_FROM.. => ResourceType::ALL,
            _ => &[ResourceType::ClientMetrics],
        };
        let asked: Option<Vec<ResourceType>> = match req.resource_types.is_empty() {
            true => Some(known.to_vec()),
            false => req.resource_types.iter().map(|number| ResourceType::of(*number)).collect(),
        };
        let Some(asked) = asked.filter(|asked| asked.iter().all(|kind| known.contains(kind))) else {
            return Then::Now(failed(ErrorCode::UnsupportedVersion));
        };
        let kinds = ResourceType::ALL.iter().filter(|kind| asked.contains(kind));
        let found = kinds.flat_map(|kind| names(cx, *kind).into_iter().map(|name| (*kind, name)));
        let shown = found.map(|(kind, name)| {
            let resource = ConfigResource::default().with_resource_name(text(&name));
            if version >= TYPES_FROM { resource.with_resource_type(kind.number()) } else { resource }
        });
        Then::Now(ListConfigResourcesResponse::default().with_config_resources(shown.collect()))
    }
}

fn names(cx: &Cx, kind: ResourceType) -> Vec<String> {
    let image = &cx.seen.image;
    match kind {
        ResourceType::Group => image.configured_groups().map(|(group, _)| group.to_string()).collect(),
        ResourceType::ClientMetrics => {
            image.client_subscriptions().iter().map(|(name, _)| name.to_string()).collect()
        }
        ResourceType::Broker | ResourceType::BrokerLogger => vec![cx.broker.identity.node_id.to_string()],
        ResourceType::Topic => image.topics().map(|topic| topic.name.to_string()).collect(),
    }
}

fn failed(code: ErrorCode) -> ListConfigResourcesResponse {
    ListConfigResourcesResponse::default().with_error_code(code.code())
}
