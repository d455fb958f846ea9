//! Brokers' settings that were altered, put in force before the reply leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use super::context::{Broker, DURABILITY_LOOK};
use crate::cluster::configure::stored_settings;
use crate::config::{Changed, Config, ConfigError, Reloaded, TopicConfig, is_secret};

/// Topics whose logs are given their settings before others have a turn.
const TOPICS_AT_ONCE: usize = 64;

impl Broker {
    /// Puts the settings that the newest image has in force, and waits until every open log keeps what they promise.
    pub async fn take_settings(&self) {
        let _settling = self.config.settled().await;
        let changed = self.config.change(|now| {
            let stored = stored_settings(&self.controller.seen().image, self.identity.node_id);
            let (config, complaints) = now.with_stored(&stored);
            for complaint in complaints {
                tracing::warn!(complaint, "what was set for the broker does not count");
            }
            Ok::<_, Infallible>(config)
        });
        let Ok(changed) = changed;
        self.settings_changed(changed).await;
    }

    /// Puts what another start would have otherwise in force, as far as that needs no restart.
    pub async fn reload(&self, start: &Config) -> Result<(), ConfigError> {
        let _settling = self.config.settled().await;
        let mut told = Vec::new();
        let changed = self.config.change(|now| {
            let (config, reloaded) = now.reloaded(start)?;
            told = reloaded;
            Ok::<_, ConfigError>(config)
        })?;
        if told.is_empty() {
            tracing::info!("the settings were read again: none is another one");
        }
        for one in told {
            match one {
                Reloaded::Taken(_) => {}
                Reloaded::Hidden(setting) => tracing::info!(
                    setting,
                    "the setting was changed where the broker was started, and a value set while it runs goes before it"
                ),
                Reloaded::NeedsRestart(setting) => {
                    tracing::warn!(setting, "the setting was changed, and needs a restart to count");
                }
                Reloaded::WithoutEffect(setting) => {
                    tracing::info!(setting, "the setting was changed; it has no effect in Ottla");
                }
            }
        }
        self.settings_changed(changed).await;
        Ok(())
    }

    async fn settings_changed(&self, (before, after): Changed) {
        tell(&before, &after);
        self.groups.reconfigure(&after);
        self.partitions.reconfigure_cleaners(&after);
        if topic_defaults(&before) != topic_defaults(&after) {
            self.reconfigure_all().await;
        }
    }

    /// Gives every open log the settings that it has now that the defaults are other ones.
    async fn reconfigure_all(&self) {
        let image = self.controller.seen().image.clone();
        let mut open = Vec::new();
        for (number, id) in image.topics().map(|topic| topic.id).enumerate() {
            open.extend(
                self.partitions.reconfigure(|| self.controller.seen().image.topic_by_id(id).cloned()),
            );
            if number % TOPICS_AT_ONCE == TOPICS_AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
        }
        let patience = Duration::from_millis(self.config.load().request_timeout_ms);
        let deadline = self.env.clock.monotonic() + patience;
        for partition in open {
            while !partition.is_as_durable_as_wanted() && self.env.clock.monotonic() < deadline {
                tokio::time::sleep(DURABILITY_LOOK).await;
            }
        }
    }
}

fn topic_defaults(config: &Config) -> Option<TopicConfig> {
    TopicConfig::from_overrides(&BTreeMap::new(), config).ok()
}

/// One line for each setting that has another value now.
fn tell(before: &Config, after: &Config) {
    let all = before.values.iter().chain(after.values.iter());
    let names: BTreeSet<&str> = all.map(|(name, _)| name).collect();
    for setting in names {
        let (was, is) = (before.values.text(setting), after.values.text(setting));
        if was == is {
            continue;
        }
        let shown = |text: Option<&str>| match text {
            Some(_) if is_secret(setting) => "[hidden]".to_owned(),
            text => text.unwrap_or("(unset)").to_owned(),
        };
        tracing::info!(setting, from = shown(was), to = shown(is), "a setting has changed");
    }
}
