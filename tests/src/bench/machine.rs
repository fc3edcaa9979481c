//! The machine: how busy it is, and how much time and memory a process took. From `/proc`, see proc(5).

use std::{collections::BTreeMap, fmt, path::Path, time::Duration};

use jiyun_lab::Process;

use super::{BenchError, statistics::number};

/// Ticks a second in `/proc/*/stat`: `USER_HZ`, 100 on every architecture Linux is used on here.
const TICKS: f64 = 100.0;

/// How long the machine is watched before it is called busy.
const LOOK: Duration = Duration::from_secs(1);

/// Above this share of one core's time somebody else is working.
const BUSY: f64 = 0.10;

/// Above this share of time the host of a virtual machine has taken away, times mean little.
const STOLEN: f64 = 0.01;

/// How busy the machine is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Load average over one minute.
    pub average: f64,
    /// Cores.
    pub cores: usize,
    /// Cores busy during the look.
    pub busy: f64,
    /// Share of time taken away by whoever runs this virtual machine.
    pub stolen: f64,
}

impl Load {
    /// Why figures taken now are doubtful, if they are.
    pub fn warning(&self) -> Option<String> {
        if self.busy <= BUSY && self.stolen <= STOLEN {
            return None;
        }
        Some(format!(
            "the machine was not quiet ({:.2} cores busy, {:.1} % stolen): the numbers are lower than they would be, and \
             their ratios less certain",
            self.busy,
            self.stolen * 100.0
        ))
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { average, cores, busy, .. } = self;
        write!(f, "load average {average:.2}, {busy:.2} of {cores} cores busy")
    }
}

/// Watches the machine for a second.
///
/// # Errors
/// When `/proc` cannot be read.
pub async fn look_around() -> Result<Load, BenchError> {
    let average = read("/proc/loadavg")?.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or_default();
    let before = times(&read("/proc/stat")?);
    tokio::time::sleep(LOOK).await;
    let after = times(&read("/proc/stat")?);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let spent = |part: fn(&Times) -> f64| (part(&after) - part(&before)).max(0.0);
    let all = spent(|times| times.all).max(1.0);
    let busy = spent(|times| times.all - times.idle - times.stolen) / all * number(cores);
    Ok(Load { average, cores, busy, stolen: spent(|times| times.stolen) / all })
}

/// Ticks of all cores since the machine started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Times {
    all: f64,
    idle: f64,
    stolen: f64,
}

/// The first line of `/proc/stat`: user nice system idle iowait irq softirq steal; guest times are within user.
fn times(stat: &str) -> Times {
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_whitespace().skip(1).take(8).filter_map(|text| text.parse().ok()).collect();
    let at = |index: usize| ticks.get(index).copied().unwrap_or_default();
    Times { all: ticks.iter().sum(), idle: at(3) + at(4), stolen: at(7) }
}

/// Seconds of processor time by process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seconds(BTreeMap<String, f64>);

impl Seconds {
    /// What the processes of a lab have taken so far. The simulators are threads of this process; the rest of it is
    /// the callers and the observer.
    pub fn of(processes: &[Process]) -> Self {
        let mut seconds: BTreeMap<String, f64> = processes
            .iter()
            .filter_map(|process| {
                Some((process.name().to_owned(), seconds_in(&format!("/proc/{}/stat", process.pid()))?))
            })
            .collect();
        let own = seconds_in("/proc/self/stat").unwrap_or_default();
        let simulators = threads_of_the_lab();
        seconds.insert("simulators".into(), simulators);
        seconds.insert("bench".into(), own - simulators);
        Self(seconds)
    }

    /// What was taken since `before`, for each of `pieces` of work: milliseconds by process, those that took any.
    pub fn each_since(&self, before: &Self, pieces: usize) -> BTreeMap<String, f64> {
        let taken = |(name, now): (&String, &f64)| {
            let since = now - before.0.get(name).copied().unwrap_or_default();
            (name.clone(), since.max(0.0) * 1000.0 / number(pieces.max(1)))
        };
        self.0.iter().map(taken).filter(|(_, milliseconds)| *milliseconds > 0.0).collect()
    }
}

fn seconds_in(stat: &str) -> Option<f64> {
    ticks(&std::fs::read_to_string(stat).ok()?).map(|ticks| ticks / TICKS)
}

/// The lab names its threads; one that ended between two looks at the folder is missed, and the lab keeps its two.
fn threads_of_the_lab() -> f64 {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return 0.0 };
    threads
        .flatten()
        .filter(|thread| std::fs::read_to_string(thread.path().join("comm")).is_ok_and(|name| name.trim() == "lab"))
        .filter_map(|thread| seconds_in(&thread.path().join("stat").to_string_lossy()))
        .sum()
}

/// `utime` + `stime` of a line of `/proc/*/stat`: fields 14 and 15, counted after the name, which may hold anything.
fn ticks(stat: &str) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Memory of a process in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident now.
    pub resident: u64,
    /// The most that ever was resident.
    pub peak: u64,
}

/// Memory of the process with this number.
///
/// # Errors
/// When it is gone.
pub fn memory(pid: u32) -> Result<Memory, BenchError> {
    Ok(memory_in(&read(format!("/proc/{pid}/status"))?))
}

fn memory_in(status: &str) -> Memory {
    let bytes = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.unwrap_or_default() * 1024
    };
    Memory { resident: bytes("VmRSS:"), peak: bytes("VmHWM:") }
}

fn read(path: impl AsRef<Path>) -> Result<String, BenchError> {
    std::fs::read_to_string(&path).map_err(BenchError::file(path.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quiet_machine_draws_no_warning_and_a_busy_or_robbed_one_does() {
        let quiet = Load { average: 3.0, cores: 2, busy: 0.05, stolen: 0.0 };
        assert_eq!(quiet.warning(), None);
        assert!(Load { busy: 0.5, ..quiet }.warning().is_some_and(|text| text.contains("0.50 cores")));
        assert!(Load { stolen: 0.02, ..quiet }.warning().is_some_and(|text| text.contains("2.0 % stolen")));
    }

    #[test]
    fn waiting_for_a_disk_counts_as_idle_and_guests_are_not_counted_twice() {
        let times = times("cpu  10 1 20 100 50 2 3 4 7 8\ncpu0 1 1 1 1\n");
        assert_eq!(times, Times { all: 190.0, idle: 150.0, stolen: 4.0 });
    }

    #[test]
    fn processor_time_is_read_past_a_name_with_spaces_and_brackets() {
        let stat = "42 (a ) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 4 0 1000 1 1";
        assert_eq!(ticks(stat), Some(300.0));
        assert_eq!(ticks("nonsense"), None);
    }

    #[test]
    fn time_is_told_in_milliseconds_a_piece_and_only_of_processes_that_took_any() {
        let seconds =
            |all: &[(&str, f64)]| Seconds(all.iter().map(|(name, seconds)| ((*name).to_owned(), *seconds)).collect());
        let each = seconds(&[("etcd", 3.0), ("idle", 1.0), ("new", 0.5)])
            .each_since(&seconds(&[("etcd", 1.0), ("idle", 1.0)]), 100);
        assert_eq!(each, BTreeMap::from([("etcd".to_owned(), 20.0), ("new".to_owned(), 5.0)]));
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(memory_in(status), Memory { resident: 1 << 20, peak: 2 << 20 });
    }
}
