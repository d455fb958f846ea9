//! What the two APIs of clients' metrics share: who asks.

use super::Cx;
use crate::telemetry::ClientInfo;

/// Characters of a client's id that are kept, and looked at by subscriptions: what is remembered has a bound.
const CLIENT_ID_CHARS_MAX: usize = 256;

pub(super) fn client_of(cx: &Cx) -> ClientInfo {
    ClientInfo {
        client_id: cx.client_id.chars().take(CLIENT_ID_CHARS_MAX).collect(),
        software: cx.peer.software.get().cloned(),
        address: cx.peer.address,
        connection_id: cx.peer.connection_id,
    }
}
