//! SyncGroup (key 14), versions 0–5.
//!
//! - 3 (KIP-345): static members. 4: flexible. 5 (KIP-559): the protocol's type and name, which the client must say.
//!
//! The leader's request carries what each member gets; everybody's reply waits for it, and leaves when it is durable.

use std::iter::once;

use protocol_compat::ErrorCode;
use protocol_compat::messages::{ApiKey, SyncGroupRequest, SyncGroupResponse};

use super::error::ToCode;
use super::groups::{self, arc, arc_or_none, copied, text_or_none, who};
use super::{Api, Cx, Then};
use crate::coordinator::group::{GroupError, Op, Reply, Sync};
use crate::coordinator::shard::ShardError;
use crate::security::{Operation, Resource};

pub(super) struct SyncGroup;

const PROTOCOL_REQUIRED_FROM: i16 = 5;

impl Api for SyncGroup {
    const KEY: i16 = ApiKey::SyncGroup as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    type Req = SyncGroupRequest;
    type Resp = SyncGroupResponse;

    fn codes(reply: &SyncGroupResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code)
    }

    fn begin(cx: &Cx, req: SyncGroupRequest, version: i16) -> Then<SyncGroupResponse> {
        if let Err(code) = check(cx, &req, version) {
            return Then::Now(failed(code));
        }
        let assignments = req.assignments.iter();
        let sync = Sync {
            group: arc(&req.group_id),
            who: who(&req.member_id, &req.group_instance_id, req.generation_id),
            protocol_type: arc_or_none(&req.protocol_type),
            protocol: arc_or_none(&req.protocol_name),
            assignments: assignments.map(|a| (arc(&a.member_id), copied(&a.assignment))).collect(),
        };
        groups::then(groups::write(cx, &req.group_id, Op::Sync(sync)), reply)
    }
}

fn check(cx: &Cx, req: &SyncGroupRequest, version: i16) -> Result<(), ErrorCode> {
    if version >= PROTOCOL_REQUIRED_FROM && (req.protocol_type.is_none() || req.protocol_name.is_none()) {
        return Err(GroupError::InconsistentProtocol.code());
    }
    if !cx.allow(Operation::Read, Resource::Group(&req.group_id)) {
        return Err(ErrorCode::GroupAuthorizationFailed);
    }
    if req.group_id.is_empty() { Err(GroupError::InvalidGroupId.code()) } else { Ok(()) }
}

fn reply(answer: Result<Reply, ShardError>) -> SyncGroupResponse {
    match answer {
        Ok(Reply::Synced(Ok(synced))) => SyncGroupResponse::default()
            .with_protocol_type(text_or_none(&synced.protocol_type))
            .with_protocol_name(text_or_none(&synced.protocol))
            .with_assignment(synced.assignment),
        Ok(Reply::Synced(Err(error))) => failed(error.code()),
        Ok(other) => groups::mismatch(&other),
        Err(error) => failed(error.code()),
    }
}

fn failed(code: ErrorCode) -> SyncGroupResponse {
    SyncGroupResponse::default()
        .with_protocol_type(None)
        .with_protocol_name(None)
        .with_error_code(code.code())
}
