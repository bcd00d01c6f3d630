//! What a cluster is made of.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of one cluster. Only the data directory has no default.
#[derive(Clone)]
pub struct ClusterOptions {
    pub(crate) data_dir: PathBuf,
    pub(crate) port: Option<u16>,
    pub(crate) superuser: String,
    pub(crate) password: String,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) hba: Vec<String>,
    pub(crate) fast: bool,
    pub(crate) archive: Option<PathBuf>,
    pub(crate) segment_megabytes: Option<u32>,
    pub(crate) deadline: Duration,
}

impl ClusterOptions {
    /// A cluster in this directory: superuser `postgres` with password `postgres`, a free port,
    /// password logins from 127.0.0.1 with or without TLS.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            port: None,
            superuser: "postgres".to_owned(),
            password: "postgres".to_owned(),
            settings: BTreeMap::new(),
            hba: [
                "host all all 127.0.0.1/32 scram-sha-256",
                "host replication all 127.0.0.1/32 scram-sha-256",
            ]
            .map(str::to_owned)
            .to_vec(),
            fast: false,
            archive: None,
            segment_megabytes: None,
            deadline: Duration::from_secs(60),
        }
    }

    /// The port to listen on; a free one is chosen when it is not set.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The bootstrap superuser's name.
    pub fn superuser(mut self, name: impl Into<String>) -> Self {
        self.superuser = name.into();
        self
    }

    /// The bootstrap superuser's password.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = password.into();
        self
    }

    /// One line of postgresql.conf.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.insert(name.into(), value.into());
        self
    }

    /// Several lines of postgresql.conf.
    pub fn settings(mut self, settings: impl IntoIterator<Item = (String, String)>) -> Self {
        self.settings.extend(settings);
        self
    }

    /// The lines of pg_hba.conf, in place of the default ones.
    pub fn hba<T: Into<String>>(mut self, lines: impl IntoIterator<Item = T>) -> Self {
        self.hba = lines.into_iter().map(Into::into).collect();
        self
    }

    /// Trades safety against a power cut for speed (`fsync` off and the like): for tests.
    pub fn fast(mut self) -> Self {
        self.fast = true;
        self
    }

    /// Archives finished WAL segments into this directory, for as long as it exists: [`Cluster::make_archive`]
    /// makes it, on a server that runs or not.
    ///
    /// [`Cluster::make_archive`]: crate::Cluster::make_archive
    pub fn archive(mut self, directory: impl Into<PathBuf>) -> Self {
        self.archive = Some(directory.into());
        self
    }

    /// The size of a WAL segment of a cluster that is made, in MiB (PostgreSQL's default: 16). Every forced switch
    /// costs an archive one of them.
    pub fn segment_megabytes(mut self, megabytes: u32) -> Self {
        self.segment_megabytes = Some(megabytes);
        self
    }

    /// How long a start or a stop may take (default 60 s).
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }
}

impl fmt::Debug for ClusterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the password.
        f.debug_struct("ClusterOptions")
            .field("data_dir", &self.data_dir)
            .field("port", &self.port)
            .field("superuser", &self.superuser)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
