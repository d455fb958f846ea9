//! Reads that may wait for a disk, off the threads that serve connections.
//!
//! Invariants: at most so many at once as the setting says, and whoever comes later waits in turn; nothing that is in the
//! page cache comes here. Must not know what is read.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::metrics::{Limit, Metrics};

pub struct ColdReads {
    free: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl ColdReads {
    pub fn new(threads_max: usize, metrics: Arc<Metrics>) -> Self {
        metrics.limit(Limit::ColdReads).max.set(threads_max as f64);
        Self { free: Arc::new(Semaphore::new(threads_max)), metrics }
    }

    /// Does `read` on a thread where it may take its time. It runs to its end, whoever waits for it. Nothing comes back
    /// only from a broker that ends.
    #[expect(clippy::disallowed_methods, reason = "a hop costs less than any read from a disk")]
    pub fn run<T: Send + 'static, R: FnOnce() -> T + Send + 'static>(
        &self,
        read: R,
    ) -> impl Future<Output = Option<T>> + Send + use<T, R> {
        let (free, metrics) = (self.free.clone(), self.metrics.clone());
        async move {
            let place = match free.clone().try_acquire_owned() {
                Ok(place) => place,
                Err(_) => {
                    metrics.limit(Limit::ColdReads).hits.increment(1);
                    free.acquire_owned().await.ok()?
                }
            };
            metrics.limit(Limit::ColdReads).used.increment(1.0);
            let on_its_thread = move || {
                let result = read();
                metrics.limit(Limit::ColdReads).used.decrement(1.0);
                drop(place);
                result
            };
            tokio::task::spawn_blocking(on_its_thread).await.ok()
        }
    }
}
