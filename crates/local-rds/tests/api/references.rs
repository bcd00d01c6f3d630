//! What a caller asks before it restores: whether what it refers to exists, and whether a class is to be had.

use aws_sdk_rds::Client;
use serde_json::json;

use crate::support::{Local, ask, code};

#[tokio::test(flavor = "multi_thread")]
async fn groups_and_certificates_are_found_or_named_unknown() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    option_groups(&rds).await;
    let subnets = |name: &str| rds.describe_db_subnet_groups().db_subnet_group_name(name);
    assert_eq!(code(subnets("none").send().await), "DBSubnetGroupNotFoundFault");
    let found = subnets("default").send().await.unwrap();
    assert_eq!(found.db_subnet_groups()[0].subnet_group_status(), Some("Complete"));
    rds.create_db_subnet_group()
        .db_subnet_group_name("Private")
        .db_subnet_group_description("mine")
        .subnet_ids("subnet-1")
        .send()
        .await
        .unwrap();
    let found = subnets("private").send().await.unwrap();
    assert_eq!(found.db_subnet_groups()[0].subnets()[0].subnet_identifier(), Some("subnet-1"));
    assert_eq!(rds.describe_db_subnet_groups().send().await.unwrap().db_subnet_groups().len(), 2);

    let found = rds.describe_certificates().send().await.unwrap();
    assert_eq!(found.default_certificate_for_new_launches(), Some("rds-ca-rsa2048-g1"));
    let names: Vec<_> = found.certificates().iter().filter_map(|one| one.certificate_identifier()).collect();
    assert_eq!(names, ["rds-ca-ecc384-g1", "rds-ca-rsa2048-g1", "rds-ca-rsa4096-g1"]);
    let one = rds.describe_certificates().certificate_identifier("rds-ca-rsa4096-g1").send().await.unwrap();
    assert_eq!(one.certificates().len(), 1);
    let unknown = rds.describe_certificates().certificate_identifier("rds-ca-2015").send().await;
    assert_eq!(code(unknown), "CertificateNotFound");
    local.stop().await;
}

async fn option_groups(rds: &Client) {
    let named = |name: &str| rds.describe_option_groups().option_group_name(name);
    let found = named("default:postgres-15").send().await.unwrap();
    let group = &found.option_groups_list()[0];
    assert_eq!((group.engine_name(), group.major_engine_version()), (Some("postgres"), Some("15")));
    assert!(group.option_group_arn().unwrap().ends_with(":og:default:postgres-15"));
    for unknown in ["mine", "default:postgres-9"] {
        assert_eq!(code(named(unknown).send().await), "OptionGroupNotFoundFault");
    }
    let of = |engine: &str, major: &str| {
        rds.describe_option_groups().engine_name(engine).major_engine_version(major)
    };
    assert_eq!(of("postgres", "16").send().await.unwrap().option_groups_list().len(), 1);
    assert!(of("mysql", "8.0").send().await.unwrap().option_groups_list().is_empty());
    let create = || {
        rds.create_option_group()
            .option_group_name("Mine")
            .engine_name("postgres")
            .major_engine_version("15")
            .option_group_description("mine")
    };
    create().send().await.unwrap();
    assert_eq!(code(create().send().await), "OptionGroupAlreadyExistsFault");
    assert_eq!(named("mine").send().await.unwrap().option_groups_list().len(), 1);
    rds.delete_option_group().option_group_name("mine").send().await.unwrap();
    assert_eq!(
        code(rds.delete_option_group().option_group_name("mine").send().await),
        "OptionGroupNotFoundFault"
    );
}

/// The storage types that a class is offered with.
async fn offered(rds: &Client, class: &str) -> Vec<String> {
    let ask = rds.describe_orderable_db_instance_options().engine("postgres").db_instance_class(class);
    let found = ask.send().await.unwrap();
    let types = found.orderable_db_instance_options().iter().filter_map(|offer| offer.storage_type());
    types.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_is_offered_or_not_and_may_be_sold_out() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    local.create(&rds, "prod-db").await;
    local.snapshot(&rds, "prod-db", "s").await;
    assert_eq!(offered(&rds, "db.m6g.large").await, ["gp2", "gp3", "io1", "io2"]);
    assert!(offered(&rds, "db.m1.small").await.is_empty(), "nobody offers it");
    let found = rds.describe_db_instances().db_instance_identifier("prod-db").send().await.unwrap();
    let version = found.db_instances()[0].engine_version().unwrap().to_owned();
    let all = |engine: &str, version: &str| {
        rds.describe_orderable_db_instance_options().engine(engine).engine_version(version)
    };
    assert!(all("postgres", "9.6.1").send().await.unwrap().orderable_db_instance_options().is_empty());
    assert!(all("mysql", &version).send().await.unwrap().orderable_db_instance_options().is_empty());
    let mut pages = all("postgres", &version).max_records(20).into_paginator().items().send();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(offer) = pages.next().await {
        let offer = offer.unwrap();
        assert!(offer.availability_zones()[0].name().unwrap().starts_with("us-east-1"));
        assert!(seen.insert(format!("{:?} {:?}", offer.db_instance_class(), offer.storage_type())));
    }
    assert!(seen.len() > 100, "{}", seen.len());

    let change = json!({"classesNotOffered": ["db.m6g.*"], "classesWithoutCapacity": ["db.r*"]}).to_string();
    assert_eq!(ask(&local.rds.url(), "PUT", "/_local/tuning", &change).await.0, 200);
    assert!(offered(&rds, "db.m6g.large").await.is_empty());
    assert_eq!(offered(&rds, "db.r6g.large").await.len(), 4, "what is sold out is listed all the same");
    for (class, wanted) in
        [("db.m6g.large", "InvalidParameterCombination"), ("db.r6g.large", "InsufficientDBInstanceCapacity")]
    {
        let restore = rds.restore_db_instance_from_db_snapshot().db_snapshot_identifier("s");
        let restore = restore.db_instance_identifier("x").db_instance_class(class);
        assert_eq!(code(restore.send().await), wanted);
        let restore = rds.restore_db_instance_to_point_in_time().source_db_instance_identifier("prod-db");
        let restore = restore.target_db_instance_identifier("x").db_instance_class(class);
        assert_eq!(code(restore.use_latest_restorable_time(true).send().await), wanted);
        let modify = rds.modify_db_instance().db_instance_identifier("prod-db").db_instance_class(class);
        assert_eq!(code(modify.send().await), wanted);
    }
    local.stop().await;
}
