//! DescribeCluster (key 60), versions 0–2.
//!
//! - 1 (KIP-919): brokers or controllers, by the kind of listener asked. 2 (KIP-1073): fenced brokers on request.

use std::iter::once;

use protocol_compat::ErrorCode;
use protocol_compat::messages::describe_cluster_response::DescribeClusterBroker;
use protocol_compat::messages::{
    ApiKey, BrokerId, DescribeClusterRequest, DescribeClusterResponse, StrBytes,
};

use super::{Api, Cx, Then};
use crate::security::{Operation, Resource};

pub(super) struct DescribeCluster;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

impl Api for DescribeCluster {
    const KEY: i16 = ApiKey::DescribeCluster as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    type Req = DescribeClusterRequest;
    type Resp = DescribeClusterResponse;

    fn codes(reply: &DescribeClusterResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code)
    }

    fn begin(cx: &Cx, req: DescribeClusterRequest, version: i16) -> Then<DescribeClusterResponse> {
        Then::Now(match if version >= 1 { req.endpoint_type } else { BROKERS } {
            BROKERS => brokers(cx, &req, version),
            CONTROLLERS => failed(
                ErrorCode::MismatchedEndpointType,
                "controllers were asked for on a broker's listener; use bootstrap servers",
            ),
            _ => failed(ErrorCode::UnsupportedEndpointType, "this endpoint type is not known"),
        })
    }
}

fn brokers(cx: &Cx, req: &DescribeClusterRequest, version: i16) -> DescribeClusterResponse {
    let identity = &cx.broker.identity;
    let node = BrokerId(identity.node_id);
    let advertised = cx.broker.advertised_on(&cx.peer.listener);
    let brokers = advertised.map(|a| {
        DescribeClusterBroker::default()
            .with_broker_id(node)
            .with_host(StrBytes::from_string(a.host.clone()))
            .with_port(i32::from(a.port))
    });
    let mut reply = DescribeClusterResponse::default()
        .with_cluster_id(StrBytes::from_string(identity.cluster_id.clone()))
        .with_controller_id(node)
        .with_brokers(brokers.into_iter().collect());
    if version >= 1 {
        reply.endpoint_type = BROKERS;
    }
    // Kafka leaves the operations out for those who may not describe the cluster, and answers all the rest.
    if req.include_cluster_authorized_operations && cx.allow(Operation::Describe, Resource::Cluster) {
        reply.cluster_authorized_operations = cx.allowed_operations(Resource::Cluster);
    }
    reply
}

fn failed(code: ErrorCode, why: &'static str) -> DescribeClusterResponse {
    DescribeClusterResponse::default()
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_static_str(why)))
}
