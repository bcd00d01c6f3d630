//! What RDS describes, as it is on the wire, to what the domain knows of it.

use aws_sdk_rds::Client;
use aws_smithy_mocks::mock;
use holdfast_core::health::Quota;
use holdfast_core::ports::Rds;
use holdfast_core::rds::SnapshotStatus;
use holdfast_core::{ErrorKind, tags};
use holdfast_fakes::sample::home;

use crate::support::{rds, west, xml, xml_error};

fn snapshot(id: &str, more: &str) -> String {
    format!(
        "<DBSnapshot><DBSnapshotIdentifier>{id}</DBSnapshotIdentifier>\
         <DBSnapshotArn>arn:aws:rds:us-west-2:1:snapshot:{id}</DBSnapshotArn>\
         <DBInstanceIdentifier>prod-db</DBInstanceIdentifier><Engine>postgres</Engine>\
         <EngineVersion>15.4</EngineVersion><AllocatedStorage>20</AllocatedStorage>{more}</DBSnapshot>"
    )
}

fn snapshots(list: &[String], marker: &str) -> String {
    format!("<DBSnapshots>{}</DBSnapshots>{marker}", list.concat())
}

#[tokio::test]
async fn a_copy_is_as_old_as_its_data() {
    // GIVEN a copy made days after its original
    let body = snapshots(
        &[snapshot(
            "s",
            "<Status>available</Status><PercentProgress>100</PercentProgress><Encrypted>true</Encrypted>\
             <KmsKeyId>arn:k</KmsKeyId><SourceRegion>us-east-1</SourceRegion>\
             <SnapshotCreateTime>2026-11-23T01:02:03.456Z</SnapshotCreateTime>\
             <OriginalSnapshotCreateTime>2026-11-20T06:00:01.5Z</OriginalSnapshotCreateTime>\
             <TagList><Tag><Key>holdfast:operation</Key><Value>o</Value></Tag><Tag><Key>empty</Key></Tag></TagList>",
        )],
        "",
    );
    let answer =
        mock!(Client::describe_db_snapshots).then_http_response(move || xml("DescribeDBSnapshots", &body));
    // WHEN it is looked at
    let seen = rds(&[&answer]).snapshot(&west(), "s").await.unwrap().unwrap();
    // THEN its time is the original's, and its tags came with it
    assert_eq!(seen.taken_at, Some("2026-11-20T06:00:01.5Z".parse().unwrap()));
    assert_eq!((seen.status, seen.percent, seen.size_gib), (SnapshotStatus::Available, 100, 20));
    assert_eq!((seen.region, seen.source_region), (west(), Some(home())));
    assert!(seen.encrypted);
    assert_eq!(seen.tags[tags::OPERATION], "o");
    assert_eq!(seen.tags["empty"], "");
}

#[tokio::test]
async fn every_status_is_one_the_domain_knows() {
    for (word, status) in [
        ("creating", SnapshotStatus::Creating),
        ("copying", SnapshotStatus::Creating),
        ("pending", SnapshotStatus::Creating),
        ("available", SnapshotStatus::Available),
        ("failed", SnapshotStatus::Failed),
        ("deleting", SnapshotStatus::Other("deleting".into())),
    ] {
        // GIVEN a snapshot with that status, and a progress that makes no sense
        let more = format!("<Status>{word}</Status><PercentProgress>-1</PercentProgress>");
        let body = snapshots(&[snapshot("s", &more)], "");
        let answer = mock!(Client::describe_db_snapshots)
            .then_http_response(move || xml("DescribeDBSnapshots", &body));
        // WHEN it is looked at, THEN it is read, never guessed at
        let seen = rds(&[&answer]).snapshot(&home(), "s").await.unwrap().unwrap();
        assert_eq!((seen.status, seen.percent, seen.taken_at), (status, 0, None), "{word}");
    }
}

