//! ListPartitionReassignments (key 46), version 0.
//!
//! No partition is ever on its way to another broker, so the list is empty, whatever topics are asked about: Kafka leaves
//! out what it does not know, too.

use std::iter::once;

use protocol_compat::ErrorCode;
use protocol_compat::messages::{
    ApiKey, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
};

use super::error::text;
use super::{Api, Cx, Then};
use crate::security::{Operation, Resource};

pub(super) struct ListPartitionReassignments;

impl Api for ListPartitionReassignments {
    const KEY: i16 = ApiKey::ListPartitionReassignments as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    type Req = ListPartitionReassignmentsRequest;
    type Resp = ListPartitionReassignmentsResponse;

    fn codes(reply: &ListPartitionReassignmentsResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code)
    }

    fn begin(
        cx: &Cx,
        _req: ListPartitionReassignmentsRequest,
        _version: i16,
    ) -> Then<ListPartitionReassignmentsResponse> {
        let reply = ListPartitionReassignmentsResponse::default().with_error_message(None);
        Then::Now(match cx.allow(Operation::Describe, Resource::Cluster) {
            true => reply,
            false => reply
                .with_error_code(ErrorCode::ClusterAuthorizationFailed.code())
                .with_error_message(text("looking at reassignments is not allowed")),
        })
    }
}
