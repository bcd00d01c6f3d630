//! Reading what a caller chooses about an instance, and refusing what RDS refuses.

use super::Call;
use crate::error::RdsError;
use crate::iam::Context;
use crate::state::{CERTIFICATES, Insights, LARGE, Monitoring, Options};

/// The key of Performance Insights, when the call names one or turns it on.
pub(super) async fn insights_key(call: &Call) -> Result<Option<String>, RdsError> {
    let on = call.params.boolean("EnablePerformanceInsights")?.unwrap_or(false);
    match call.params.text("PerformanceInsightsKMSKeyId") {
        None if !on => Ok(None),
        given => call.usable_key(given).await.map(Some),
    }
}

/// Whether the caller may give RDS the role that the call names, and RDS can take it (Amazon RDS User Guide, "Setting up for and
/// enabling Enhanced Monitoring").
pub(super) async fn check_monitoring_role(call: &Call) -> Result<(), RdsError> {
    const SERVICE: &str = "monitoring.rds.amazonaws.com";
    let (Some(iam), Some(arn)) = (&call.app.iam, call.params.text("MonitoringRoleArn")) else {
        return Ok(());
    };
    let context = Context::from([("iam:passedtoservice".to_owned(), vec![SERVICE.to_owned()])]);
    iam.authorize(&call.principal, "iam:PassRole", arn, &context).await?;
    if iam.may_take(SERVICE, arn).await {
        return Ok(());
    }
    Err(RdsError::invalid_value(
        "IAM role ARN value is invalid or does not include the required permissions for: ENHANCED_MONITORING",
    ))
}

/// What the call changes about these options.
pub(super) fn read(call: &Call, mut options: Options, key: Option<String>) -> Result<Options, RdsError> {
    let params = &call.params;
    for (name, field) in [
        ("Iops", &mut options.iops),
        ("StorageThroughput", &mut options.storage_throughput),
        ("MaxAllocatedStorage", &mut options.max_allocated_storage),
    ] {
        if let Some(number) = params.number(name)? {
            *field = Some(number).filter(|number| *number > 0);
        }
    }
    options.insights = insights(call, options.insights, key)?;
    options.monitoring = monitoring(call, options.monitoring)?;
    options.iam_authentication =
        params.boolean("EnableIAMDatabaseAuthentication")?.unwrap_or(options.iam_authentication);
    if let Some(name) = params.text("CACertificateIdentifier") {
        if !CERTIFICATES.contains(&name) {
            return Err(RdsError::certificate_not_found(name));
        }
        options.certificate = name.to_owned();
    }
    options.log_exports = log_exports(call, options.log_exports)?;
    if let Some(window) = window(call, "PreferredBackupWindow", 1)? {
        options.backup_window = window;
    }
    if let Some(window) = window(call, "PreferredMaintenanceWindow", 2)? {
        options.maintenance_window = window;
    }
    match params.text("LicenseModel") {
        Some(model) if model != "postgresql-license" => Err(RdsError::invalid_combination(format!(
            "Invalid license model '{model}' for engine 'postgres'. Valid license models are: postgresql-license."
        ))),
        _ => Ok(options),
    }
}

fn insights(call: &Call, now: Option<Insights>, key: Option<String>) -> Result<Option<Insights>, RdsError> {
    let retention = call.params.number("PerformanceInsightsRetentionPeriod")?;
    // Seven days, whole months of 31 days, or two years.
    let valid = |days: i64| days == 7 || days == 731 || (days % 31 == 0 && (1..=23).contains(&(days / 31)));
    if let Some(days) = retention.filter(|days| !valid(*days)) {
        return Err(RdsError::invalid_value(format!(
            "Invalid Performance Insights retention period. Valid values are: [7, 731, or a month of 31 days * 1 to 23], not {days}"
        )));
    }
    match (call.params.boolean("EnablePerformanceInsights")?, now, key) {
        (Some(false), _, _) => Ok(None),
        (Some(true), None, Some(key)) => Ok(Some(Insights { key, retention: retention.unwrap_or(7) })),
        (None, None, None) if retention.is_none() => Ok(None),
        (_, Some(now), _) => Ok(Some(Insights { retention: retention.unwrap_or(now.retention), ..now })),
        (_, None, _) => {
            let why = "Performance Insights must be enabled to specify its key or its retention period.";
            Err(RdsError::invalid_combination(why))
        }
    }
}

