use super::*;

pub(crate) fn blueprint() -> Blueprint {
    Blueprint {
        instance_id: "prod-db".into(),
        resource_id: "db-ABC".into(),
        engine: "postgres".into(),
        engine_version: "15.4".into(),
        class: "db.m6g.large".into(),
        multi_az: true,
        subnet_group: Some("prod".into()),
        security_groups: vec!["sg-2".into(), "sg-1".into()],
        parameter_group: Some("prod-postgres15".into()),
        option_group: Some("default:postgres-15".into()),
        storage_type: Some("gp3".into()),
        allocated_gib: 100,
        max_allocated_gib: Some(500),
        iops: None,
        storage_throughput: None,
        publicly_accessible: true,
        port: Some(5432),
        deletion_protection: true,
        backup_retention_days: 7,
        backup_window: Some("03:00-04:00".into()),
        maintenance_window: Some("sun:05:00-sun:06:00".into()),
        iam_authentication: true,
        ca_certificate: Some("rds-ca-rsa2048-g1".into()),
        log_exports: vec!["postgresql".into()],
        performance_insights: Some(PerformanceInsights {
            enabled: true,
            kms_key_id: None,
            retention_days: Some(7),
        }),
        monitoring: None,
        auto_minor_version_upgrade: true,
        copy_tags_to_snapshot: true,
        network_type: Some("DUAL".into()),
        engine_lifecycle_support: Some("open-source-rds-extended-support-disabled".into()),
        dedicated_log_volume: true,
        database_insights_mode: Some("advanced".into()),
        encrypted: true,
        kms_key_id: Some("arn:aws:kms:us-east-1:123456789012:key/1".into()),
        master_username: "app".into(),
        attached: Attached::default(),
        tags: Tags::from([
            ("Team".to_owned(), "shop".to_owned()),
            ("aws:cloudformation:stack-name".to_owned(), "x".to_owned()),
            ("holdfast:operation".to_owned(), "another".to_owned()),
        ]),
    }
}

fn own() -> Tags {
    Tags::from([(tags::OPERATION.to_owned(), "this".to_owned())])
}

#[test]
fn what_the_input_does_not_say_is_as_it_was_but_for_public_access() {
    let wanted = blueprint().wanted(&RestoreOptions::default(), &own());
    assert_eq!(wanted.instance_classes, ["db.m6g.large"]);
    assert!(!wanted.settings.publicly_accessible, "a restored copy is not opened by default");
    let tags = Tags::from([
        ("Team".to_owned(), "shop".to_owned()),
        ("holdfast:operation".to_owned(), "this".to_owned()),
    ]);
    let unchanged =
        Blueprint { publicly_accessible: true, tags: blueprint().tags, ..wanted.settings.clone() };
    assert_eq!((unchanged, wanted.settings.tags), (blueprint(), tags));
}

#[test]
fn what_the_input_says_wins() {
    let asked = RestoreOptions {
        instance_classes: vec!["db.r6g.large".into(), "db.r6i.large".into()],
        multi_az: Some(false),
        subnet_group: Some("dr".into()),
        security_groups: Some(vec!["sg-9".into()]),
        publicly_accessible: Some(true),
        deletion_protection: Some(false),
        performance_insights: Some(PerformanceInsights {
            enabled: false,
            kms_key_id: None,
            retention_days: None,
        }),
        log_exports: Some(vec![]),
        tags: Tags::from([("Team".to_owned(), "night".to_owned())]),
        ..RestoreOptions::default()
    };
    let Wanted { instance_classes, settings, .. } = blueprint().wanted(&asked, &own());
    assert_eq!(instance_classes, ["db.r6g.large", "db.r6i.large"]);
    assert_eq!((settings.class.as_str(), settings.subnet_group.as_deref()), ("db.r6g.large", Some("dr")));
    assert!(!settings.multi_az && settings.publicly_accessible && !settings.deletion_protection);
    assert_eq!((settings.performance_insights, settings.log_exports.len()), (None, 0));
    assert_eq!(settings.database_insights_mode, None, "advanced without Performance Insights is refused");
    assert_eq!(
        (settings.security_groups, settings.tags["Team"].as_str()),
        (vec!["sg-9".to_owned()], "night")
    );
    assert_eq!(settings.parameter_group.as_deref(), Some("prod-postgres15"));
}

