//! PushTelemetry (key 72), version 0 (KIP-714): a client's own metrics, in OpenTelemetry's format.
//!
//! They are shown among the broker's metrics. A push before its time is refused (89), one for what the client was subscribed
//! to before (117), one that is too large (118), in an unknown codec (76) or that cannot be read (87), and any behind the last
//! one (42). Kafka hands a push to a plugin and reads nothing of it.

use std::iter::once;

use protocol_compat::ErrorCode;
use protocol_compat::messages::{ApiKey, PushTelemetryRequest, PushTelemetryResponse};

use super::error::ToCode;
use super::telemetry::client_of;
use super::{Api, Cx, Then};
use crate::telemetry::{InstanceId, Push};

pub(super) struct PushTelemetry;

impl Api for PushTelemetry {
    const KEY: i16 = ApiKey::PushTelemetry as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    type Req = PushTelemetryRequest;
    type Resp = PushTelemetryResponse;

    fn codes(reply: &PushTelemetryResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code)
    }

    // Kafka asks for no right: whoever may connect was asked for it.
    fn begin(cx: &Cx, req: PushTelemetryRequest, _version: i16) -> Then<PushTelemetryResponse> {
        let reply = PushTelemetryResponse::default();
        let Some(instance) = InstanceId::new(req.client_instance_id.into_bytes()) else {
            return Then::Now(reply.with_error_code(ErrorCode::InvalidRequest.code()));
        };
        let push = Push {
            instance,
            subscription: req.subscription_id,
            is_last: req.terminating,
            codec: req.compression_type,
            payload: &req.metrics,
        };
        let taken = cx.broker.telemetry.push(cx.seen.image.client_subscriptions(), client_of(cx), push);
        Then::Now(match taken {
            Ok(()) => reply,
            Err(error) => reply.with_error_code(error.code().code()),
        })
    }
}
