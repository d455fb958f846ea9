//! One partition as its leader sees it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use storage::{
    BatchHeader, Durability, Effort, Env, LeaderEpoch, Log, LogId, Origin, Reject, Rules, Ticket, Together,
    check_at,
};

use super::Traffic;
use crate::config::TopicConfig;

/// What a client believes about the leader's epoch, against the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochCheck {
    Current,
    /// The client's epoch is older: it must ask for metadata.
    Fenced,
    /// The client's epoch is newer than any that this broker had.
    Unknown,
}

/// Why a batch is not appended.
#[derive(Debug, thiserror::Error)]
pub enum ProduceRefusal {
    #[error(transparent)]
    Batch(#[from] Reject),
    #[error("transactional records need a transaction, and no transaction coordinator is served")]
    Transactional,
}

pub struct Partition {
    pub log: Arc<Log>,
    pub traffic: Traffic,
    /// Each batch is judged by the settings that count when it comes.
    config: ArcSwap<TopicConfig>,
    env: Env,
}

impl Partition {
    pub fn new(log: Arc<Log>, config: TopicConfig, env: Env) -> Self {
        Self { log, traffic: Traffic::default(), config: ArcSwap::from_pointee(config), env }
    }

    pub fn id(&self) -> LogId {
        self.log.id()
    }

    /// The topic's settings now.
    pub fn config(&self) -> Arc<TopicConfig> {
        self.config.load_full()
    }

    pub(super) fn set_config(&self, config: Arc<TopicConfig>) {
        self.config.store(config);
    }

    /// False while a log that is to be durable is not yet.
    pub fn is_as_durable_as_wanted(&self) -> bool {
        let is_to_be_durable = self.config.load().durability == Durability::Durable;
        !is_to_be_durable || self.log.is_deleted() || self.log.durability() == Durability::Durable
    }

    /// An absent epoch (-1) is not checked.
    pub fn check_epoch(&self, claimed: i32) -> EpochCheck {
        let LeaderEpoch(current) = self.log.leader_epoch();
        match claimed {
            -1 => EpochCheck::Current,
            older if older < current => EpochCheck::Fenced,
            newer if newer > current => EpochCheck::Unknown,
            _ => EpochCheck::Current,
        }
    }

    /// Validates a client's batch and appends it, with others or at once. The ticket resolves when the topic's durability
    /// says so. With little effort, a batch that is much work is refused as [`Reject::Heavy`].
    pub fn produce(
        &self,
        effort: Effort,
        batch: Bytes,
        zstd_allowed: bool,
        together: Option<&Together>,
    ) -> Result<(Ticket, usize), ProduceRefusal> {
        let config = self.config.load();
        let rules = Rules {
            message_bytes_max: config.message_bytes_max,
            segment_bytes: config.segment_bytes,
            timestamp_type: config.timestamp_type,
            before_max_ms: config.timestamp_before_max_ms,
            after_max_ms: config.timestamp_after_max_ms,
            now_ms: self.env.clock.now_ms(),
            compacted: config.is_compacted,
            walk: config.record_validation,
            compression: config.encoding,
            zstd_allowed,
        };
        let checked = check_at(effort, batch, &rules)?;
        if checked.headers().any(BatchHeader::is_transactional) {
            return Err(ProduceRefusal::Transactional);
        }
        let records = checked.record_count() as usize;
        Ok((self.log.append_together(checked, Origin::Client, None, together), records))
    }
}