#[test]
fn iops_that_a_volume_has_anyway_are_not_asked_for() {
    // What a small volume has and is described with, and what a large one has at least.
    let (small, large) = ((3000, 125), (12_000, 500));
    for (engine, storage_type, allocated_gib, had, told) in [
        ("postgres", "gp3", 100, small, false),
        ("postgres", "gp3", 400, large, true),
        ("postgres", "io2", 100, small, true),
        ("postgres", "gp2", 1000, small, false),
        ("oracle-ee", "gp3", 199, small, false),
        ("oracle-ee", "gp3", 200, large, true),
        ("sqlserver-se", "gp3", 20, small, true),
    ] {
        let had = Blueprint {
            engine: engine.into(),
            storage_type: Some(storage_type.into()),
            allocated_gib,
            iops: Some(had.0),
            storage_throughput: Some(had.1),
            ..blueprint()
        };
        let settings = had.wanted(&RestoreOptions::default(), &own()).settings;
        let (iops, throughput) = (had.iops.filter(|_| told), had.storage_throughput.filter(|_| told));
        assert_eq!((settings.iops, settings.storage_throughput), (iops, throughput), "{had:?}");
        let asked = RestoreOptions { iops: Some(5000), ..RestoreOptions::default() };
        assert_eq!(had.wanted(&asked, &own()).settings.iops, Some(5000));
    }
    // A small volume that is made a large one has others than it had.
    let (iops, storage_throughput) = (Some(small.0), Some(small.1));
    let had = Blueprint { allocated_gib: 100, iops, storage_throughput, ..blueprint() };
    let more = RestoreOptions { allocated_storage: Some(500), ..RestoreOptions::default() };
    let wanted = had.wanted(&more, &own());
    assert_eq!(wanted.allocated_storage, Some(500));
    assert_eq!((wanted.settings.iops, wanted.settings.storage_throughput), (None, None));
}

