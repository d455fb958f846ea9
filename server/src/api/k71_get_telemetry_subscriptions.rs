//! GetTelemetrySubscriptions (key 71), version 0 (KIP-714): which of its own metrics a client is to push, and how often.
//!
//! Kafka names this API to clients only where a plugin receives what they push; here they are always received. A client that
//! no subscription is for is told so by an empty list. Whoever asks again before its interval is over is told to wait (89).

use std::iter::once;

use protocol_compat::messages::{
    ApiKey, GetTelemetrySubscriptionsRequest, GetTelemetrySubscriptionsResponse, StrBytes, Uuid,
};

use super::error::ToCode;
use super::telemetry::client_of;
use super::{Api, Cx, Then};
use crate::telemetry::{CODECS, InstanceId};

pub(super) struct GetTelemetrySubscriptions;

impl Api for GetTelemetrySubscriptions {
    const KEY: i16 = ApiKey::GetTelemetrySubscriptions as i16;
    const VERSIONS: std::ops::RangeInclusive<i16> = 0..=0;
    type Req = GetTelemetrySubscriptionsRequest;
    type Resp = GetTelemetrySubscriptionsResponse;

    fn codes(reply: &GetTelemetrySubscriptionsResponse) -> impl Iterator<Item = i16> {
        once(reply.error_code)
    }

    // Kafka asks for no right: a client only learns what it may tell.
    fn begin(
        cx: &Cx,
        req: GetTelemetrySubscriptionsRequest,
        _version: i16,
    ) -> Then<GetTelemetrySubscriptionsResponse> {
        let reply = GetTelemetrySubscriptionsResponse::default();
        let asked = match req.client_instance_id {
            none if none.is_nil() => None,
            id => Some(InstanceId::of_client(id.into_bytes())),
        };
        let subscriptions = cx.seen.image.client_subscriptions();
        let (id, subscribed) = match cx.broker.telemetry.subscribed(subscriptions, client_of(cx), asked) {
            Ok(subscribed) => subscribed,
            Err(error) => return Then::Now(reply.with_error_code(error.code().code())),
        };
        let bytes_max = cx.broker.config.load().telemetry_max_bytes;
        Then::Now(
            reply
                .with_client_instance_id(Uuid::from_bytes(id.bytes()))
                .with_subscription_id(subscribed.id)
                .with_accepted_compression_types(CODECS.iter().map(|codec| codec.id() as i8).collect())
                .with_push_interval_ms(subscribed.interval_ms as i32)
                .with_telemetry_max_bytes(i32::try_from(bytes_max).unwrap_or(i32::MAX))
                .with_delta_temporality(true)
                .with_requested_metrics(subscribed.metrics.into_iter().map(StrBytes::from_string).collect()),
        )
    }
}
