//! ListGroups (key 16), versions 0–5.
//!
//! - 3: flexible. 4 (KIP-518): states, and a filter for them. 5 (KIP-848): types, and a filter for them.
//!
//! Filters do not mind the case of letters; no filter lets all pass. Who may not describe the cluster sees the groups that
//! he may describe.

use std::iter::once;

use protocol_compat::messages::list_groups_response::ListedGroup;
use protocol_compat::messages::{ApiKey, GroupId, ListGroupsRequest, ListGroupsResponse, StrBytes};

use super::error::ToCode;
use super::groups::text;
use super::{Api, Cx, Then};
use crate::coordinator::group::Listed;
use crate::coordinator::shard::ShardError;
use crate::security::{Operation, Resource};

pub(super) struct ListGroups;

const STATES_FROM: i16 = 4;
const TYPES_FROM: i16 = 5;

impl Api for ListGroups {
    const KEY: i16 = ApiKey::ListGroups as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    type Req = ListGroupsRequest;
    type Resp = ListGroupsResponse;

    fn codes(reply: &ListGroupsResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code)
    }

    fn begin(cx: &Cx, req: ListGroupsRequest, version: i16) -> Then<ListGroupsResponse> {
        let may_see_all = cx.allow(Operation::Describe, Resource::Cluster);
        let shards = cx.broker.groups.shards(&cx.broker.partitions, &cx.seen.image);
        let lists: Vec<_> = shards.iter().map(|shard| shard.read(|machine| machine.list())).collect();
        let (broker, peer) = (cx.broker.clone(), cx.peer.clone());
        Then::later(async move {
            let may_see = |group: &Listed| {
                may_see_all
                    || broker.authorizer.allow(
                        &peer.principal,
                        Operation::Describe,
                        Resource::Group(&group.group),
                    )
            };
            let mut shown = Vec::new();
            for list in lists {
                let groups = match list.wait().await {
                    Ok(groups) => groups,
                    // Another coordinator may have them.
                    Err(ShardError::Gone) => continue,
                    Err(error) => return ListGroupsResponse::default().with_error_code(error.code().code()),
                };
                let wanted = groups.into_iter().filter(|group| passes(group, &req) && may_see(group));
                shown.extend(wanted.map(|group| show(group, version)));
            }
            ListGroupsResponse::default().with_groups(shown)
        })
    }
}

fn passes(group: &Listed, req: &ListGroupsRequest) -> bool {
    let named = |filter: &[StrBytes], name: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(name))
    };
    named(&req.states_filter, group.state) && named(&req.types_filter, group.kind)
}

fn show(group: Listed, version: i16) -> ListedGroup {
    let mut shown = ListedGroup::default()
        .with_group_id(GroupId(text(&group.group)))
        .with_protocol_type(text(&group.protocol_type));
    if version >= STATES_FROM {
        shown.group_state = StrBytes::from_static_str(group.state);
    }
    if version >= TYPES_FROM {
        shown.group_type = StrBytes::from_static_str(group.kind);
    }
    shown
}
