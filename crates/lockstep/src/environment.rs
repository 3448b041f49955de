//! The only place that touches the world: environment variables, real clock, real randomness, process ids, terminal.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use engine::Env;

use crate::error_report::CliError;

/// The real world as the engine sees it.
pub(crate) struct RealWorld {
    process_name: String,
}

impl RealWorld {
    /// This process, now.
    pub(crate) fn new() -> Arc<Self> {
        let pid = std::process::id();
        let process_name = format!("{}@{}@{pid}", host(), started(pid).unwrap_or_default());
        Arc::new(Self { process_name })
    }
}

impl Env for RealWorld {
    fn now_ms(&self) -> i64 {
        now_ms()
    }

    fn monotonic_ms(&self) -> i64 {
        i64::try_from(monotonic_micros() / 1_000).unwrap_or(i64::MAX)
    }

    fn random_bits(&self) -> u64 {
        random_bits()
    }

    fn process_name(&self) -> String {
        self.process_name.clone()
    }

    /// On this host a process is known by its id and the time it was started; other hosts cannot be asked.
    fn may_be_alive(&self, process_name: &str) -> bool {
        let mut parts = process_name.rsplit('@');
        let (pid, start, owner_host) = (parts.next(), parts.next(), parts.next());
        let pid = pid.and_then(|pid| pid.parse::<u32>().ok());
        let (Some(pid), Some(start), Some(owner_host)) = (pid, start, owner_host) else { return true };
        if owner_host != host() || start.is_empty() || !Path::new("/proc/self/stat").exists() {
            return true;
        }
        started(pid).is_some_and(|now| now == start)
    }
}

/// Unix milliseconds.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the real clock")]
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Microseconds since the first call; only moves forward.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the real clock")]
pub(crate) fn monotonic_micros() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    u64::try_from(Instant::now().duration_since(start).as_micros()).unwrap_or(u64::MAX)
}

/// 64 bits from the operating system.
#[expect(clippy::disallowed_methods, reason = "this is the one place that draws real randomness")]
pub(crate) fn random_bits() -> u64 {
    getrandom::u64().expect("the operating system has randomness; without it no id or secret would be safe")
}

/// 256 random bits as hexadecimal digits.
pub(crate) fn random_key() -> String {
    (0..4).map(|_| format!("{:016x}", random_bits())).collect()
}

/// An environment variable; empty counts as not set.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Who runs this, for the audit log.
pub(crate) fn actor() -> String {
    let user = variable("USER").or_else(|| variable("LOGNAME"));
    format!("cli:{}", user.unwrap_or_else(|| "unknown".into()))
}

/// A person looks at messages and progress, and can be asked.
pub(crate) fn can_ask() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// How this program can be called again from any folder.
pub(crate) fn program() -> String {
    let path = std::env::current_exe().ok();
    path.map_or_else(|| "lockstep".into(), |path| path.display().to_string())
}

/// The path made independent of the current folder.
pub(crate) fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Writes a file that only its owner may read; refuses to replace one.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), CliError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        use std::io::Write;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| CliError::file("cannot-write", path, &error))
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim().replace('@', "-");
    if name.is_empty() { "localhost".into() } else { name }
}

/// When a process was started, as the kernel counts it (proc(5), field 22); none: it does not run, or nobody knows.
fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything, so fields are counted after the last bracket.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.nth(18).map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_one_that_was_started_at_another_time_is_not() {
        let world = RealWorld::new();
        let name = world.process_name();
        assert!(name.ends_with(&std::process::id().to_string()));
        assert!(world.may_be_alive(&name));
        if Path::new("/proc/self/stat").exists() {
            let reused = format!("{}@1@{}", host(), std::process::id());
            assert!(!world.may_be_alive(&reused));
            assert!(!world.may_be_alive(&format!("{}@1@4194305", host())));
        }
        assert!(world.may_be_alive("another-host@1@4194305"));
        assert!(world.may_be_alive("unreadable"));
    }
}