#[test]
fn each_setting_that_came_out_otherwise_is_named() {
    let had = Blueprint {
        allocated_gib: 400,
        iops: Some(12_000),
        storage_throughput: Some(500),
        monitoring: Some(Monitoring { interval_seconds: 15, role_arn: "arn:r".into() }),
        ..blueprint()
    };
    let wanted = had.wanted(&RestoreOptions::default(), &own());
    assert_eq!(wanted.settings.differences(&wanted), Vec::<String>::new());
    let same = Blueprint {
        security_groups: vec!["sg-1".into(), "sg-2".into()],
        allocated_gib: 800,
        ..wanted.settings.clone()
    };
    assert_eq!(same.differences(&wanted), Vec::<String>::new(), "order and more storage are no difference");
    type Change = fn(&mut Blueprint);
    let changes: [(Change, &str); 29] = [
        (|came| came.class = "db.t3.micro".into(), "class: db.t3.micro; asked for: db.m6g.large"),
        (|came| came.multi_az = false, "Multi-AZ: off; asked for: on"),
        (|came| came.subnet_group = None, "subnet group: none; asked for: prod"),
        (
            |came| came.security_groups = vec!["sg-default".into()],
            "security groups: sg-default; asked for: sg-1, sg-2",
        ),
        (
            |came| came.parameter_group = Some("default.postgres15".into()),
            "parameter group: default.postgres15",
        ),
        (|came| came.option_group = None, "option group: none"),
        (|came| came.storage_type = Some("standard".into()), "storage type: standard"),
        (|came| came.publicly_accessible = true, "public access: on; asked for: off"),
        (|came| came.deletion_protection = false, "deletion protection: off"),
        (|came| came.backup_retention_days = 1, "days of automated backups: 1; asked for: 7"),
        (|came| came.iam_authentication = false, "IAM authentication: off"),
        (|came| came.log_exports.clear(), "log exports: none; asked for: postgresql"),
        (|came| came.performance_insights = None, "Performance Insights: off"),
        (|came| came.encrypted = false, "encryption: off"),
        (|came| came.auto_minor_version_upgrade = false, "minor versions by themselves: off"),
        (|came| came.copy_tags_to_snapshot = false, "tags to snapshots: off"),
        (|came| came.dedicated_log_volume = false, "dedicated log volume: off"),
        (|came| came.iops = Some(3000), "IOPS: 3000; asked for: 12000"),
        (|came| came.storage_throughput = None, "storage throughput: none; asked for: 500"),
        (|came| came.max_allocated_gib = None, "GiB that storage may grow to: none; asked for: 500"),
        (|came| came.ca_certificate = Some("rds-ca-2019".into()), "certificate authority: rds-ca-2019"),
        (|came| came.backup_window = Some("01:00-02:00".into()), "backup window: 01:00-02:00"),
        (|came| came.maintenance_window = None, "maintenance window: none"),
        (|came| came.network_type = Some("IPV4".into()), "network type: IPV4; asked for: DUAL"),
        (|came| came.engine_lifecycle_support = None, "engine lifecycle support: none"),
        (|came| came.database_insights_mode = Some("standard".into()), "Database Insights: standard"),
        (|came| came.kms_key_id = Some("arn:other".into()), "key: arn:other; asked for: arn:aws:kms"),
        (
            |came| came.performance_insights.as_mut().unwrap().retention_days = Some(31),
            "days of Performance Insights: 31; asked for: 7",
        ),
        (
            |came| came.monitoring.as_mut().unwrap().interval_seconds = 60,
            "seconds of Enhanced Monitoring: 60; asked for: 15",
        ),
    ];
    for (change, said) in changes {
        let mut came = wanted.settings.clone();
        change(&mut came);
        let found = came.differences(&wanted);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(said), "{found:?} does not say {said}");
    }
}

#[test]
fn less_storage_than_was_asked_for_is_a_difference() {
    let more = RestoreOptions { allocated_storage: Some(500), ..RestoreOptions::default() };
    let wanted = blueprint().wanted(&more, &own());
    let came = |gib| Blueprint { allocated_gib: gib, ..wanted.settings.clone() };
    assert_eq!(came(100).differences(&wanted), ["GiB of storage: 100; asked for: 500"]);
    assert_eq!(came(600).differences(&wanted), Vec::<String>::new());
}

#[test]
fn what_does_not_come_back_by_itself_is_said_with_what_to_do() {
    assert_eq!(Attached::default().by_hand("prod-db"), Vec::<String>::new());
    let attached = Attached {
        roles: vec![FeatureRole { feature: "s3Import".into(), role_arn: "arn:role".into() }],
        master_user_secret: Some("arn:secret".into()),
        domains: vec!["d-1".into()],
        processor_features: vec!["coreCount=4".into()],
        read_replicas: vec!["prod-db-ro".into()],
        backup_replications: vec!["arn:replication".into()],
    };
    let said = attached.by_hand("prod-db");
    for (sentence, words) in said.iter().zip([
        ["arn:role", "add-role-to-db-instance --db-instance-identifier prod-db"],
        ["arn:secret", "--manage-master-user-password"],
        ["d-1", "--domain d-1"],
        ["coreCount=4", "--processor-features"],
        ["prod-db-ro", "make new ones of prod-db"],
        ["arn:replication", "start-db-instance-automated-backups-replication"],
    ]) {
        assert!(words.iter().all(|word| sentence.contains(word)), "{sentence} does not say {words:?}");
    }
    assert_eq!(said.len(), 6);
}
