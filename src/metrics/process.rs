//! What the system tells of this process: of Linux alone; elsewhere nothing is told.

use std::fs;

/// In `/proc`, times are in hundredths of a second whatever the kernel counts in (`USER_HZ`, proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// The process as it is.
#[derive(Debug, Default)]
pub struct Process {
    pub resident_bytes: u64,
    pub virtual_bytes: u64,
    pub threads: u64,
    pub cpu_seconds: f64,
    /// In seconds since the epoch.
    pub started_at: f64,
    pub open_files: u64,
    /// `None`: no limit.
    pub most_files: Option<u64>,
}

impl Process {
    /// Reads it. `None` where there is no `/proc`.
    pub fn read() -> Option<Process> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let field = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_start_matches(':').split_whitespace().next()?.parse().ok()
        };
        let stat = fs::read_to_string("/proc/self/stat").ok()?;
        // The name of the process, between brackets, may have spaces.
        let stat: Vec<_> = stat.rsplit_once(") ")?.1.split(' ').collect();
        // By the numbers of proc_pid_stat(5), of which the first two were split off.
        let ticks = |number: usize| -> Option<f64> { stat.get(number - 3)?.parse().ok() };
        let limits = fs::read_to_string("/proc/self/limits").ok()?;
        let most_files = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        Some(Process {
            resident_bytes: field("VmRSS")? * 1024,
            virtual_bytes: field("VmSize")? * 1024,
            threads: field("Threads")?,
            cpu_seconds: (ticks(14)? + ticks(15)?) / TICKS_PER_SECOND,
            started_at: booted_at()? + ticks(22)? / TICKS_PER_SECOND,
            // One of them is the folder itself, being read.
            open_files: u64::try_from(fs::read_dir("/proc/self/fd").ok()?.count()).ok()?.saturating_sub(1),
            most_files: most_files.split_whitespace().next()?.parse().ok(),
        })
    }
}

fn booted_at() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_one() {
        let process = Process::read().unwrap();
        assert!(
            process.resident_bytes > 1 << 20 && process.virtual_bytes > process.resident_bytes,
            "{process:?}"
        );
        assert!(process.threads >= 1 && process.open_files >= 3, "{process:?}");
        // Later than this test was written, and not after the clock.
        let now = crate::clock::Clock::system().now().timestamp() as f64;
        assert!((1.7e9..=now + 1.0).contains(&process.started_at), "{process:?}");
    }
}
