//! What a process cost, from the kernel's own accounting of it.
//!
//! Invariants: a broker's figures come from `/proc/PID`, so that no broker has to tell of itself; the clock ticks
//! there are 10 ms on common kernels, which a run of a second or more makes small. A process that is gone is an error.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::time::{ClockId, clock_gettime};

/// User and system time of a process, all its threads, dead ones too.
pub(crate) fn process_cpu(pid: u32) -> Result<Duration> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("cannot read {path}: has it died?"))?;
    let ticks = parse_stat_ticks(&stat, OWN_TICKS_AT);
    let ticks = ticks.with_context(|| format!("{path} reads unlike a stat line"))?;
    Ok(of_ticks(ticks))
}

fn of_ticks(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Where user and system time stand behind the command's name: a process's own, and that of its children who have ended.
const OWN_TICKS_AT: usize = 11;
const CHILDRENS_TICKS_AT: usize = 13;

/// The sum of both times. The command's name may hold blanks and brackets, so fields count from its last bracket.
fn parse_stat_ticks(stat: &str, at: usize) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(at);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// The most memory that a process held since the last `forget_peak_memory`.
pub(crate) fn peak_memory_bytes(pid: u32) -> Result<u64> {
    memory_bytes(pid, "VmHWM:")
}

/// The memory that it holds.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    memory_bytes(pid, "VmRSS:")
}

/// All that the machine has.
pub(crate) fn machine_memory_bytes() -> Result<u64> {
    machines_memory("MemTotal:")
}

/// What a process can take of it.
pub(crate) fn available_memory_bytes() -> Result<u64> {
    machines_memory("MemAvailable:")
}

fn machines_memory(field: &str) -> Result<u64> {
    let info = fs::read_to_string("/proc/meminfo").context("asking for the machine's memory")?;
    parse_kib(&info, field).map(|kib| kib * 1024).with_context(|| format!("no {field} in /proc/meminfo"))
}

fn memory_bytes(pid: u32, field: &str) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}: has it died?"))?;
    parse_kib(&status, field).map(|kib| kib * 1024).with_context(|| format!("no {field} in {path}"))
}

fn parse_kib(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Its open descriptors.
pub(crate) fn descriptors(pid: u32) -> Result<usize> {
    let path = format!("/proc/{pid}/fd");
    Ok(fs::read_dir(&path).with_context(|| format!("cannot read {path}: has it died?"))?.count())
}

/// Lets the peak begin anew at what the process holds now; 5 is the kernel's word for it (see proc(5), `clear_refs`).
pub(crate) fn forget_peak_memory(pid: u32) -> Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").context("resetting the peak memory of the broker")
}

/// CPU time of this process, all its threads.
pub(crate) fn own_cpu() -> Duration {
    clock(ClockId::ProcessCPUTime)
}

/// CPU time of the generators: of this process, and of those that it has started and seen end.
pub(crate) fn generator_cpu() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").context("reading the times of processes that ended")?;
    let ticks =
        parse_stat_ticks(&stat, CHILDRENS_TICKS_AT).context("/proc/self/stat reads unlike a stat line")?;
    Ok(own_cpu() + of_ticks(ticks))
}

/// CPU time of the calling thread.
pub(crate) fn thread_cpu() -> Duration {
    clock(ClockId::ThreadCPUTime)
}

fn clock(id: ClockId) -> Duration {
    let time = clock_gettime(id);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_line_survives_an_odd_name() {
        let line = "42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 7 8 20 0 30 0 1000 1 1";
        assert_eq!(parse_stat_ticks(line, OWN_TICKS_AT), Some(300));
        assert_eq!(parse_stat_ticks(line, CHILDRENS_TICKS_AT), Some(15));
        assert_eq!(parse_stat_ticks("42 (java", OWN_TICKS_AT), None);
    }

    #[test]
    fn high_water_mark_is_found() {
        assert_eq!(parse_kib("VmPeak:\t 9 kB\nVmHWM:\t  1234 kB\n", "VmHWM:"), Some(1234));
        assert_eq!(parse_kib("VmPeak:\t 9 kB\n", "VmHWM:"), None);
    }

    #[test]
    fn own_accounts_agree() {
        let pid = std::process::id();
        let (clock_before, proc_before) = (own_cpu(), process_cpu(pid).unwrap());
        let mut sum = 0u64;
        while own_cpu() - clock_before < Duration::from_millis(200) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        let by_proc = process_cpu(pid).unwrap() - proc_before;
        assert!(by_proc >= Duration::from_millis(150), "/proc saw {by_proc:?} of 200 ms");
        assert!(peak_memory_bytes(pid).unwrap() > 0);
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        assert!(process_cpu(u32::MAX).is_err());
        assert!(peak_memory_bytes(u32::MAX).is_err());
    }
}
