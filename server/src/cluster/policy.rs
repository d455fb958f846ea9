//! What an operator lets clients do with topics, beyond Kafka's own rules. Kafka asks Java classes
//! (`create.topic.policy.class.name`, `alter.config.policy.class.name`); here a few settings say it. The broker's own topics
//! are under no policy. Pure.

use super::command::Refusal;
use super::records::TopicCreated;
use crate::config::Config;

/// Of a topic that a client wants to make.
pub fn check_new(created: &TopicCreated, config: &Config) -> Result<(), Refusal> {
    if let Some(pattern) = &config.create_topic_policy_name_pattern
        && !pattern.is_match(&created.name)
    {
        let (name, pattern) = (&created.name, pattern.as_str());
        return refuse(format!("the name '{name}' is not like create.topic.policy.name.pattern `{pattern}`"));
    }
    check_partitions(created.partitions, config)?;
    check_settings(created.configs.keys(), config)
}

/// Of all partitions that a topic would have.
pub fn check_partitions(partitions: u32, config: &Config) -> Result<(), Refusal> {
    match config.create_topic_policy_partitions_max {
        Some(max) if partitions > max => {
            refuse(format!("{partitions} partitions are more than create.topic.policy.partitions.max={max}"))
        }
        _ => Ok(()),
    }
}

/// Of the settings that a client gives a topic, or takes away.
pub fn check_settings<'a>(
    mut names: impl Iterator<Item = &'a String>,
    config: &Config,
) -> Result<(), Refusal> {
    match names.find(|name| config.alter_config_policy_fixed.contains(name)) {
        Some(name) => refuse(format!("'{name}' is fixed for all topics by alter.config.policy.fixed")),
        None => Ok(()),
    }
}

fn refuse(why: String) -> Result<(), Refusal> {
    Err(Refusal::AgainstPolicy(why))
}
