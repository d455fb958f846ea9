//! LeaveGroup (key 13), versions 0–5.
//!
//! - 3 (KIP-345): several members at once, static ones by their instance. 4: flexible. 5 (KIP-800): the client's reason.
//!
//! Up to version 2 one member leaves, and its outcome is the reply's own.

use std::iter::once;

use protocol_compat::ErrorCode;
use protocol_compat::messages::leave_group_request::MemberIdentity;
use protocol_compat::messages::leave_group_response::MemberResponse;
use protocol_compat::messages::{ApiKey, LeaveGroupRequest, LeaveGroupResponse};

use super::error::ToCode;
use super::groups::{self, arc, arc_or_none};
use super::{Api, Cx, Then};
use crate::coordinator::group::{GroupError, Leaving, Op, Reply};
use crate::coordinator::shard::ShardError;
use crate::security::{Operation, Resource};

pub(super) struct LeaveGroup;

/// The first version with several members.
const BATCHED_FROM: i16 = 3;

impl Api for LeaveGroup {
    const KEY: i16 = ApiKey::LeaveGroup as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    type Req = LeaveGroupRequest;
    type Resp = LeaveGroupResponse;

    fn codes(reply: &LeaveGroupResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code).chain(reply.members.iter().map(|m| m.error_code))
    }

    fn begin(cx: &Cx, req: LeaveGroupRequest, version: i16) -> Then<LeaveGroupResponse> {
        let refused = |code: ErrorCode| Then::Now(LeaveGroupResponse::default().with_error_code(code.code()));
        if !cx.allow(Operation::Read, Resource::Group(&req.group_id)) {
            return refused(ErrorCode::GroupAuthorizationFailed);
        }
        if req.group_id.is_empty() {
            return refused(GroupError::InvalidGroupId.code());
        }
        let members = match version {
            BATCHED_FROM.. => req.members,
            _ => vec![MemberIdentity::default().with_member_id(req.member_id).with_group_instance_id(None)],
        };
        let leaving = |m: &MemberIdentity| Leaving {
            member: arc(&m.member_id),
            instance: arc_or_none(&m.group_instance_id),
        };
        let op = Op::Leave { group: arc(&req.group_id), members: members.iter().map(leaving).collect() };
        groups::then(groups::write(cx, &req.group_id, op), move |answer| reply(answer, members, version))
    }
}

fn reply(
    answer: Result<Reply, ShardError>,
    members: Vec<MemberIdentity>,
    version: i16,
) -> LeaveGroupResponse {
    let outcomes = match answer {
        Ok(Reply::Left(Ok(outcomes))) => outcomes,
        // Nobody is a member of a group that is not there.
        Ok(Reply::Left(Err(error))) => vec![Err(error); members.len()],
        Ok(other) => groups::mismatch(&other),
        Err(error) => return LeaveGroupResponse::default().with_error_code(error.code().code()),
    };
    let mut shown = members.into_iter().zip(outcomes).map(|(member, outcome)| {
        MemberResponse::default()
            .with_member_id(member.member_id)
            .with_group_instance_id(member.group_instance_id)
            .with_error_code(groups::code(outcome))
    });
    if version >= BATCHED_FROM {
        return LeaveGroupResponse::default().with_members(shown.collect());
    }
    LeaveGroupResponse::default().with_error_code(shown.next().map_or(0, |member| member.error_code))
}
