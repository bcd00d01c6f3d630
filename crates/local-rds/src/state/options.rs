//! What a caller chooses about an instance and nothing here depends on: kept, and described.

/// Options of an instance as its descriptions name them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Options {
    pub(crate) iops: Option<i64>,
    /// MiB per second.
    pub(crate) storage_throughput: Option<i64>,
    /// GiB.
    pub(crate) max_allocated_storage: Option<i64>,
    pub(crate) insights: Option<Insights>,
    pub(crate) monitoring: Option<Monitoring>,
    pub(crate) iam_authentication: bool,
    pub(crate) certificate: String,
    pub(crate) log_exports: Vec<String>,
    pub(crate) backup_window: String,
    pub(crate) maintenance_window: String,
}

/// Performance Insights, on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Insights {
    pub(crate) key: String,
    /// Days.
    pub(crate) retention: i64,
}

/// Enhanced Monitoring, on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Monitoring {
    /// Seconds.
    pub(crate) interval: i64,
    pub(crate) role: String,
}

/// The certificate authorities of RDS; the first is the default one.
pub(crate) const CERTIFICATES: [&str; 3] = ["rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1", "rds-ca-ecc384-g1"];

impl Default for Options {
    fn default() -> Self {
        Self {
            iops: None,
            storage_throughput: None,
            max_allocated_storage: None,
            insights: None,
            monitoring: None,
            iam_authentication: false,
            certificate: CERTIFICATES[0].to_owned(),
            log_exports: Vec::new(),
            backup_window: "03:00-03:30".to_owned(),
            maintenance_window: "sun:04:00-sun:04:30".to_owned(),
        }
    }
}

/// What a description says of IOPS and throughput: of `gp3` its baseline when nothing was provisioned, which a
/// call may not ask for (User Guide, "Amazon RDS DB instance storage": 400 GiB is where both change for PostgreSQL).
pub(crate) fn performance(
    storage_type: &str,
    allocated_storage: i64,
    options: (Option<i64>, Option<i64>),
) -> (Option<i64>, Option<i64>) {
    let baseline = match (storage_type, allocated_storage >= LARGE) {
        ("gp3", false) => (Some(3000), Some(125)),
        ("gp3", true) => (Some(12_000), Some(500)),
        _ => (None, None),
    };
    (options.0.or(baseline.0), options.1.or(baseline.1))
}

/// From this size on `gp3` can have more than its baseline, in GiB.
pub(crate) const LARGE: i64 = 400;
