//! What a contender costs: of the client from its own books, of the server from its postmaster's.

use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

use crate::Result;

/// Ticks of `/proc/<pid>/stat` per second: `USER_HZ`, which is 100 on every Linux (proc(5), time(7)).
const TICKS_PER_SECOND: f64 = 100.0;

/// How long sessions may take to end after their client has gone.
const SESSIONS_END_WITHIN: Duration = Duration::from_secs(10);

/// What one run of a contender came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// Wall time.
    pub seconds: f64,
    /// CPU time of the client, user and system.
    pub client_cpu_seconds: f64,
    /// The most memory that the client had resident.
    pub client_peak_mib: f64,
    /// CPU time of the server's sessions, user and system.
    pub server_cpu_seconds: f64,
}

/// CPU seconds that this process has used.
pub fn own_cpu_seconds() -> Result<f64> {
    cpu_seconds(UsageWho::RUSAGE_SELF)
}

/// CPU seconds that ended children of this process have used.
pub fn children_cpu_seconds() -> Result<f64> {
    cpu_seconds(UsageWho::RUSAGE_CHILDREN)
}

fn cpu_seconds(who: UsageWho) -> Result<f64> {
    let usage = getrusage(who)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// The most memory that this process had resident (`VmHWM`), in MiB.
pub fn own_peak_mib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM in /proc/self/status")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// The books of a postmaster: every session is a child of it, and its time is added when it has ended.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    /// Process id of the postmaster.
    pub pid: u32,
}

impl Server {
    /// CPU seconds of all sessions that have ended; waits for those that are about to.
    pub async fn sessions_cpu_seconds(&self) -> Result<f64> {
        let give_up = Instant::now() + SESSIONS_END_WITHIN;
        while self.sessions()? > 0 {
            if Instant::now() > give_up {
                return Err("sessions of the last contender do not end".into());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let fields = stat(&format!("/proc/{}/stat", self.pid))?;
        // cutime and cstime are fields 16 and 17 of the line; two are cut off in front.
        let ticks =
            |place: usize| -> Result<f64> { Ok(fields.get(place).ok_or("a short stat line")?.parse()?) };
        Ok((ticks(13)? + ticks(14)?) / TICKS_PER_SECOND)
    }

    /// Children that work for a client. The server tells what each is for in its command line
    /// (PostgreSQL, "Standard Unix Tools").
    fn sessions(&self) -> Result<usize> {
        let mut count = 0;
        for entry in std::fs::read_dir("/proc")? {
            let path = entry?.path();
            // It may have ended since it was listed, or be no process at all.
            let Ok(fields) = stat(&path.join("stat").display().to_string()) else { continue };
            if fields.get(1).is_none_or(|parent| *parent != self.pid.to_string()) {
                continue;
            }
            let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
            // One that ends counts until the postmaster has taken note: first it has no memory, and so no command line,
            // any more, which takes a while with large shared buffers, then it is a zombie.
            let ended = line.is_empty() || fields.first().is_some_and(|state| state == "Z");
            let line = String::from_utf8_lossy(&line);
            count += usize::from(ended || line.contains("127.0.0.1(") || line.contains("parallel worker"));
        }
        Ok(count)
    }
}

/// The fields of a stat line after the program's name, which may hold anything.
fn stat(path: &str) -> Result<Vec<String>> {
    let line = std::fs::read_to_string(path)?;
    let (_, rest) = line.rsplit_once(')').ok_or("a stat line without a name")?;
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}
