//! What RDS says of what can be restored, and of what an instance may refer to.

use aws_sdk_rds::Client;
use aws_smithy_mocks::mock;
use holdfast_core::blueprint::{Attached, Blueprint, FeatureRole, Monitoring};
use holdfast_core::ids::DatabaseId;
use holdfast_core::ports::{Referred, RestoreWindow, Restores};
use holdfast_core::request::PerformanceInsights;
use holdfast_core::tags::Tags;
use holdfast_core::{ErrorKind, Result};
use holdfast_fakes::sample::home;

use crate::support::{rds, xml, xml_error};

fn database() -> DatabaseId {
    DatabaseId::parse("prod-db").unwrap()
}

fn automated(resource: &str, window: &str) -> String {
    format!(
        "<DBInstanceAutomatedBackup><DBInstanceIdentifier>prod-db</DBInstanceIdentifier>\
         <DbiResourceId>{resource}</DbiResourceId>{window}</DBInstanceAutomatedBackup>"
    )
}

const MADE_BY_A_RESTORE: &str =
    "<TagList><Tag><Key>holdfast:operation</Key><Value>prod-db-back-1-0123456789</Value></Tag></TagList>";

fn window(earliest: &str, latest: &str) -> String {
    format!(
        "<RestoreWindow><EarliestTime>{earliest}</EarliestTime><LatestTime>{latest}</LatestTime></RestoreWindow>"
    )
}

async fn windows(backups: &[String]) -> Result<Vec<RestoreWindow>> {
    let body = format!("<DBInstanceAutomatedBackups>{}</DBInstanceAutomatedBackups>", backups.concat());
    let answer = mock!(Client::describe_db_instance_automated_backups)
        .match_requests(|asked| asked.db_instance_identifier() == Some("prod-db"))
        .then_http_response(move || xml("DescribeDBInstanceAutomatedBackups", &body));
    rds(&[&answer]).restore_windows(&home(), &database()).await
}

#[tokio::test]
async fn of_all_that_had_the_name_the_log_that_reaches_furthest_comes_first() {
    // GIVEN two instances that had the name one after the other, one that has no log yet, in any order
    let mut backups = [
        automated("db-OLD", &window("2026-11-01T00:00:00Z", "2026-11-10T00:00:00Z")),
        automated("db-NEW", &(window("2026-11-12T00:00:00Z", "2026-11-20T05:55:00.5Z") + MADE_BY_A_RESTORE)),
        automated("db-NONE", ""),
    ];
    let expected = [
        "db-NEW 2026-11-12T00:00:00Z 2026-11-20T05:55:00.5Z prod-db-back-1-0123456789",
        "db-OLD 2026-11-01T00:00:00Z 2026-11-10T00:00:00Z ",
    ];
    for _ in 0..3 {
        backups.rotate_left(1);
        let found = windows(&backups).await.unwrap();
        let said = |window: &RestoreWindow| {
            let by = window.operation.as_ref().map(ToString::to_string).unwrap_or_default();
            format!("{} {} {} {by}", window.resource_id, window.earliest, window.latest)
        };
        assert_eq!(found.iter().map(said).collect::<Vec<_>>(), expected);
    }
    // GIVEN none, or none that can be restored, THEN there is none
    assert_eq!(windows(&[]).await, Ok(vec![]));
    assert_eq!(windows(&backups_without_window()).await, Ok(vec![]));
}

fn backups_without_window() -> [String; 2] {
    let half = "<RestoreWindow><EarliestTime>2026-11-01T00:00:00Z</EarliestTime></RestoreWindow>";
    [automated("db-NONE", ""), automated("db-HALF", half)]
}

#[tokio::test]
async fn no_automated_backups_are_none_and_no_answer_is_an_error() {
    let answered = async |code: &'static str| {
        let answer = mock!(Client::describe_db_instance_automated_backups)
            .then_http_response(move || xml_error(404, code, "m"));
        rds(&[&answer]).restore_windows(&home(), &database()).await
    };
    assert_eq!(answered("DBInstanceAutomatedBackupNotFound").await, Ok(vec![]));
    assert_eq!(answered("DBInstanceNotFound").await, Ok(vec![]));
    assert_eq!(answered("AccessDenied").await.unwrap_err().kind, ErrorKind::AccessDenied);
}

fn parameter_group() -> Referred {
    Referred::ParameterGroup { name: "p".into(), family: Some("postgres15".into()) }
}

fn class() -> Referred {
    Referred::Class { class: "db.a".into(), engine: "postgres".into(), version: "15.4".into() }
}

