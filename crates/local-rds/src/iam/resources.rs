//! Which permissions a call needs: each action's resources, as the service authorization reference lists them.

use crate::app::App;
use crate::lock;
use crate::names::{Arn, Kind};
use crate::params::Params;
use crate::state::{DEFAULT_SUBNET_GROUP, Tags};

use super::Context;

/// One permission that a call needs.
#[derive(Debug)]
pub(crate) struct Need {
    pub(crate) action: String,
    pub(crate) resource: String,
    pub(crate) context: Context,
}

/// The parameter that names what a call is about: what faults and the journal go by.
pub(crate) fn subject(action: &str, params: &Params) -> String {
    let name = match action {
        "CopyDBSnapshot" => "TargetDBSnapshotIdentifier",
        "RestoreDBInstanceToPointInTime" => "TargetDBInstanceIdentifier",
        "CreateDBSnapshot"
        | "DeleteDBSnapshot"
        | "DescribeDBSnapshotAttributes"
        | "ModifyDBSnapshotAttribute" => "DBSnapshotIdentifier",
        "DescribeDBSnapshots" => ["DBSnapshotIdentifier", "DBInstanceIdentifier"]
            .into_iter()
            .find(|name| params.text(name).is_some())
            .unwrap_or("DBSnapshotIdentifier"),
        "DescribeDBInstanceAutomatedBackups" | "DeleteDBInstanceAutomatedBackup" => {
            ["DBInstanceIdentifier", "DbiResourceId", "DBInstanceAutomatedBackupsArn"]
                .into_iter()
                .find(|name| params.text(name).is_some())
                .unwrap_or("DBInstanceIdentifier")
        }
        "AddTagsToResource" | "RemoveTagsFromResource" | "ListTagsForResource" => "ResourceName",
        _ if action.contains("ParameterGroup") || action.contains("DBParameters") => "DBParameterGroupName",
        _ if action.contains("SubnetGroup") => "DBSubnetGroupName",
        _ if action.contains("OptionGroup") => "OptionGroupName",
        "DescribeOrderableDBInstanceOptions" => "DBInstanceClass",
        "DescribeCertificates" => "CertificateIdentifier",
        _ => "DBInstanceIdentifier",
    };
    let text = params.text(name).unwrap_or_default();
    Arn::parse(text).map_or_else(|| text.to_ascii_lowercase(), |arn| arn.id)
}

/// All permissions that a call needs.
pub(crate) fn needs(app: &App, region: &str, action: &str, params: &Params) -> Vec<Need> {
    let tags = params.tags().ok().flatten().unwrap_or_default();
    let arns = touched(app, region, action, params);
    let mut needs: Vec<Need> =
        arns.iter().map(|arn| need(app, region, action, arn.as_ref(), &tags, params)).collect();
    let creates = action.starts_with("Create") || action.starts_with("Copy") || action.starts_with("Restore");
    if creates && !tags.is_empty() {
        // Tags given at creation need the permission to tag, as in RDS.
        needs.extend(
            arns.iter()
                .take(1)
                .map(|arn| need(app, region, "AddTagsToResource", arn.as_ref(), &tags, params)),
        );
    }
    needs
}

/// The groups that an instance may be given, and the parameters that name them.
const GROUPS: [(Kind, &str); 3] = [
    (Kind::ParameterGroup, "DBParameterGroupName"),
    (Kind::OptionGroup, "OptionGroupName"),
    (Kind::SubnetGroup, "DBSubnetGroupName"),
];

