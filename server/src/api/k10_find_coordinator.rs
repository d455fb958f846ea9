//! FindCoordinator (key 10), versions 0–6.
//!
//! - 1: kinds of keys. 3: flexible. 4 (KIP-699): many keys at once. 5 (KIP-890): same bytes. 6 (KIP-932): share groups.
//!
//! This broker coordinates every group. The topic that groups are kept in is made here, when the first client asks, and
//! is there when the reply leaves (Kafka answers COORDINATOR_NOT_AVAILABLE first). Coordinators of transactions are not
//! served and are answered with that; those of share groups neither, with INVALID_REQUEST as of a broker without them.

use std::iter::once;
use std::sync::Arc;

use protocol_compat::ErrorCode;
use protocol_compat::messages::find_coordinator_response::Coordinator;
use protocol_compat::messages::{
    ApiKey, BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, StrBytes,
};

use super::error::ToCode;
use super::groups::text;
use super::{Api, Cx, Then};
use crate::cluster::controller::Seen;
use crate::security::{Operation, Resource};

pub(super) struct FindCoordinator;

/// The first version that asks for many keys.
const BATCHED_FROM: i16 = 4;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

impl Api for FindCoordinator {
    const KEY: i16 = ApiKey::FindCoordinator as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=6;
    type Req = FindCoordinatorRequest;
    type Resp = FindCoordinatorResponse;

    fn codes(reply: &FindCoordinatorResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code).chain(reply.coordinators.iter().map(|c| c.error_code))
    }

    fn begin(cx: &Cx, req: FindCoordinatorRequest, version: i16) -> Then<FindCoordinatorResponse> {
        let mut made = None;
        let keys = if version < BATCHED_FROM { vec![req.key] } else { req.coordinator_keys };
        let found = keys.into_iter().map(|key| {
            let outcome = find(cx, req.key_type, &key, &mut made);
            let found = coordinator(cx, key, outcome);
            // Kafka has words for a kind of key that it does not know, and else for none.
            let is_unknown = version >= BATCHED_FROM && !(GROUP..=SHARE).contains(&req.key_type);
            let words = StrBytes::from_static_str("there are no keys of this type");
            if is_unknown { found.with_error_message(Some(words)) } else { found }
        });
        let found: Vec<Coordinator> = found.collect();
        let reply = if version < BATCHED_FROM {
            single(found)
        } else {
            FindCoordinatorResponse::default().with_coordinators(found)
        };
        match made {
            None => Then::Now(reply),
            Some(seen) => Then::once_durable(&seen, reply, |reply, error| fail_all(reply, error.code())),
        }
    }
}

/// Every group is coordinated here, once the topic is there.
fn find(cx: &Cx, kind: i8, key: &str, made: &mut Option<Arc<Seen>>) -> Result<(), ErrorCode> {
    match kind {
        GROUP if !cx.allow(Operation::Describe, Resource::Group(key)) => {
            Err(ErrorCode::GroupAuthorizationFailed)
        }
        GROUP => {
            let image = &made.as_ref().unwrap_or(&cx.seen).image;
            let broker = &cx.broker;
            match broker.groups.ensure_topic(&broker.controller, image, broker.identity.node_id) {
                Ok(None) => Ok(()),
                Ok(Some(seen)) => {
                    *made = Some(seen);
                    Ok(())
                }
                Err(error) => {
                    tracing::warn!(%error, "no client can use groups");
                    Err(ErrorCode::CoordinatorNotAvailable)
                }
            }
        }
        TRANSACTION if !cx.allow(Operation::Describe, Resource::TransactionalId(key)) => {
            Err(ErrorCode::TransactionalIdAuthorizationFailed)
        }
        TRANSACTION => Err(ErrorCode::CoordinatorNotAvailable),
        _ => Err(ErrorCode::InvalidRequest),
    }
}

fn coordinator(cx: &Cx, key: StrBytes, outcome: Result<(), ErrorCode>) -> Coordinator {
    let found = Coordinator::default().with_key(key);
    match outcome.and(cx.broker.advertised_on(&cx.peer.listener).ok_or(ErrorCode::CoordinatorNotAvailable)) {
        Ok(address) => found
            .with_node_id(BrokerId(cx.broker.identity.node_id))
            .with_host(text(&address.host))
            .with_port(i32::from(address.port)),
        Err(code) => failed(found, code),
    }
}

fn failed(coordinator: Coordinator, code: ErrorCode) -> Coordinator {
    coordinator
        .with_node_id(BrokerId(-1))
        .with_host(StrBytes::new())
        .with_port(-1)
        .with_error_code(code.code())
}

/// The reply of versions that ask for one key. It names its error, which may be none.
fn single(found: Vec<Coordinator>) -> FindCoordinatorResponse {
    let Some(found) = found.into_iter().next() else { return FindCoordinatorResponse::default() };
    let name = ErrorCode::from_code(found.error_code).map_or("NONE", ErrorCode::name);
    FindCoordinatorResponse::default()
        .with_error_code(found.error_code)
        .with_error_message(Some(StrBytes::from_static_str(name)))
        .with_node_id(found.node_id)
        .with_host(found.host)
        .with_port(found.port)
}

/// The topic that was made is lost: nobody may learn that this is the coordinator.
fn fail_all(reply: FindCoordinatorResponse, code: ErrorCode) -> FindCoordinatorResponse {
    if reply.coordinators.is_empty() {
        return single(vec![failed(Coordinator::default(), code)]);
    }
    let coordinators = reply.coordinators.into_iter().map(|found| failed(found, code)).collect();
    FindCoordinatorResponse::default().with_coordinators(coordinators)
}
