//! What the two APIs of clients' metrics share: who asks.

use super::Cx;
use crate::telemetry::ClientInfo;

pub(super) fn client_of(cx: &Cx) -> ClientInfo {
    ClientInfo {
        client_id: cx.client_id.to_string(),
        software: cx.peer.software.get().cloned(),
        address: cx.peer.address,
        connection_id: cx.peer.connection_id,
    }
}
