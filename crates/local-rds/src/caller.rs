//! Kills the process behind a connection, for the fault `killCaller`: a function that dies after its call had
//! its effect and before it could answer. Linux only: it reads `/proc`.

use std::fs;
use std::net::SocketAddr;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Kills the process on this machine that holds the other end of a connection from `caller`.
///
/// # Errors
/// A sentence when no such process is found or it cannot be killed.
pub(crate) fn kill_caller(caller: SocketAddr) -> Result<i32, String> {
    let inode = socket_inode(caller).ok_or_else(|| format!("no socket of {caller} on this machine"))?;
    let pid =
        holder(&format!("socket:[{inode}]")).ok_or_else(|| format!("nobody holds the socket of {caller}"))?;
    if pid == std::process::id().cast_signed() {
        return Err("the caller is this process".to_owned());
    }
    kill(Pid::from_raw(pid), Signal::SIGKILL).map_err(|error| format!("killing {pid}: {error}"))?;
    Ok(pid)
}

/// The inode of the socket that is bound to `address`, from `/proc/net/tcp` (proc(5)).
fn socket_inode(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    let wanted = format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port());
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        (fields.get(1) == Some(&wanted.as_str()))
            .then(|| fields.get(9).map(|inode| (*inode).to_owned()))
            .flatten()
    })
}

/// The process that has a file descriptor pointing at `target`.
fn holder(target: &str) -> Option<i32> {
    let processes = fs::read_dir("/proc").ok()?;
    processes.flatten().find_map(|process| {
        let pid: i32 = process.file_name().to_str()?.parse().ok()?;
        let descriptors = fs::read_dir(process.path().join("fd")).ok()?;
        let holds = descriptors
            .flatten()
            .any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|link| link.as_os_str() == target));
        holds.then_some(pid)
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_process_behind_a_connection_is_found_and_never_this_one() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_server, caller) = listener.accept().unwrap();
        assert_eq!(caller, client.local_addr().unwrap());
        assert_eq!(kill_caller(caller).unwrap_err(), "the caller is this process");
    }
}
