//! The settings that count now. A reader takes them as they are, without a lock, and keeps them to its end; a change puts
//! whole new ones in their place.

use super::Config;
use arc_swap::{ArcSwap, Guard};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

pub struct LiveConfig {
    current: ArcSwap<Config>,
    /// Held from reading the settings until those made of them are in their place.
    changing: Mutex<()>,
    changes: watch::Sender<()>,
    /// Held until everything goes by a change, so that whoever finds it made need not ask whether it has taken effect.
    settling: tokio::sync::Mutex<()>,
}

/// The settings before a change, and after it.
pub type Changed = (Arc<Config>, Arc<Config>);

impl LiveConfig {
    pub fn new(config: Config) -> Arc<LiveConfig> {
        let current = ArcSwap::from_pointee(config);
        Arc::new(LiveConfig {
            current,
            changing: Mutex::default(),
            changes: watch::Sender::new(()),
            settling: tokio::sync::Mutex::default(),
        })
    }

    /// For as long as a request or a decision takes.
    pub fn load(&self) -> Guard<Arc<Config>> {
        self.current.load()
    }

    /// For longer.
    pub fn load_full(&self) -> Arc<Config> {
        self.current.load_full()
    }

    /// Waits until the changes so far have taken effect. The next one is made under what this answers.
    pub async fn settled(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.settling.lock().await
    }

    /// Told of each change.
    pub fn subscribe(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Puts what `next` makes of the settings in their place. Changes come one after the other.
    pub fn change<E>(&self, next: impl FnOnce(&Config) -> Result<Config, E>) -> Result<Changed, E> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.current.load_full();
        let after = Arc::new(next(&before)?);
        self.current.store(after.clone());
        self.changes.send_replace(());
        Ok((before, after))
    }
}
