//! Development only: finds PostgreSQL server binaries and runs clusters with TLS.
//!
//! A [`Cluster`] is one data directory and at most one server process. It is bound to 127.0.0.1,
//! always speaks TLS with a certificate for `localhost` and `127.0.0.1` made by a
//! [`CertificateAuthority`], and is stopped when it is dropped, so a test leaves nothing behind.
//!
//! ```no_run
//! # async fn example() -> Result<(), holdfast_local_postgres::Error> {
//! use holdfast_local_postgres::{Binaries, CertificateAuthority, Cluster, ClusterOptions, StopMode};
//!
//! let authority = CertificateAuthority::new()?;
//! let options = ClusterOptions::new("/tmp/example/data")
//!     .password("a long password")
//!     .setting("max_connections", "40")
//!     .fast();
//! let mut cluster = Cluster::create(Binaries::find().await?, authority, options).await?;
//! cluster.start().await?;
//! println!("{}", cluster.connection_string("postgres"));
//! cluster.stop(StopMode::Fast).await?;
//! # Ok(())
//! # }
//! ```
//!
//! PostgreSQL refuses to run as root. When this process is root, servers run as the user named by
//! `HOLDFAST_PG_USER`, else `postgres`, else `nobody`, and the data directory is given to it. Every
//! directory above the data directory must then let that user through; only the direct parent is
//! made so by this crate.

mod archive;
mod authority;
mod binaries;
mod cluster;
mod error;
mod files;
mod options;
pub mod page;
mod user;

pub use authority::{CertificateAuthority, ServerCertificate};
pub use binaries::Binaries;
pub use cluster::{Cluster, StopMode, stop_leftovers};
pub use error::Error;
pub use files::copy_tree;
pub use options::ClusterOptions;
pub use user::ServerUser;

/// A port of 127.0.0.1 that was free a moment ago.
pub fn free_port() -> Result<u16, Error> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))
        .map_err(|cause| Error::io("cannot ask for a free port", cause))?;
    listener
        .local_addr()
        .map(|address| address.port())
        .map_err(|cause| Error::io("cannot read the free port", cause))
}
