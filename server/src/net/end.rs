//! Why a connection ends, and whose doing it is.

use std::io;
use std::time::Duration;

use protocol_compat::frame::FrameError;

use crate::api::{Refused, Unencodable};
use crate::metrics::CloseReason;

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("the peer closed it")]
    PeerClosed,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Unencodable(#[from] Unencodable),
    #[error("a request without a reply failed")]
    SilentFailure,
    #[error("nothing happened for {0:?}")]
    Idle(Duration),
    #[error("a frame was begun and not finished within {0:?}")]
    Stalled(Duration),
    #[error("no whole request came within {0:?}, and others wait for its place")]
    Displaced(Duration),
    #[error("it took nothing of its replies for {0:?}, and others need the memory")]
    Unread(Duration),
    #[error("the broker stops")]
    Stopping,
}

impl End {
    /// The peer's doing, worth a line for the operator: what kind it is, in a word.
    pub(super) fn misuse(&self) -> Option<&'static str> {
        match self {
            Self::Frame(_) => Some("frame"),
            Self::Refused(_) => Some("refused"),
            Self::Stalled(_) => Some("stalled"),
            Self::Displaced(_) => Some("displaced"),
            Self::Unread(_) => Some("unread"),
            Self::Unencodable(_) => Some("unencodable"),
            Self::PeerClosed | Self::Io(_) | Self::SilentFailure | Self::Idle(_) | Self::Stopping => None,
        }
    }

    pub(super) fn reason(&self) -> CloseReason {
        match self {
            Self::PeerClosed | Self::Io(_) => CloseReason::Peer,
            Self::Frame(_) | Self::Refused(_) | Self::Unencodable(_) | Self::SilentFailure => {
                CloseReason::Protocol
            }
            Self::Idle(_) | Self::Stalled(_) | Self::Displaced(_) | Self::Unread(_) => CloseReason::Timeout,
            Self::Stopping => CloseReason::Shutdown,
        }
    }
}
