//! How often and how long a question is asked: pauses that double, and an end.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::ClientError;

const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

pub(super) struct Attempts {
    begun: Instant,
    until: Instant,
    pause: Duration,
}

impl Attempts {
    pub(super) fn within(patience: Duration) -> Self {
        let begun = Instant::now();
        Self { begun, until: begun + patience, pause: PAUSE_FIRST }
    }

    /// Waits before the next attempt, or says that there is none.
    pub(super) async fn again(&mut self, what: &str, error: ClientError) -> Result<(), ClientError> {
        if Instant::now() + self.pause >= self.until {
            let seconds = (self.until - self.begun).as_secs();
            return Err(ClientError::TimedOut { what: what.to_owned(), seconds, last: Box::new(error) });
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(())
    }

    /// Ends when there are no more attempts.
    pub(super) async fn over(&self) {
        sleep_until(self.until).await;
    }
}
