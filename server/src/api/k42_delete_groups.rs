//! DeleteGroups (key 42), versions 0–2.
//!
//! - 1: same bytes. 2: flexible.
//!
//! A group goes with everything that it has committed; one that has members stays. Each has an outcome of its own.

use std::collections::BTreeSet;

use protocol_compat::ErrorCode;
use protocol_compat::messages::delete_groups_response::DeletableGroupResult;
use protocol_compat::messages::{ApiKey, DeleteGroupsRequest, DeleteGroupsResponse, GroupId};

use super::error::ToCode;
use super::groups::{self, arc};
use super::{Api, Cx, Then};
use crate::coordinator::group::{Op, Reply};
use crate::coordinator::shard::{Pending, ShardError};
use crate::security::{Operation, Resource};

pub(super) struct DeleteGroups;

impl Api for DeleteGroups {
    const KEY: i16 = ApiKey::DeleteGroups as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=2;
    type Req = DeleteGroupsRequest;
    type Resp = DeleteGroupsResponse;

    fn codes(reply: &DeleteGroupsResponse) -> impl Iterator<Item = i16> {
        reply.results.iter().map(|r| r.error_code)
    }

    fn begin(cx: &Cx, req: DeleteGroupsRequest, _version: i16) -> Then<DeleteGroupsResponse> {
        let mut seen = BTreeSet::new();
        let names = req.groups_names.into_iter().filter(|name| seen.insert(name.to_string()));
        let begun: Vec<_> = names
            .map(|name| {
                let outcome = delete(cx, &name);
                (name, outcome)
            })
            .collect();
        Then::later(async move {
            let mut results = Vec::with_capacity(begun.len());
            for (name, outcome) in begun {
                let code = match outcome {
                    Ok(pending) => code_of(pending.wait().await),
                    Err(code) => code.code(),
                };
                results.push(DeletableGroupResult::default().with_group_id(name).with_error_code(code));
            }
            DeleteGroupsResponse::default().with_results(results)
        })
    }
}

fn delete(cx: &Cx, name: &GroupId) -> Result<Pending<Reply>, ErrorCode> {
    if !cx.allow(Operation::Delete, Resource::Group(name)) {
        return Err(ErrorCode::GroupAuthorizationFailed);
    }
    Ok(groups::write(cx, name, Op::DeleteGroups { groups: vec![arc(name)] }))
}

fn code_of(answer: Result<Reply, ShardError>) -> i16 {
    match answer {
        Ok(Reply::GroupsDeleted(outcomes)) => outcomes.into_iter().map(groups::code).next().unwrap_or(0),
        Ok(other) => groups::mismatch(&other),
        Err(error) => error.code().code(),
    }
}
