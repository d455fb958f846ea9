//! What the kernel allows, and its clocks.

use rustix::process::{Resource, getrlimit};
use std::time::Duration;

use super::{Finding, Patient, amount};

/// Reads that do not wait for a disk came with it.
const KERNEL_MIN: (u32, u32) = (4, 14);
/// Below the one there is hardly a broker, below the other not one with many clients.
const DESCRIPTORS_MIN: u64 = 256;
const DESCRIPTORS_WANTED: u64 = 16_384;
/// Linux's default.
const MAPS_WANTED: u64 = 65_530;

pub(super) fn kernel(_: &Patient<'_>) -> Vec<Finding> {
    let uname = rustix::system::uname();
    let (system, release) = (uname.sysname().to_string_lossy(), uname.release().to_string_lossy());
    let found = format!("{system} {release}, {}", uname.machine().to_string_lossy());
    match version(&release) {
        Some(version) if version < KERNEL_MIN => {
            vec![Finding::warn(
                "kernel",
                found,
                "use Linux 4.14 or later: reads may wait where others are served",
            )]
        }
        _ => vec![Finding::ok("kernel", found)],
    }
}

pub(super) fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

pub(super) fn descriptors(_: &Patient<'_>) -> Vec<Finding> {
    const NAME: &str = "descriptors";
    // A start raises the one to the other.
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    if most >= DESCRIPTORS_WANTED {
        return vec![Finding::ok(NAME, format!("this process may have {most} open files"))];
    }
    let found = format!(
        "this process may have {most} open files: {} connections, and partitions need one each",
        most / 2
    );
    let advice = format!("raise `ulimit -Hn` (LimitNOFILE= of systemd) to {DESCRIPTORS_WANTED} or more");
    let verdict = if most < DESCRIPTORS_MIN { Finding::fail } else { Finding::warn };
    vec![verdict(NAME, found, advice)]
}

pub(super) fn memory(patient: &Patient<'_>) -> Vec<Finding> {
    const NAME: &str = "memory";
    let Some(available) = available(patient) else {
        return vec![Finding::ok(NAME, "the kernel does not say how much is available")];
    };
    let config = patient.config;
    let needed = (config.request_memory_bytes_max as u64)
        .saturating_add(config.queued_max_response_bytes as u64)
        .saturating_add(config.log_cleaner_dedupe_buffer_size.max(0) as u64);
    let found = format!("{} are available", amount(available));
    if available >= needed {
        return vec![Finding::ok(NAME, format!("{found}, and buffers may take {}", amount(needed)))];
    }
    let buffers = "queued.max.request.bytes, queued.max.response.bytes and log.cleaner.dedupe.buffer.size";
    vec![Finding::warn(
        NAME,
        format!("{found}, and under load buffers may take {}", amount(needed)),
        format!("give it more, or lower {buffers}"),
    )]
}

/// Of the machine, or of the group that this process is in if that is less.
fn available(patient: &Patient<'_>) -> Option<u64> {
    let info = patient.read("/proc/meminfo")?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let of_machine = line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.saturating_mul(1024);
    let number = |path: &str| patient.read(path)?.parse::<u64>().ok();
    let of_group = number("/sys/fs/cgroup/memory.max")
        .zip(number("/sys/fs/cgroup/memory.current"))
        .map(|(most, used)| most.saturating_sub(used));
    Some(of_group.map_or(of_machine, |of_group| of_group.min(of_machine)))
}

pub(super) fn backlog(patient: &Patient<'_>) -> Vec<Finding> {
    let Some(most) = number(patient, "/proc/sys/net/core/somaxconn") else { return Vec::new() };
    let wanted = u64::try_from(patient.config.socket_listen_backlog_size).unwrap_or(0);
    let found = format!("net.core.somaxconn is {most}");
    if most >= wanted {
        return vec![Finding::ok("backlog", found)];
    }
    vec![Finding::warn(
        "backlog",
        format!("{found}, less than socket.listen.backlog.size={wanted}: bursts of clients wait a second"),
        format!("sysctl net.core.somaxconn={wanted}"),
    )]
}

pub(super) fn maps(patient: &Patient<'_>) -> Vec<Finding> {
    let Some(most) = number(patient, "/proc/sys/vm/max_map_count") else { return Vec::new() };
    let found = format!("vm.max_map_count is {most}: two for each closed segment that is looked into");
    if most >= MAPS_WANTED {
        return vec![Finding::ok("maps", found)];
    }
    vec![Finding::warn("maps", found, format!("sysctl vm.max_map_count={MAPS_WANTED} or more"))]
}

fn number(patient: &Patient<'_>, path: &str) -> Option<u64> {
    patient.read(path)?.parse().ok()
}

/// Whether the wall clock says a time that can be, and goes as the other does. The checks before took a moment.
pub(super) fn clock(patient: &Patient<'_>) -> Vec<Finding> {
    const NAME: &str = "clock";
    const SAMPLE: Duration = Duration::from_millis(50);
    const APART_MAX: Duration = Duration::from_millis(20);
    /// From when this was written, to as long as anybody may run it.
    const YEARS: std::ops::Range<i64> = 2026..2100;
    let clock = &patient.env.clock;
    let (wall, steady) = (clock.now_ms(), clock.monotonic());
    let year = year(wall);
    if !YEARS.contains(&year) {
        let found = format!("the wall clock says that it is the year {year}");
        return vec![Finding::fail(NAME, found, "set it: records and retention go by it")];
    }
    // Nobody ever sends: this is a wait.
    let (_silent, wait) = std::sync::mpsc::channel::<()>();
    let _ = wait.recv_timeout(SAMPLE);
    let walked = Duration::from_millis(clock.now_ms().abs_diff(wall));
    let elapsed = clock.monotonic().saturating_sub(steady);
    let apart = walked.abs_diff(elapsed);
    if apart > APART_MAX {
        let found = format!("in {} ms the wall clock went {} ms", elapsed.as_millis(), walked.as_millis());
        return vec![Finding::warn(NAME, found, "look at what sets it: records and retention go by it")];
    }
    vec![Finding::ok(NAME, format!("the year is {year}, and the wall clock goes as it should"))]
}

pub(super) fn year(wall_ms: i64) -> i64 {
    const MS_A_YEAR: f64 = 365.2425 * 86_400_000.0;
    1970 + (wall_ms as f64 / MS_A_YEAR).floor() as i64
}
