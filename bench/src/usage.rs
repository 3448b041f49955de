//! What processes use: processor time and memory, as the kernel counts them.

use std::time::Duration;

/// Ticks of the processor clock per second (`USER_HZ`, 100 on every Linux).
const TICKS: u64 = 100;

/// Processor time of a process so far, all its threads together.
pub fn processor_time(pid: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in brackets may hold anything; the fields after it are numbers.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis((ticks(11) + ticks(12)) * 1_000 / TICKS)
}

/// Resident memory of this process at its highest since the last [`forget_peak`], in MiB.
pub fn peak_memory_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Begins the measurement of the peak anew.
pub fn forget_peak() {
    // Where the kernel does not allow it the peak is that of the whole run, which is no less.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
