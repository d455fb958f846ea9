//! Heartbeat (key 12), versions 0–4.
//!
//! - 3 (KIP-345): static members. 4: flexible.
//!
//! While the group's log is still being read every heartbeat is answered with no error, as in Kafka: the member has
//! nothing to do about it.

use std::iter::once;

use protocol_compat::messages::{ApiKey, HeartbeatRequest, HeartbeatResponse};

use super::error::ToCode;
use super::groups::{self, arc, who};
use super::{Api, Cx, Then};
use crate::coordinator::group::{GroupError, Op, Reply};
use crate::coordinator::shard::ShardError;
use crate::security::{Operation, Resource};
use protocol_compat::ErrorCode;

pub(super) struct Heartbeat;

impl Api for Heartbeat {
    const KEY: i16 = ApiKey::Heartbeat as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=4;
    type Req = HeartbeatRequest;
    type Resp = HeartbeatResponse;

    fn codes(reply: &HeartbeatResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code)
    }

    fn begin(cx: &Cx, req: HeartbeatRequest, _version: i16) -> Then<HeartbeatResponse> {
        let refused = |code: ErrorCode| Then::Now(HeartbeatResponse::default().with_error_code(code.code()));
        if !cx.allow(Operation::Read, Resource::Group(&req.group_id)) {
            return refused(ErrorCode::GroupAuthorizationFailed);
        }
        if req.group_id.is_empty() {
            return refused(GroupError::InvalidGroupId.code());
        }
        let who = who(&req.member_id, &req.group_instance_id, req.generation_id);
        let op = Op::Heartbeat { group: arc(&req.group_id), who };
        groups::then(groups::write(cx, &req.group_id, op), |answer| {
            let code = match answer {
                Ok(Reply::Beaten(outcome)) => groups::code(outcome),
                Ok(other) => groups::mismatch(&other),
                Err(ShardError::Loading) => 0,
                Err(error) => error.code().code(),
            };
            HeartbeatResponse::default().with_error_code(code)
        })
    }
}
