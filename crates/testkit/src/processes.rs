//! Children started in process groups of their own, found again by id and stopped with all their descendants.
//!
//! The local cloud starts function binaries as its children; ending its group ends them too.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill, killpg},
        wait::{WaitPidFlag, waitpid},
    },
    unistd::Pid,
};

use crate::{Error, Result};

/// A process that leads a group, and when it started: an id alone may by now be somebody else's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// What it is.
    pub name: String,
    pid: i32,
    born: u64,
}

impl Leader {
    /// Starts `command` in a group of its own, its output in `log`, and does not wait for it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Result<Self> {
        let output = File::create(log).map_err(|cause| Error::file(log, cause))?;
        let errors = output.try_clone().map_err(|cause| Error::file(log, cause))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(|cause| Error::because(format!("{name} could not be started"), &cause))?;
        let pid = i32::try_from(child.id())
            .map_err(|_| Error::new(format!("{name} has an impossible process id")))?;
        Ok(Self { name: name.to_owned(), pid, born: process(pid).map_or(0, |process| process.born) })
    }

    /// Whether the process itself still runs.
    pub fn is_alive(&self) -> bool {
        reap(self.pid);
        match process(self.pid) {
            Some(process) => !process.dead && process.born == self.born,
            None if has_proc() => false,
            None => kill(Pid::from_raw(self.pid), None).is_ok(),
        }
    }

    /// Asks the leader to end, waits `patience`, then ends whatever is left of its group.
    ///
    /// # Errors
    /// When something of it survives even that.
    pub fn stop(&self, patience: Duration) -> Result<()> {
        if self.is_alive() {
            // It may end by itself between the question and the signal.
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGTERM);
            wait_until(patience, || !self.is_alive());
        }
        if !self.group_lives() {
            return Ok(());
        }
        let _ = killpg(Pid::from_raw(self.pid), Signal::SIGKILL);
        if wait_until(Duration::from_secs(5), || !self.group_lives()) {
            return Ok(());
        }
        Err(Error::new(format!("{} (process group {}) could not be stopped", self.name, self.pid)))
    }

    /// Whether anything of the group still runs. A group's id is not given to another process while
    /// the group has members, so members that are older than the leader are somebody else's.
    fn group_lives(&self) -> bool {
        reap(self.pid);
        if !has_proc() {
            return killpg(Pid::from_raw(self.pid), None) != Err(Errno::ESRCH);
        }
        let Ok(entries) = fs::read_dir("/proc") else { return false };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter_map(process)
            .any(|process| process.group == self.pid && !process.dead && process.born >= self.born)
    }
}

/// Leaders written down, so that another command can stop them.
#[derive(Debug)]
pub struct PidFile(PathBuf);

impl PidFile {
    /// The file of a stack's folder.
    pub fn of(dir: &Path) -> Self {
        Self(dir.join("pids"))
    }

    /// Adds a leader.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add(&self, leader: &Leader) -> Result<()> {
        let mut leaders = self.read();
        leaders.push(leader.clone());
        let lines: String = leaders
            .iter()
            .map(|leader| format!("{} {} {}\n", leader.name, leader.pid, leader.born))
            .collect();
        fs::write(&self.0, lines).map_err(|cause| Error::file(&self.0, cause))
    }

    /// Everything written down; nothing when there is no file.
    pub fn read(&self) -> Vec<Leader> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        text.lines().filter_map(leader).collect()
    }
}

fn leader(line: &str) -> Option<Leader> {
    let mut words = line.split_whitespace();
    Some(Leader {
        name: words.next()?.to_owned(),
        pid: words.next()?.parse().ok()?,
        born: words.next()?.parse().ok()?,
    })
}

/// This process, as an owner to be found dead later.
pub fn this_process() -> Leader {
    let pid = nix::unistd::getpid().as_raw();
    Leader { name: "owner".to_owned(), pid, born: process(pid).map_or(0, |process| process.born) }
}

/// Waits until `condition` holds; false when it does not within `patience`.
pub fn wait_until(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Collects a child that has ended; no matter if it is not ours.
fn reap(pid: i32) {
    let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
}

fn has_proc() -> bool {
    Path::new("/proc/self/stat").exists()
}

struct Process {
    group: i32,
    born: u64,
    dead: bool,
}

/// What `/proc/<pid>/stat` says: the name in brackets may hold anything, the fields follow the last one.
fn process(pid: i32) -> Option<Process> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Process {
        dead: matches!(*fields.first()?, "Z" | "X"),
        group: fields.get(2)?.parse().ok()?,
        born: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stopping_a_leader_stops_the_children_that_it_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; sleep 300 & sleep 300"]);
        let leader = Leader::start("sleepers", &mut command, &dir.path().join("log")).unwrap();
        assert!(leader.is_alive());
        leader.stop(Duration::from_millis(300)).unwrap();
        assert!(!leader.is_alive() && !leader.group_lives());
    }

    #[test]
    fn a_process_id_that_was_given_to_another_is_not_ours() {
        let this = this_process();
        assert!(this.is_alive());
        let earlier = Leader { born: this.born.saturating_sub(1), ..this };
        assert!(!earlier.is_alive());
    }

    #[test]
    fn what_is_written_down_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = PidFile::of(dir.path());
        assert_eq!(file.read(), []);
        file.add(&this_process()).unwrap();
        file.add(&this_process()).unwrap();
        assert_eq!(file.read(), [this_process(), this_process()]);
    }
}