/// What each describing call answers with: the same, when only one of them is made.
async fn problem(
    referred: &Referred,
    answer: impl Fn() -> Answer + Clone + Send + Sync + 'static,
) -> Result<Option<String>> {
    let written = |answer: Answer, action: &str| match answer {
        Answer::Code(code) => xml_error(404, code, "m"),
        Answer::Body(body) => xml(action, body),
    };
    let (a, b, c, d, e) = (answer.clone(), answer.clone(), answer.clone(), answer.clone(), answer);
    let rules = [
        mock!(Client::describe_db_subnet_groups)
            .match_requests(|asked| asked.db_subnet_group_name() == Some("n"))
            .then_http_response(move || written(a(), "DescribeDBSubnetGroups")),
        mock!(Client::describe_db_parameter_groups)
            .match_requests(|asked| asked.db_parameter_group_name() == Some("p"))
            .then_http_response(move || written(b(), "DescribeDBParameterGroups")),
        mock!(Client::describe_option_groups)
            .match_requests(|asked| asked.option_group_name() == Some("o"))
            .then_http_response(move || written(c(), "DescribeOptionGroups")),
        mock!(Client::describe_certificates)
            .match_requests(|asked| asked.certificate_identifier() == Some("ca"))
            .then_http_response(move || written(d(), "DescribeCertificates")),
        mock!(Client::describe_orderable_db_instance_options)
            .match_requests(|asked| {
                asked.engine() == Some("postgres")
                    && asked.engine_version() == Some("15.4")
                    && asked.db_instance_class() == Some("db.a")
            })
            .then_http_response(move || written(e(), "DescribeOrderableDBInstanceOptions")),
    ];
    let rules: Vec<_> = rules.iter().collect();
    rds(&rules).problem_with(&home(), referred).await
}

fn option_group(major: &str) -> Referred {
    Referred::OptionGroup {
        name: "o".into(),
        engine: "postgres".into(),
        major_version: Some(major.to_owned()).filter(|major| !major.is_empty()),
    }
}

#[derive(Clone, Copy)]
enum Answer {
    Code(&'static str),
    Body(&'static str),
}

#[tokio::test]
async fn what_is_not_there_says_what_to_name_instead() {
    for (referred, code, option) in [
        (Referred::SubnetGroup("n".into()), "DBSubnetGroupNotFoundFault", "options.subnetGroup"),
        (parameter_group(), "DBParameterGroupNotFound", "options.parameterGroup"),
        (option_group("15"), "OptionGroupNotFoundFault", "options.optionGroup"),
        (Referred::Certificate("ca".into()), "CertificateNotFound", "options.caCertificate"),
    ] {
        // GIVEN a Region in which it is not
        let found = problem(&referred, move || Answer::Code(code)).await.unwrap().unwrap();
        assert!(found.starts_with("is not ") && found.contains(option), "{referred:?}: {found}");
        // GIVEN one in which it is
        assert_eq!(problem(&referred, || Answer::Body("")).await, Ok(None), "{referred:?}");
        // GIVEN a role that may not look, THEN that is no answer
        let error = problem(&referred, || Answer::Code("AccessDenied")).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::AccessDenied, "{referred:?}");
    }
}

#[tokio::test]
async fn an_option_group_is_for_the_engine_and_its_version() {
    const OF_15: &str = "<OptionGroupsList><OptionGroup><OptionGroupName>o</OptionGroupName><EngineName>postgres</EngineName>\
                         <MajorEngineVersion>15</MajorEngineVersion></OptionGroup></OptionGroupsList>";
    const OF_MYSQL: &str = "<OptionGroupsList><OptionGroup><OptionGroupName>o</OptionGroupName><EngineName>mysql</EngineName>\
                            <MajorEngineVersion>15</MajorEngineVersion></OptionGroup></OptionGroupsList>";
    assert_eq!(problem(&option_group("15"), || Answer::Body(OF_15)).await, Ok(None));
    // Where the rule of its versions is not known, the engine alone is held against it.
    assert_eq!(problem(&option_group(""), || Answer::Body(OF_15)).await, Ok(None));
    for (major, body, said) in [
        ("16", OF_15, "is for postgres 15 and this is postgres 16: name another"),
        ("15", OF_MYSQL, "is for mysql 15 and this is postgres 15: name another"),
    ] {
        let found = problem(&option_group(major), move || Answer::Body(body)).await.unwrap().unwrap();
        assert!(found.starts_with(said) && found.contains("options.optionGroup"), "{found}");
    }
}

#[tokio::test]
async fn a_parameter_group_is_of_the_family_of_the_version() {
    const RIGHT: &str = "<DBParameterGroups><DBParameterGroup><DBParameterGroupName>p</DBParameterGroupName>\
                         <DBParameterGroupFamily>postgres15</DBParameterGroupFamily>\
                         </DBParameterGroup></DBParameterGroups>";
    const OTHER: &str = "<DBParameterGroups><DBParameterGroup><DBParameterGroupName>p</DBParameterGroupName>\
                         <DBParameterGroupFamily>postgres13</DBParameterGroupFamily>\
                         </DBParameterGroup></DBParameterGroups>";
    assert_eq!(problem(&parameter_group(), || Answer::Body(RIGHT)).await, Ok(None));
    let found = problem(&parameter_group(), || Answer::Body(OTHER)).await.unwrap().unwrap();
    assert_eq!(
        found,
        "is for postgres13 and this is postgres15: name another with --parameter-group (options.parameterGroup)"
    );
}

#[tokio::test]
async fn a_class_is_offered_for_the_version_or_it_is_not() {
    const OFFERED: &str = "<OrderableDBInstanceOptions><OrderableDBInstanceOption>\
                           <DBInstanceClass>db.a</DBInstanceClass>\
                           </OrderableDBInstanceOption></OrderableDBInstanceOptions>";
    assert_eq!(problem(&class(), || Answer::Body(OFFERED)).await, Ok(None));
    let found = problem(&class(), || Answer::Body("<OrderableDBInstanceOptions/>")).await.unwrap().unwrap();
    assert_eq!(found, "is not offered for postgres 15.4: name others with --class (options.instanceClasses)");
    let error = problem(&class(), || Answer::Code("AccessDenied")).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccessDenied);
}

