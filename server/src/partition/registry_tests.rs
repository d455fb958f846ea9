//! How a topic's settings become those of its logs.

use super::*;
use crate::cli::Cli;

fn log_config_of(overrides: &[(&str, &str)]) -> LogConfig {
    let broker = Config::load(&Cli::default(), []).expect("the defaults fit together");
    let overrides = overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let topic = TopicConfig::from_overrides(&overrides.collect(), &broker).expect("allowed");
    log_config(&topic)
}

#[test]
fn by_default_no_relaxed_log_is_flushed_by_count_or_time() {
    let config = log_config_of(&[("durability", "relaxed")]);
    assert_eq!((config.durability, config.flush_after), (Durability::Relaxed, None));
    assert!(config.flush_messages >= i64::MAX as u64);
}

#[test]
fn flush_settings_reach_the_log() {
    let config = log_config_of(&[
        ("durability", "relaxed"),
        ("flush.messages", "500"),
        ("flush.ms", "1500"),
        ("segment.bytes", "1048576"),
    ]);
    assert_eq!(config.flush_messages, 500);
    assert_eq!(config.flush_after, Some(Duration::from_millis(1500)));
    assert_eq!(config.segment_bytes, 1 << 20);
    assert_eq!(log_config_of(&[("flush.ms", "0")]).flush_after, Some(Duration::ZERO));
    let each = log_config_of(&[("durability", "relaxed"), ("flush.messages", "1")]);
    assert_eq!(each.durability, Durability::Durable, "a flush behind each record");
}
