//! How the logs of each data directory are compacted, by the broker's settings.

use std::time::Duration;

use storage::CleanerOptions;

use crate::config::Config;

/// Each directory has its share of what Kafka gives to all threads together.
pub fn cleaner_options(config: &Config) -> CleanerOptions {
    let dirs = config.log_dirs.len().max(1);
    CleanerOptions {
        is_enabled: config.log_cleaner_enable && config.log_cleaner_threads > 0,
        key_table_bytes_max: config.log_cleaner_dedupe_buffer_size.max(0) as u64 / dirs as u64,
        key_table_load: config.log_cleaner_io_buffer_load_factor,
        buffer_bytes: config.log_cleaner_io_buffer_size / dirs,
        bytes_per_second_max: config.log_cleaner_io_max_bytes_per_second / dirs as f64,
        backoff: Duration::from_millis(config.log_cleaner_backoff_ms),
    }
}
