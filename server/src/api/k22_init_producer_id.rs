//! InitProducerId (key 22), versions 0–5.
//!
//! - 2: flexible. 3–4 (KIP-360): a producer may name the id and epoch it had. 5 (KIP-890): same bytes.
//!
//! Idempotent producers get an id that no other will have. A producer that names its old id gets a new one, as a
//! producer without transactions does in Kafka. Transactional ids need the transaction coordinator, which is not
//! served: they are answered with COORDINATOR_NOT_AVAILABLE, here and by FindCoordinator.

use std::iter::once;

use protocol_compat::ErrorCode;
use protocol_compat::messages::{ApiKey, InitProducerIdRequest, InitProducerIdResponse};

use super::error::ToCode;
use super::{Api, Cx, Then};
use crate::security::{Operation, Resource};

pub(super) struct InitProducerId;

impl Api for InitProducerId {
    const KEY: i16 = ApiKey::InitProducerId as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=5;
    type Req = InitProducerIdRequest;
    type Resp = InitProducerIdResponse;

    fn codes(reply: &InitProducerIdResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code)
    }

    fn begin(cx: &Cx, req: InitProducerIdRequest, _version: i16) -> Then<InitProducerIdResponse> {
        if let Some(code) = refuse(cx, &req) {
            return Then::Now(failed(code));
        }
        let allocated = match cx.broker.producer_ids.allocate(&cx.broker.controller) {
            Ok(allocated) => allocated,
            Err(error) => return Then::Now(failed(error.code())),
        };
        let reply = InitProducerIdResponse::default()
            .with_producer_id(allocated.producer_id.into())
            .with_producer_epoch(0);
        Then::once_durable(&allocated.seen, reply, |_, error| failed(error.code()))
    }
}

fn refuse(cx: &Cx, req: &InitProducerIdRequest) -> Option<ErrorCode> {
    match &req.transactional_id {
        Some(id) if id.is_empty() => Some(ErrorCode::InvalidRequest),
        Some(id) if !cx.allow(Operation::Write, Resource::TransactionalId(id.as_str())) => {
            Some(ErrorCode::TransactionalIdAuthorizationFailed)
        }
        Some(_) => Some(ErrorCode::CoordinatorNotAvailable),
        None if !cx.allow(Operation::IdempotentWrite, Resource::Cluster) => {
            Some(ErrorCode::ClusterAuthorizationFailed)
        }
        // An id without an epoch, or an epoch without an id, means nothing.
        None if (req.producer_id.0 == -1) != (req.producer_epoch == -1) => Some(ErrorCode::InvalidRequest),
        None => None,
    }
}

fn failed(code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse::default()
        .with_error_code(code.code())
        .with_producer_id((-1).into())
        .with_producer_epoch(-1)
}