/// The ARNs of the call; the first is what it makes or is about. `None` is `*`.
fn touched(app: &App, region: &str, action: &str, params: &Params) -> Vec<Option<Arn>> {
    let arn =
        |kind, id: &str| Arn::parse(id).or_else(|| Some(app.arn(region, kind, &id.to_ascii_lowercase())));
    let named = |kind, name: &str, otherwise: &str| arn(kind, params.text(name).unwrap_or(otherwise));
    let instance = || named(Kind::Instance, "DBInstanceIdentifier", "*");
    let snapshot = || named(Kind::Snapshot, "DBSnapshotIdentifier", "*");
    let surroundings = || {
        [
            named(Kind::ParameterGroup, "DBParameterGroupName", &app.default_group()),
            named(Kind::OptionGroup, "OptionGroupName", &app.default_option_group()),
            named(Kind::SubnetGroup, "DBSubnetGroupName", DEFAULT_SUBNET_GROUP),
        ]
    };
    match action {
        "CreateDBInstance" => [instance()].into_iter().chain(surroundings()).collect(),
        "RestoreDBInstanceFromDBSnapshot" => {
            [instance(), snapshot()].into_iter().chain(surroundings()).collect()
        }
        "RestoreDBInstanceToPointInTime" => {
            let source = params.text("SourceDBInstanceIdentifier").map(|id| arn(Kind::Instance, id));
            [named(Kind::Instance, "TargetDBInstanceIdentifier", "*")]
                .into_iter()
                .chain(source)
                .chain(automated_backup(app, region, "Source", params))
                .chain(surroundings())
                .collect()
        }
        "DescribeDBInstanceAutomatedBackups" | "DeleteDBInstanceAutomatedBackup" => {
            let listed = params.text("DBInstanceIdentifier").map(|id| arn(Kind::Instance, id));
            let backup = automated_backup(app, region, "", params);
            [backup.unwrap_or_else(|| arn(Kind::AutomatedBackup, "*"))].into_iter().chain(listed).collect()
        }
        "ModifyDBInstance" => {
            let groups = GROUPS.into_iter();
            let groups = groups.filter_map(|(kind, name)| params.text(name).map(|name| arn(kind, name)));
            [instance()].into_iter().chain(groups).collect()
        }
        "CreateDBSnapshot" => [snapshot(), instance()].into(),
        "CopyDBSnapshot" => [
            named(Kind::Snapshot, "TargetDBSnapshotIdentifier", "*"),
            named(Kind::Snapshot, "SourceDBSnapshotIdentifier", "*"),
        ]
        .into(),
        "DeleteDBSnapshot" => [snapshot()].into(),
        "DescribeDBSnapshots" if params.text("DBSnapshotIdentifier").is_none() => {
            // Listing by instance is held against the instance as well.
            let listed = params.text("DBInstanceIdentifier").map(|id| arn(Kind::Instance, id));
            [snapshot()].into_iter().chain(listed).collect()
        }
        "DescribeDBSnapshots" | "DescribeDBSnapshotAttributes" | "ModifyDBSnapshotAttribute" => {
            [snapshot()].into()
        }
        "AddTagsToResource" | "RemoveTagsFromResource" | "ListTagsForResource" => {
            [params.text("ResourceName").and_then(Arn::parse)].into()
        }
        // What belongs to nobody: their only resource is `*`.
        "DescribeAccountAttributes" | "DescribeCertificates" | "DescribeOrderableDBInstanceOptions" => {
            [None].into()
        }
        _ if action.contains("ParameterGroup") || action.contains("DBParameters") => {
            [named(Kind::ParameterGroup, "DBParameterGroupName", "*")].into()
        }
        _ if action.contains("OptionGroup") => [named(Kind::OptionGroup, "OptionGroupName", "*")].into(),
        _ if action.contains("SubnetGroup") => [named(Kind::SubnetGroup, "DBSubnetGroupName", "*")].into(),
        _ => [instance()].into(),
    }
}

/// The automated backups that a call names by ARN or by the resource id of their instance.
fn automated_backup(app: &App, region: &str, prefix: &str, params: &Params) -> Option<Option<Arn>> {
    if let Some(text) = params.text(&format!("{prefix}DBInstanceAutomatedBackupsArn")) {
        return Some(Arn::parse(text));
    }
    let resource = params.text(&format!("{prefix}DbiResourceId"))?;
    let mut world = lock(&app.world);
    let found = world.region(region);
    let mut all = found.instances.values().chain(found.retained.values());
    let backup = all.find(|found| found.resource_id.eq_ignore_ascii_case(resource));
    let id = backup.and_then(|found| found.backup_id()).unwrap_or("*");
    Some(Some(app.arn(region, Kind::AutomatedBackup, id)))
}

fn need(
    app: &App,
    region: &str,
    action: &str,
    arn: Option<&Arn>,
    request_tags: &Tags,
    params: &Params,
) -> Need {
    let mut context = Context::new();
    context.insert("aws:requestedregion".to_owned(), vec![region.to_owned()]);
    // What RDS asks of KMS for its caller, it asks as itself (AWS KMS Developer Guide, "kms:ViaService").
    context.insert("kms:viaservice".to_owned(), vec![format!("rds.{region}.amazonaws.com")]);
    let removed = params.list("TagKeys");
    let keys: Vec<String> = request_tags.keys().cloned().chain(removed).collect();
    context.insert("aws:tagkeys".to_owned(), keys);
    for (key, value) in request_tags {
        let key = key.to_ascii_lowercase();
        context.insert(format!("aws:requesttag/{key}"), vec![value.clone()]);
        context.insert(format!("rds:req-tag/{key}"), vec![value.clone()]);
    }
    let tags = arn.and_then(|arn| lock(&app.world).tags(arn).cloned()).unwrap_or_default();
    for (key, value) in tags {
        let key = key.to_ascii_lowercase();
        context.insert(format!("aws:resourcetag/{key}"), vec![value.clone()]);
        if let Some(arn) = arn {
            context.insert(format!("rds:{}-tag/{key}", arn.kind.word()), vec![value]);
        }
    }
    Need {
        action: format!("rds:{action}"),
        resource: arn.map_or_else(|| "*".to_owned(), ToString::to_string),
        context,
    }
}
