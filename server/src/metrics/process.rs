//! What the kernel says of this process, read when someone asks for the metrics.
//!
//! A machine without `/proc` has no such figures; nothing fails for that.

use super::registry::Registry;
use super::table::{
    BUILD_INFO, PROCESS_CPU, PROCESS_FDS, PROCESS_FDS_MAX, PROCESS_MEMORY, PROCESS_THREADS, RUNTIME_BUSY,
    RUNTIME_TASKS, UPTIME,
};
use metrics::Gauge;

/// Clock ticks a second in `/proc`: a constant of Linux's interface, whatever the kernel's own tick is.
const TICKS_PER_SECOND: f64 = 100.0;

pub(super) struct ProcessMetrics {
    cpu_seconds: Gauge,
    memory_bytes: Gauge,
    fds: Gauge,
    fds_max: Gauge,
    threads: Gauge,
    uptime_seconds: Gauge,
    tasks: Gauge,
    /// One for each network thread.
    busy_seconds: Vec<Gauge>,
}

impl ProcessMetrics {
    pub(super) fn new(registry: &Registry) -> ProcessMetrics {
        registry.gauge(&BUILD_INFO, &[env!("CARGO_PKG_VERSION")]).set(1.0);
        ProcessMetrics {
            cpu_seconds: registry.gauge(&PROCESS_CPU, &[]),
            memory_bytes: registry.gauge(&PROCESS_MEMORY, &[]),
            fds: registry.gauge(&PROCESS_FDS, &[]),
            fds_max: registry.gauge(&PROCESS_FDS_MAX, &[]),
            threads: registry.gauge(&PROCESS_THREADS, &[]),
            uptime_seconds: registry.gauge(&UPTIME, &[]),
            tasks: registry.gauge(&RUNTIME_TASKS, &[]),
            busy_seconds: busy_gauges(registry),
        }
    }

    pub(super) fn refresh(&self) {
        if let Some(stat) = read("/proc/self/stat").as_deref().and_then(Stat::parse) {
            self.cpu_seconds.set(stat.cpu_seconds);
            self.threads.set(stat.threads);
            if let Some(since_boot) = read("/proc/uptime").as_deref().and_then(first_number) {
                self.uptime_seconds.set((since_boot - stat.started_after_boot_seconds).max(0.0));
            }
        }
        if let Some(bytes) = read("/proc/self/status").as_deref().and_then(resident_bytes) {
            self.memory_bytes.set(bytes);
        }
        if let Some(fds) = open_fds() {
            self.fds.set(fds as f64);
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let figures = runtime.metrics();
            self.tasks.set(figures.num_alive_tasks() as f64);
            for (thread, gauge) in self.busy_seconds.iter().enumerate() {
                gauge.set(figures.worker_total_busy_duration(thread).as_secs_f64());
            }
        }
        // No limit is told as infinity, which Prometheus has a word for.
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        self.fds_max.set(limit.map_or(f64::INFINITY, |limit| limit as f64));
    }
}

/// A runtime's threads are as many as when it began.
fn busy_gauges(registry: &Registry) -> Vec<Gauge> {
    let threads = tokio::runtime::Handle::try_current().map_or(0, |runtime| runtime.metrics().num_workers());
    (0..threads).map(|thread| registry.gauge(&RUNTIME_BUSY, &[&thread.to_string()])).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the kernel's figures of this process are no part of a simulation"
)]
fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the kernel's figures of this process are no part of a simulation"
)]
fn open_fds() -> Option<usize> {
    // The listing itself holds one descriptor.
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1))
}

fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

/// The resident memory in `/proc/self/status`, which is told in KiB whatever the size of a page.
fn resident_bytes(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(first_number(line)? * 1024.0)
}

/// The fields of `/proc/self/stat` that matter here.
#[derive(Debug, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    threads: f64,
    started_after_boot_seconds: f64,
}

impl Stat {
    fn parse(text: &str) -> Option<Stat> {
        // The second field is the program's name in parentheses and may hold blanks and parentheses itself.
        let behind_name = &text[text.rfind(')')? + 1..];
        let fields: Vec<_> = behind_name.split_whitespace().collect();
        // The kernel's manual counts fields from 1, and the first one behind the name is number 3.
        let field = |number: usize| fields.get(number - 3)?.parse::<f64>().ok();
        Some(Stat {
            cpu_seconds: (field(14)? + field(15)?) / TICKS_PER_SECOND,
            threads: field(20)?,
            started_after_boot_seconds: field(22)? / TICKS_PER_SECOND,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_stat() {
        let line = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 150 50 0 0 20 0 9 0 12300 1000000 2048";
        let expected = Stat { cpu_seconds: 2.0, threads: 9.0, started_after_boot_seconds: 123.0 };
        assert_eq!(Stat::parse(line), Some(expected));
        assert_eq!(Stat::parse(""), None);
        assert_eq!(Stat::parse("7 (x) S 1"), None);
    }

    #[test]
    fn the_resident_memory() {
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n"), Some(2_097_152.0));
        assert_eq!(resident_bytes("Name:\tx\n"), None);
    }
}