#[tokio::test]
async fn copies_in_flight_are_counted_over_all_pages() {
    let copying = |id: &str, from: &str| {
        snapshot(id, &format!("<Status>copying</Status><SourceRegion>{from}</SourceRegion>"))
    };
    // GIVEN two pages with copies on their way, one of them within the Region, a snapshot being taken, and a
    // copy that is there
    let first = snapshots(
        &[
            copying("a", "us-east-1"),
            copying("b", "us-west-2"),
            snapshot("c", "<Status>creating</Status>"),
            snapshot("d", "<Status>available</Status><SourceRegion>us-east-1</SourceRegion>"),
        ],
        "<Marker>next</Marker>",
    );
    let second = snapshots(&[copying("e", "eu-west-1")], "");
    let first = mock!(Client::describe_db_snapshots)
        .match_requests(|asked| asked.marker().is_none())
        .then_http_response(move || xml("DescribeDBSnapshots", &first));
    let second = mock!(Client::describe_db_snapshots)
        .match_requests(|asked| asked.marker() == Some("next"))
        .then_http_response(move || xml("DescribeDBSnapshots", &second));
    // WHEN they are counted, THEN only copies from other Regions that are not there yet count
    assert_eq!(rds(&[&first, &second]).copies_in_flight(&west()).await, Ok(2));
}

#[tokio::test]
async fn an_instance_with_a_password_to_apply_says_so() {
    let instance = |id: &str, more: &str| {
        format!(
            "<DBInstance><DBInstanceIdentifier>{id}</DBInstanceIdentifier><DBInstanceStatus>available</DBInstanceStatus>\
             <Engine>postgres</Engine><PubliclyAccessible>true</PubliclyAccessible>\
             <DBParameterGroups><DBParameterGroup><DBParameterGroupName>p</DBParameterGroupName></DBParameterGroup></DBParameterGroups>\
             <VpcSecurityGroups><VpcSecurityGroupMembership><VpcSecurityGroupId>g</VpcSecurityGroupId></VpcSecurityGroupMembership></VpcSecurityGroups>\
             {more}</DBInstance>"
        )
    };
    let temporary = "<TagList><Tag><Key>holdfast:temporary</Key><Value>validation</Value></Tag></TagList>";
    let pending = "<PendingModifiedValues><MasterUserPassword>****</MasterUserPassword></PendingModifiedValues>\
                   <Endpoint><Address>h</Address><Port>5432</Port></Endpoint>";
    // GIVEN a database, and over the page a temporary instance that is being changed
    let first = format!("<DBInstances>{}</DBInstances><Marker>next</Marker>", instance("prod-db", ""));
    let second =
        format!("<DBInstances>{}</DBInstances>", instance("hfv-o", &format!("{temporary}{pending}")));
    let first = mock!(Client::describe_db_instances)
        .match_requests(|asked| asked.marker().is_none())
        .then_http_response(move || xml("DescribeDBInstances", &first));
    let second = mock!(Client::describe_db_instances)
        .match_requests(|asked| asked.marker() == Some("next"))
        .then_http_response(move || xml("DescribeDBInstances", &second));
    // WHEN the temporary ones are listed, THEN there is that one, with everything that is judged
    let found = rds(&[&first, &second]).temporary_instances(&home()).await.unwrap();
    assert_eq!(found.len(), 1);
    let seen = &found[0];
    assert_eq!((seen.id.as_str(), seen.status.as_str()), ("hfv-o", "available"));
    assert!(seen.change_pending && seen.publicly_accessible);
    assert_eq!(
        (&seen.parameter_groups[..], &seen.security_groups[..]),
        (&["p".to_owned()][..], &["g".to_owned()][..])
    );
    assert_eq!(seen.endpoint.as_ref().map(|endpoint| endpoint.port), Some(5432));
}

/// Every member of `PendingModifiedValues` (Amazon RDS API Reference), as RDS writes it.
const PENDING: [(&str, &str); 24] = [
    ("DBInstanceClass", "db.m6g.large"),
    ("AllocatedStorage", "40"),
    ("MasterUserPassword", "****"),
    ("Port", "5433"),
    ("BackupRetentionPeriod", "7"),
    ("MultiAZ", "false"),
    ("EngineVersion", "16.4"),
    ("LicenseModel", "bring-your-own-license"),
    ("Iops", "3000"),
    ("StorageThroughput", "500"),
    ("DBInstanceIdentifier", "another"),
    ("StorageType", "gp3"),
    ("CACertificateIdentifier", "rds-ca-rsa2048-g1"),
    ("DBSubnetGroupName", "other"),
    (
        "PendingCloudwatchLogsExports",
        "<LogTypesToEnable><member>upgrade</member></LogTypesToEnable><LogTypesToDisable/>",
    ),
    ("ProcessorFeatures", "<ProcessorFeature><Name>coreCount</Name><Value>2</Value></ProcessorFeature>"),
    ("AutomationMode", "full"),
    ("ResumeFullAutomationModeTime", "2026-11-20T06:00:00Z"),
    ("MultiTenant", "true"),
    ("IAMDatabaseAuthenticationEnabled", "false"),
    ("DedicatedLogVolume", "true"),
    ("Engine", "oracle-ee-cdb"),
    ("AdditionalStorageVolumes", "<member><VolumeName>rdsdbdata2</VolumeName></member>"),
    ("DBCapacityReservationIdentifier", "reserved"),
];