fn monitoring(call: &Call, now: Option<Monitoring>) -> Result<Option<Monitoring>, RdsError> {
    let params = &call.params;
    let interval = params.number("MonitoringInterval")?;
    if let Some(seconds) = interval.filter(|seconds| ![0, 1, 5, 10, 15, 30, 60].contains(seconds)) {
        return Err(RdsError::invalid_value(format!("Invalid monitoring interval: {seconds}")));
    }
    let interval = interval.or(now.as_ref().map(|now| now.interval)).unwrap_or(0);
    let role = params.owned("MonitoringRoleArn").or(now.map(|now| now.role));
    match (interval, role) {
        (0, _) => Ok(None),
        (interval, Some(role)) => Ok(Some(Monitoring { interval, role })),
        (_, None) => Err(RdsError::invalid_combination(
            "A MonitoringRoleARN value is required if you specify a MonitoringInterval value other than 0.",
        )),
    }
}

fn log_exports(call: &Call, mut now: Vec<String>) -> Result<Vec<String>, RdsError> {
    let list = |name: &str| call.params.list(name);
    let added =
        [list("EnableCloudwatchLogsExports"), list("CloudwatchLogsExportConfiguration.EnableLogTypes")];
    let removed = list("CloudwatchLogsExportConfiguration.DisableLogTypes");
    now.extend(added.concat());
    now.retain(|name| !removed.contains(name));
    now.sort();
    now.dedup();
    let known = ["iam-db-auth-error", "postgresql", "upgrade"];
    match now.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(now),
        Some(name) => Err(RdsError::invalid_combination(format!(
            "You cannot use the log types '{name}' with engine version postgres {}.",
            call.app.binaries.version()
        ))),
    }
}

/// `hh:mm-hh:mm`, with days before the hours where there are three parts.
fn window(call: &Call, name: &str, colons: usize) -> Result<Option<String>, RdsError> {
    let Some(text) = call.params.text(name) else { return Ok(None) };
    let end = |text: &str| {
        let (day, time) = if colons == 2 { text.split_once(':').unwrap_or(("", "")) } else { ("mon", text) };
        let numbers = time.split_once(':').map(|(hour, minute)| (hour.parse::<u8>(), minute.parse::<u8>()));
        ["mon", "tue", "wed", "thu", "fri", "sat", "sun"].contains(&day)
            && matches!(numbers, Some((Ok(0..=23), Ok(0..=59))))
    };
    let lower = text.to_ascii_lowercase();
    match lower.split_once('-') {
        Some((from, until)) if end(from) && end(until) && from != until => Ok(Some(lower)),
        _ => Err(RdsError::invalid_value(format!("Invalid {name}: {text}"))),
    }
}

/// What the storage's type, size and performance refuse of each other.
pub(super) fn check_storage(kind: &str, size: i64, options: &Options) -> Result<(), RdsError> {
    let (iops, throughput) = (options.iops, options.storage_throughput);
    let refuse = |why: String| Err(RdsError::invalid_combination(why));
    match kind {
        "gp3" if size < LARGE && (iops.is_some() || throughput.is_some()) => {
            return refuse(format!(
                "You can't specify IOPS or storage throughput for engine postgres and a storage size less than {LARGE}."
            ));
        }
        "gp3" => {}
        "io1" | "io2" if iops.is_none() => {
            return refuse(format!("You must specify a value for IOPS with storage type {kind}."));
        }
        "io1" | "io2" if throughput.is_none() => {}
        "gp2" | "standard" if iops.is_none() && throughput.is_none() => {}
        "io1" | "io2" | "gp2" | "standard" => {
            return refuse(format!("You can't specify storage throughput or IOPS for storage type {kind}."));
        }
        _ => return Err(RdsError::invalid_value(format!("Invalid storage type: {kind}"))),
    }
    match options.max_allocated_storage {
        Some(most) if most < size => refuse(format!(
            "Invalid max storage size for engine name postgres and storage type {kind}: {most}"
        )),
        _ => Ok(()),
    }
}

/// A zone of one's choice is for a single instance.
pub(super) fn check_zone(call: &Call) -> Result<(), RdsError> {
    let multi_az = call.params.boolean("MultiAZ")?.unwrap_or(false);
    if multi_az && call.params.text("AvailabilityZone").is_some() {
        let why = "Requesting a specific availability zone is not valid for Multi-AZ instances.";
        return Err(RdsError::invalid_combination(why));
    }
    Ok(())
}
