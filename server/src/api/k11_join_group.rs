//! JoinGroup (key 11), versions 0–9.
//!
//! - 1: rebalance timeout; before, the session's counts. 4 (KIP-394): a member without an id is given one and joins again
//!   with it. 5 (KIP-345): static members. 6: flexible. 7 (KIP-559): protocol type. 8 (KIP-800): the client's reason.
//!   9 (KIP-814): a leader may learn that nothing is to be assigned.
//!
//! The reply waits until the group is complete, which may take the whole rebalance timeout.

use std::iter::once;
use std::sync::Arc;

use protocol_compat::ErrorCode;
use protocol_compat::messages::join_group_response::JoinGroupResponseMember;
use protocol_compat::messages::{ApiKey, JoinGroupRequest, JoinGroupResponse, StrBytes};

use super::error::ToCode;
use super::groups::{self, arc, arc_or_none, copied, new_member_id, text, text_or_none};
use super::{Api, Cx, Then};
use crate::coordinator::group::{GroupError, Join, Joined, JoinedMember, Op, Protocol, Reply};
use crate::coordinator::shard::ShardError;
use crate::security::{Operation, Resource};

pub(super) struct JoinGroup;

const REBALANCE_TIMEOUT_FROM: i16 = 1;
const MEMBER_ID_REQUIRED_FROM: i16 = 4;
/// From here on a protocol that is not chosen is null, and not an empty text.
const NULL_PROTOCOL_FROM: i16 = 7;
const SKIP_ASSIGNMENT_FROM: i16 = 9;

impl Api for JoinGroup {
    const KEY: i16 = ApiKey::JoinGroup as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=9;
    type Req = JoinGroupRequest;
    type Resp = JoinGroupResponse;

    fn codes(reply: &JoinGroupResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code)
    }

    fn begin(cx: &Cx, req: JoinGroupRequest, version: i16) -> Then<JoinGroupResponse> {
        if let Err((code, member)) = check(cx, &req) {
            return Then::Now(failed(code, member, version));
        }
        let join = join(cx, &req, version);
        let pending = groups::write(cx, &req.group_id, Op::Join(Box::new(join)));
        groups::then(pending, move |answer| reply(answer, version))
    }
}

/// What is refused before the group is asked; with the member id that the reply names.
fn check(cx: &Cx, req: &JoinGroupRequest) -> Result<(), (ErrorCode, StrBytes)> {
    if !cx.allow(Operation::Read, Resource::Group(&req.group_id)) {
        return Err((ErrorCode::GroupAuthorizationFailed, StrBytes::new()));
    }
    let member = || req.member_id.clone();
    if req.group_id.is_empty() {
        return Err((GroupError::InvalidGroupId.code(), member()));
    }
    let config = cx.broker.config.load();
    let allowed = config.group_min_session_timeout_ms..=config.group_max_session_timeout_ms;
    if !allowed.contains(&req.session_timeout_ms) {
        return Err((GroupError::InvalidSessionTimeout.code(), member()));
    }
    Ok(())
}

fn join(cx: &Cx, req: &JoinGroupRequest, version: i16) -> Join {
    let protocols = req.protocols.iter();
    Join {
        group: arc(&req.group_id),
        member: arc(&req.member_id),
        new_member: new_member_id(cx, &req.group_instance_id),
        instance: arc_or_none(&req.group_instance_id),
        client_id: arc(&cx.client_id),
        // As Java prints an address that has no name.
        client_host: format!("/{}", cx.peer.address.ip()).into(),
        session_timeout_ms: req.session_timeout_ms,
        rebalance_timeout_ms: match version {
            REBALANCE_TIMEOUT_FROM.. => req.rebalance_timeout_ms,
            _ => req.session_timeout_ms,
        },
        protocol_type: arc(&req.protocol_type),
        protocols: protocols
            .map(|p| Protocol { name: arc(&p.name), metadata: copied(&p.metadata) })
            .collect(),
        takes_member_id: version >= MEMBER_ID_REQUIRED_FROM,
        skips_assignment: version >= SKIP_ASSIGNMENT_FROM,
    }
}

fn reply(answer: Result<Reply, ShardError>, version: i16) -> JoinGroupResponse {
    let joined = match answer {
        Ok(Reply::Joined(joined)) => *joined,
        Ok(other) => groups::mismatch(&other),
        Err(error) => return failed(error.code(), StrBytes::new(), version),
    };
    let Joined { error, generation, protocol_type, protocol, leader, skip_assignment, member, members } =
        joined;
    let mut reply = JoinGroupResponse::default()
        .with_error_code(error.map_or(0, |error| error.code().code()))
        .with_generation_id(generation)
        .with_protocol_name(protocol_name(&protocol, version))
        .with_leader(text(&leader))
        .with_skip_assignment(skip_assignment)
        .with_member_id(text(&member))
        .with_members(members.into_iter().map(shown).collect());
    reply.protocol_type = text_or_none(&protocol_type).filter(|_| version >= NULL_PROTOCOL_FROM);
    reply
}

fn shown(member: JoinedMember) -> JoinGroupResponseMember {
    JoinGroupResponseMember::default()
        .with_member_id(text(&member.id))
        .with_group_instance_id(text_or_none(&member.instance))
        .with_metadata(member.metadata)
}

fn protocol_name(protocol: &Option<Arc<str>>, version: i16) -> Option<StrBytes> {
    if version >= NULL_PROTOCOL_FROM {
        text_or_none(protocol).filter(|name| !name.is_empty())
    } else {
        Some(text_or_none(protocol).unwrap_or_default())
    }
}

fn failed(code: ErrorCode, member: StrBytes, version: i16) -> JoinGroupResponse {
    JoinGroupResponse::default()
        .with_error_code(code.code())
        .with_generation_id(-1)
        .with_protocol_type(None)
        .with_protocol_name(protocol_name(&None, version))
        .with_member_id(member)
}