async fn pending_of(values: &str) -> Vec<String> {
    let instance = format!(
        "<DBInstances><DBInstance><DBInstanceIdentifier>prod-db</DBInstanceIdentifier>\
         <PendingModifiedValues>{values}</PendingModifiedValues></DBInstance></DBInstances>"
    );
    let found = mock!(Client::describe_db_instances)
        .then_http_response(move || xml("DescribeDBInstances", &instance));
    rds(&[&found]).instance(&home(), "prod-db").await.unwrap().unwrap().pending
}

#[tokio::test]
async fn whatever_waits_for_the_maintenance_window_is_known_by_its_name() {
    for (member, value) in PENDING {
        assert_eq!(pending_of(&format!("<{member}>{value}</{member}>")).await, [member]);
    }
    let empty = "<PendingCloudwatchLogsExports/><ProcessorFeatures/><AdditionalStorageVolumes/>";
    for nothing in ["", empty] {
        assert_eq!(pending_of(nothing).await, Vec::<String>::new(), "{nothing}");
    }
}

#[tokio::test]
async fn a_quota_is_read_by_its_name_or_not_at_all() {
    let quota = |name: &str| {
        format!(
            "<AccountQuota><AccountQuotaName>{name}</AccountQuotaName><Used>7</Used><Max>100</Max></AccountQuota>"
        )
    };
    for (names, expected) in [
        (&["DBInstances", "ManualSnapshots"][..], Some(Quota { used: 7, max: 100 })),
        (&["DBInstances"][..], None),
    ] {
        // GIVEN the account's quotas, WHEN the one of manual snapshots is asked for, THEN it is that one, or unknown
        let quotas: String = names.iter().map(|name| quota(name)).collect();
        let body = format!("<AccountQuotas>{quotas}</AccountQuotas>");
        let answer = mock!(Client::describe_account_attributes)
            .then_http_response(move || xml("DescribeAccountAttributes", &body));
        assert_eq!(rds(&[&answer]).snapshot_quota(&home()).await, Ok(expected));
    }
}

#[tokio::test]
async fn a_parameter_group_of_somebody_else_is_not_changed() {
    let taken = || {
        mock!(Client::create_db_parameter_group)
            .then_http_response(|| xml_error(400, "DBParameterGroupAlreadyExists", "m"))
    };
    let described = || {
        mock!(Client::describe_db_parameter_groups).then_http_response(|| {
            let group =
                "<DBParameterGroup><DBParameterGroupArn>arn:p</DBParameterGroupArn></DBParameterGroup>";
            xml("DescribeDBParameterGroups", &format!("<DBParameterGroups>{group}</DBParameterGroups>"))
        })
    };
    let tagged = |key: &'static str| {
        mock!(Client::list_tags_for_resource).then_http_response(move || {
            let tag = format!("<TagList><Tag><Key>{key}</Key><Value>validation</Value></Tag></TagList>");
            xml("ListTagsForResource", &tag)
        })
    };
    let modified = mock!(Client::modify_db_parameter_group)
        .match_requests(|asked| asked.parameters()[0].parameter_name() == Some("rds.force_ssl"))
        .then_http_response(|| {
            xml("ModifyDBParameterGroup", "<DBParameterGroupName>p</DBParameterGroupName>")
        });
    let parameters = [("rds.force_ssl", "1")];
    // GIVEN a group of that name without our tag, THEN it is left alone: a change would panic, no rule answers it
    let api = rds(&[&taken(), &described(), &tagged("Owner")]);
    let error = api.ensure_parameter_group(&home(), "p", "postgres15", &parameters).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NameTaken);
    // GIVEN one with it, made by a validation that may have died then, THEN the parameters are set again
    let api = rds(&[&taken(), &described(), &tagged(tags::TEMPORARY), &modified]);
    assert_eq!(api.ensure_parameter_group(&home(), "p", "postgres15", &parameters).await, Ok(()));
    assert_eq!(modified.num_calls(), 1);
}
