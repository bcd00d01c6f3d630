//! Name, ports and pace of a stack.

use std::{net::TcpListener, path::PathBuf};

use crate::{Error, Result, project};

/// The first port of the stack that `make up` and `make demo` use.
const DEFAULT_PORT_BASE: u16 = 14500;
/// Ports that one stack may use: the cloud, the RDS API, then the instances.
const PORTS_PER_STACK: u16 = 100;
/// Production waits 5 to 60 seconds between polls; locally a restore takes two.
const DEFAULT_WAIT_SCALE: &str = "0.05";

/// What makes one stack another than the next.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its folder below `.local`.
    pub name: String,
    /// Its first port; the local cloud listens here.
    pub port_base: u16,
    /// What Wait states of the state machine are multiplied with.
    pub wait_scale: String,
}

impl Settings {
    /// The stack of `make up` and `make demo`: the ports that `HOLDFAST_PORT_BASE` says, and no others.
    ///
    /// # Errors
    /// When `HOLDFAST_PORT_BASE` is not a port.
    pub fn lasting() -> Result<Self> {
        let port_base = port_base()?;
        let name =
            if port_base == DEFAULT_PORT_BASE { "stack".to_owned() } else { format!("stack-{port_base}") };
        Ok(Self { name, port_base, wait_scale: wait_scale() })
    }

    /// A stack for one command: the first free block of ports from `HOLDFAST_PORT_BASE` on.
    ///
    /// # Errors
    /// When `HOLDFAST_PORT_BASE` is not a port, or no block is free.
    pub fn passing() -> Result<Self> {
        let first = port_base()?;
        (first..=u16::MAX - PORTS_PER_STACK)
            .step_by(PORTS_PER_STACK.into())
            // The lasting stack's own block is left to it even while it is down.
            .skip(1)
            .find(|base| block_is_free(*base) && !project::local().join(format!("run-{base}")).exists())
            .map(|port_base| Self { name: format!("run-{port_base}"), port_base, wait_scale: wait_scale() })
            .ok_or_else(|| Error::new(format!("no free block of {PORTS_PER_STACK} ports from {first} on")))
    }

    /// The command line that runs `target` for this stack.
    pub fn make(&self, target: &str) -> String {
        match self.port_base {
            DEFAULT_PORT_BASE => format!("make {target}"),
            port_base => format!("make {target} HOLDFAST_PORT_BASE={port_base}"),
        }
    }

    /// The lasting stack whose folder has this name.
    pub(crate) fn of_folder(name: &str) -> Option<Self> {
        let port_base = match name.strip_prefix("stack")? {
            "" => DEFAULT_PORT_BASE,
            rest => rest.strip_prefix('-')?.parse().ok()?,
        };
        Some(Self { name: name.to_owned(), port_base, wait_scale: wait_scale() })
    }

    /// Where it keeps its data.
    pub fn dir(&self) -> PathBuf {
        project::local().join(&self.name)
    }

    /// The local cloud.
    pub fn cloud_endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port_base)
    }

    /// The port of the RDS API.
    pub fn rds_port(&self) -> u16 {
        self.port_base + 1
    }

    /// The RDS API.
    pub fn rds_endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.rds_port())
    }

    /// The first port for instances.
    pub fn instance_port_base(&self) -> u16 {
        self.port_base + 10
    }

    /// The certificate authority that instances' certificates come from.
    pub fn ca_file(&self) -> PathBuf {
        self.dir().join("rds-ca.pem")
    }
}

fn port_base() -> Result<u16> {
    match std::env::var("HOLDFAST_PORT_BASE") {
        Ok(text) if !text.is_empty() => match text.parse() {
            Ok(port @ 1024..=65000) => Ok(port),
            _ => Err(Error::new(format!("HOLDFAST_PORT_BASE={text} is not a port from 1024 to 65000"))),
        },
        _ => Ok(DEFAULT_PORT_BASE),
    }
}

fn wait_scale() -> String {
    std::env::var("HOLDFAST_WAIT_SCALE")
        .ok()
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| DEFAULT_WAIT_SCALE.to_owned())
}

fn block_is_free(base: u16) -> bool {
    [base, base + 1]
        .into_iter()
        .chain(base + 10..base + 20)
        .all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok())
}