/// An instance with every setting other than what is taken where RDS says nothing.
const EVERY_SETTING: &str = "<DBInstanceIdentifier>prod-db</DBInstanceIdentifier><DBInstanceClass>db.r6g.large</DBInstanceClass>
    <Engine>postgres</Engine><EngineVersion>15.4</EngineVersion><MasterUsername>app</MasterUsername>
    <Endpoint><Address>h</Address><Port>6543</Port></Endpoint><AllocatedStorage>500</AllocatedStorage>
    <PreferredBackupWindow>03:00-04:00</PreferredBackupWindow><BackupRetentionPeriod>14</BackupRetentionPeriod>
    <VpcSecurityGroups><VpcSecurityGroupMembership><VpcSecurityGroupId>sg-1</VpcSecurityGroupId></VpcSecurityGroupMembership></VpcSecurityGroups>
    <DBParameterGroups><DBParameterGroup><DBParameterGroupName>mine</DBParameterGroupName></DBParameterGroup></DBParameterGroups>
    <DBSubnetGroup><DBSubnetGroupName>deep</DBSubnetGroupName></DBSubnetGroup>
    <PreferredMaintenanceWindow>sun:05:00-sun:06:00</PreferredMaintenanceWindow><MultiAZ>true</MultiAZ>
    <AutoMinorVersionUpgrade>true</AutoMinorVersionUpgrade>
    <ReadReplicaDBInstanceIdentifiers><ReadReplicaDBInstanceIdentifier>prod-db-ro</ReadReplicaDBInstanceIdentifier></ReadReplicaDBInstanceIdentifiers>
    <ReadReplicaDBClusterIdentifiers><ReadReplicaDBClusterIdentifier>shop-cluster</ReadReplicaDBClusterIdentifier></ReadReplicaDBClusterIdentifiers>
    <Iops>12000</Iops><StorageThroughput>600</StorageThroughput>
    <OptionGroupMemberships><OptionGroupMembership><OptionGroupName>options</OptionGroupName></OptionGroupMembership></OptionGroupMemberships>
    <PubliclyAccessible>true</PubliclyAccessible><StorageType>gp3</StorageType><StorageEncrypted>true</StorageEncrypted>
    <KmsKeyId>arn:key</KmsKeyId><DbiResourceId>db-A</DbiResourceId><CACertificateIdentifier>rds-ca-rsa2048-g1</CACertificateIdentifier>
    <DomainMemberships><DomainMembership><Domain>d-1</Domain></DomainMembership></DomainMemberships>
    <CopyTagsToSnapshot>true</CopyTagsToSnapshot><MonitoringInterval>15</MonitoringInterval>
    <MonitoringRoleArn>arn:monitoring</MonitoringRoleArn><DatabaseInsightsMode>advanced</DatabaseInsightsMode>
    <IAMDatabaseAuthenticationEnabled>true</IAMDatabaseAuthenticationEnabled>
    <PerformanceInsightsEnabled>true</PerformanceInsightsEnabled><PerformanceInsightsKMSKeyId>arn:pi</PerformanceInsightsKMSKeyId>
    <PerformanceInsightsRetentionPeriod>465</PerformanceInsightsRetentionPeriod>
    <EnabledCloudwatchLogsExports><member>postgresql</member></EnabledCloudwatchLogsExports>
    <ProcessorFeatures><ProcessorFeature><Name>coreCount</Name><Value>4</Value></ProcessorFeature></ProcessorFeatures>
    <DeletionProtection>true</DeletionProtection>
    <AssociatedRoles><DBInstanceRole><RoleArn>arn:s3</RoleArn><FeatureName>s3Import</FeatureName></DBInstanceRole></AssociatedRoles>
    <MaxAllocatedStorage>1000</MaxAllocatedStorage><TagList><Tag><Key>Team</Key><Value>shop</Value></Tag></TagList>
    <NetworkType>DUAL</NetworkType>
    <DBInstanceAutomatedBackupsReplications><DBInstanceAutomatedBackupsReplication><DBInstanceAutomatedBackupsArn>arn:replicated</DBInstanceAutomatedBackupsArn></DBInstanceAutomatedBackupsReplication></DBInstanceAutomatedBackupsReplications>
    <MasterUserSecret><SecretArn>arn:secret</SecretArn></MasterUserSecret><DedicatedLogVolume>true</DedicatedLogVolume>
    <EngineLifecycleSupport>open-source-rds-extended-support-disabled</EngineLifecycleSupport>";

