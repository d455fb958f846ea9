//! AlterClientQuotas (key 49), versions 0–1.
//!
//! - 1: flexible.
//!
//! Sets and removes quotas of users, client ids, both at once, or addresses, as Kafka's ClientQuotaControlManager: one wrong
//! change, and nothing of that entity changes. A type that an entity names twice counts as it was named last. The reply
//! leaves when the changes are durable; requests that come from then on are held to them.
//!
//! Deviation: of names of hosts, only `localhost` is one of an address.

use std::sync::Arc;

use protocol_compat::ErrorCode;
use protocol_compat::messages::alter_client_quotas_request::EntryData as Asked;
use protocol_compat::messages::alter_client_quotas_response::{EntityData, EntryData};
use protocol_compat::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse, ApiKey, StrBytes};

use super::error::{ToCode, text};
use super::{Api, Cx, Then};
use crate::cluster::controller::Seen;
use crate::cluster::quota::{self, Named, Outcomes, Wanted};
use crate::security::{Operation, Resource};

pub(super) struct AlterClientQuotas;

impl Api for AlterClientQuotas {
    const KEY: i16 = ApiKey::AlterClientQuotas as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=1;
    type Req = AlterClientQuotasRequest;
    type Resp = AlterClientQuotasResponse;

    fn codes(reply: &AlterClientQuotasResponse) -> impl Iterator<Item = i16> {
        reply.entries.iter().map(|entry| entry.error_code)
    }

    fn begin(cx: &Cx, req: AlterClientQuotasRequest, _version: i16) -> Then<AlterClientQuotasResponse> {
        let wanted: Vec<Wanted> = req.entries.iter().map(wanted).collect();
        if !cx.allow(Operation::AlterConfigs, Resource::Cluster) {
            let why = "altering quotas is not allowed";
            return Then::Now(all_failed(&wanted, ErrorCode::ClusterAuthorizationFailed, why));
        }
        let (outcomes, seen) = alter(cx, &wanted, req.validate_only);
        let reply = match outcomes {
            Ok(outcomes) => replied(outcomes),
            Err((code, why)) => all_failed(&wanted, code, &why),
        };
        Then::once_durable(&seen, reply, |mut reply, error| {
            for entry in reply.entries.iter_mut().filter(|entry| entry.error_code == 0) {
                entry.error_code = error.code().code();
                entry.error_message = text(&error);
            }
            reply
        })
    }
}

fn wanted(asked: &Asked) -> Wanted {
    let entity = asked.entity.iter().map(|part| {
        (part.entity_type.to_string(), part.entity_name.as_ref().map(|name| name.to_string()))
    });
    let changes = asked.ops.iter().map(|op| (op.key.to_string(), (!op.remove).then_some(op.value)));
    Wanted { entity: entity.collect(), changes: changes.collect() }
}

/// Without effect if it is only asked whether it could be.
fn alter(
    cx: &Cx,
    wanted: &[Wanted],
    validate_only: bool,
) -> (Result<Outcomes, (ErrorCode, String)>, Arc<Seen>) {
    if validate_only {
        let outcomes = quota::alter(&cx.seen.image, wanted).map(|(_, outcomes)| outcomes);
        return (outcomes.map_err(|refusal| (refusal.code(), refusal.to_string())), cx.seen.clone());
    }
    let (outcomes, seen) = cx.broker.controller.execute(|image| quota::alter(image, wanted));
    (outcomes.map_err(|error| (error.code(), error.to_string())), seen)
}

fn replied(outcomes: Outcomes) -> AlterClientQuotasResponse {
    let entries = outcomes.into_iter().map(|(entity, outcome)| match outcome {
        Ok(()) => entry(&entity),
        Err(refusal) => {
            entry(&entity).with_error_code(refusal.code().code()).with_error_message(text(refusal))
        }
    });
    AlterClientQuotasResponse::default().with_entries(entries.collect())
}

fn all_failed(wanted: &[Wanted], code: ErrorCode, why: &str) -> AlterClientQuotasResponse {
    let failed = |wanted: &Wanted| {
        entry(&wanted.entity).with_error_code(code.code()).with_error_message(text(why))
    };
    AlterClientQuotasResponse::default().with_entries(wanted.iter().map(failed).collect())
}

fn entry(entity: &Named) -> EntryData {
    let part = |(kind, name): (&String, &Option<String>)| {
        EntityData::default()
            .with_entity_type(StrBytes::from_string(kind.clone()))
            .with_entity_name(name.clone().map(StrBytes::from_string))
    };
    EntryData::default().with_error_message(None).with_entity(entity.iter().map(part).collect())
}
