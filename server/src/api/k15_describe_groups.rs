//! DescribeGroups (key 15), versions 0–6.
//!
//! - 3: authorized operations. 4 (KIP-345): static members. 5: flexible. 6 (KIP-1043): an unknown group is an error.
//!
//! Before version 6 a group that is not there is shown as dead and without an error.

use std::sync::Arc;

use protocol_compat::ErrorCode;
use protocol_compat::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use protocol_compat::messages::{ApiKey, DescribeGroupsRequest, DescribeGroupsResponse, GroupId, StrBytes};

use super::error::ToCode;
use super::groups::{self, arc, text, text_or_none};
use super::{Api, Cx, Then};
use crate::coordinator::group::{Described, DescribedMember, GroupError};
use crate::coordinator::shard::{Pending, ShardError};
use crate::security::{Operation, Resource};

pub(super) struct DescribeGroups;

const OPERATIONS_FROM: i16 = 3;
const NOT_FOUND_FROM: i16 = 6;
/// The state of a group that is not there.
const DEAD: &str = "Dead";
/// What stands where no operations were asked for.
const NO_OPERATIONS: i32 = i32::MIN;

/// One group of the request: what may be done to it, or why it is not shown.
type Asked = (GroupId, Result<i32, ErrorCode>, Pending<Option<Described>>);

impl Api for DescribeGroups {
    const KEY: i16 = ApiKey::DescribeGroups as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;
    type Req = DescribeGroupsRequest;
    type Resp = DescribeGroupsResponse;

    fn codes(reply: &DescribeGroupsResponse) -> impl Iterator<Item = i16> {
        reply.groups.iter().map(|g| g.error_code)
    }

    fn begin(cx: &Cx, req: DescribeGroupsRequest, version: i16) -> Then<DescribeGroupsResponse> {
        let with_operations = req.include_authorized_operations && version >= OPERATIONS_FROM;
        let asked: Vec<Asked> = req.groups.into_iter().map(|id| ask(cx, id, with_operations)).collect();
        Then::later(async move {
            let mut shown = Vec::with_capacity(asked.len());
            for (id, operations, pending) in asked {
                let group = match operations {
                    Ok(operations) => show(pending.wait().await, id, operations, version),
                    Err(code) => failed(id, code),
                };
                shown.push(group);
            }
            DescribeGroupsResponse::default().with_groups(shown)
        })
    }
}

fn ask(cx: &Cx, id: GroupId, with_operations: bool) -> Asked {
    if !cx.allow(Operation::Describe, Resource::Group(&id)) {
        return (id, Err(ErrorCode::GroupAuthorizationFailed), Pending::Now(Ok(None)));
    }
    let operations = match with_operations {
        true => cx.allowed_operations(Resource::Group(&id)),
        false => NO_OPERATIONS,
    };
    let group: Arc<str> = arc(&id);
    let described = match groups::shard(cx, &group) {
        Ok(shard) => shard.read(|machine| machine.describe(&group)),
        Err(error) => Pending::failed(error),
    };
    (id, Ok(operations), described)
}

fn show(
    found: Result<Option<Described>, ShardError>,
    id: GroupId,
    operations: i32,
    version: i16,
) -> DescribedGroup {
    let described = match found {
        Ok(Some(described)) => described,
        Ok(None) if version >= NOT_FOUND_FROM => {
            let why = text(&format!("Group {} not found.", id.0));
            let code = GroupError::GroupNotFound.code();
            return failed(id, code)
                .with_group_state(StrBytes::from_static_str(DEAD))
                .with_error_message(Some(why));
        }
        Ok(None) => {
            let dead =
                DescribedGroup::default().with_group_id(id).with_group_state(StrBytes::from_static_str(DEAD));
            return dead.with_error_message(None).with_authorized_operations(operations);
        }
        Err(error) => return failed(id, error.code()),
    };
    DescribedGroup::default()
        .with_group_id(id)
        .with_error_message(None)
        .with_group_state(StrBytes::from_static_str(described.state))
        .with_protocol_type(text(&described.protocol_type))
        .with_protocol_data(text(&described.protocol))
        .with_members(described.members.into_iter().map(member).collect())
        .with_authorized_operations(operations)
}

fn member(member: DescribedMember) -> DescribedGroupMember {
    DescribedGroupMember::default()
        .with_member_id(text(&member.id))
        .with_group_instance_id(text_or_none(&member.instance))
        .with_client_id(text(&member.client_id))
        .with_client_host(text(&member.client_host))
        .with_member_metadata(member.metadata)
        .with_member_assignment(member.assignment)
}

fn failed(id: GroupId, code: ErrorCode) -> DescribedGroup {
    DescribedGroup::default()
        .with_group_id(id)
        .with_error_message(None)
        .with_error_code(code.code())
        .with_authorized_operations(NO_OPERATIONS)
}