#[tokio::test]
async fn every_setting_of_an_instance_is_in_its_blueprint() {
    let body = format!("<DBInstances><DBInstance>{EVERY_SETTING}</DBInstance></DBInstances>");
    let answer =
        mock!(Client::describe_db_instances).then_http_response(move || xml("DescribeDBInstances", &body));
    let found = rds(&[&answer]).blueprint(&home(), "prod-db").await.unwrap().unwrap();
    let text = |text: &str| Some(text.to_owned());
    let expected = Blueprint {
        instance_id: "prod-db".into(),
        resource_id: "db-A".into(),
        engine: "postgres".into(),
        engine_version: "15.4".into(),
        class: "db.r6g.large".into(),
        multi_az: true,
        subnet_group: text("deep"),
        security_groups: vec!["sg-1".into()],
        parameter_group: text("mine"),
        option_group: text("options"),
        storage_type: text("gp3"),
        allocated_gib: 500,
        max_allocated_gib: Some(1000),
        iops: Some(12_000),
        storage_throughput: Some(600),
        publicly_accessible: true,
        port: Some(6543),
        deletion_protection: true,
        backup_retention_days: 14,
        backup_window: text("03:00-04:00"),
        maintenance_window: text("sun:05:00-sun:06:00"),
        iam_authentication: true,
        ca_certificate: text("rds-ca-rsa2048-g1"),
        log_exports: vec!["postgresql".into()],
        performance_insights: Some(PerformanceInsights {
            enabled: true,
            kms_key_id: text("arn:pi"),
            retention_days: Some(465),
        }),
        monitoring: Some(Monitoring { interval_seconds: 15, role_arn: "arn:monitoring".into() }),
        auto_minor_version_upgrade: true,
        copy_tags_to_snapshot: true,
        network_type: text("DUAL"),
        engine_lifecycle_support: text("open-source-rds-extended-support-disabled"),
        dedicated_log_volume: true,
        database_insights_mode: text("advanced"),
        encrypted: true,
        kms_key_id: text("arn:key"),
        master_username: "app".into(),
        attached: Attached {
            roles: vec![FeatureRole { feature: "s3Import".into(), role_arn: "arn:s3".into() }],
            master_user_secret: text("arn:secret"),
            domains: vec!["d-1".into()],
            processor_features: vec!["coreCount=4".into()],
            read_replicas: vec!["prod-db-ro".into(), "shop-cluster".into()],
            backup_replications: vec!["arn:replicated".into()],
        },
        tags: Tags::from([("Team".to_owned(), "shop".to_owned())]),
    };
    assert_eq!(found, expected);
    // What an older version of Holdfast kept has none of the newer settings, and is read all the same.
    let mut old = serde_json::to_value(&expected).unwrap();
    for newer in
        ["networkType", "engineLifecycleSupport", "dedicatedLogVolume", "databaseInsightsMode", "attached"]
    {
        assert!(old.as_object_mut().unwrap().remove(newer).is_some(), "{newer}");
    }
    let read: Blueprint = serde_json::from_value(old).unwrap();
    assert_eq!((read.network_type, read.attached), (None, Attached::default()));
}

#[tokio::test]
async fn a_blueprint_is_of_what_is_there() {
    let gone =
        mock!(Client::describe_db_instances).then_http_response(|| xml_error(404, "DBInstanceNotFound", "m"));
    assert_eq!(rds(&[&gone]).blueprint(&home(), "prod-db").await, Ok(None));
    let denied =
        mock!(Client::describe_db_instances).then_http_response(|| xml_error(403, "AccessDenied", "m"));
    let error = rds(&[&denied]).blueprint(&home(), "prod-db").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccessDenied);
}
