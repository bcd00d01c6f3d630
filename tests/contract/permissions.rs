//! What each function may do.

use std::collections::BTreeSet;

use holdfast_core::ids::{OperationId, Region};
use holdfast_core::request::{RestoreRequest, aside};
use holdfast_core::watching::MONITORING_SERVICE;
use serde_json::json;

use crate::support::{
    SHARED, all_functions, binary, functions, list, sources_of, statements, template, text_without_tags,
};

/// The RDS, EC2, KMS, S3, DynamoDB and Step Functions calls that each function's code can make, by binary. The
/// adapters' methods are the words; a whole-stack run with IAM enforced shows that none is missing.
const CALLS: [(&str, &str); 59] = [
    ("rds.instance(", "rds:DescribeDBInstances"),
    ("rds.temporary_instances(", "rds:DescribeDBInstances"),
    ("rds.snapshot(", "rds:DescribeDBSnapshots"),
    ("rds.copies_in_flight(", "rds:DescribeDBSnapshots"),
    ("rds.snapshot_quota(", "rds:DescribeAccountAttributes"),
    ("rds.create_snapshot(", "rds:CreateDBSnapshot"),
    ("rds.copy_snapshot(", "rds:CopyDBSnapshot"),
    ("rds.manual_snapshots(", "rds:DescribeDBSnapshots"),
    ("rds.delete_snapshot(", "rds:DeleteDBSnapshot"),
    ("rds.tag_snapshot(", "rds:AddTagsToResource"),
    ("rds.tag_instance(", "rds:AddTagsToResource"),
    ("rds.ensure_parameter_group(", "rds:ModifyDBParameterGroup"),
    ("rds.restore(", "rds:RestoreDBInstanceFromDBSnapshot"),
    ("rds.take_over_instance(", "rds:ModifyDBInstance"),
    ("rds.delete_instance(", "rds:DeleteDBInstance"),
    ("rds.blueprint(", "rds:DescribeDBInstances"),
    ("rds.restore_windows(", "rds:DescribeDBInstanceAutomatedBackups"),
    ("rds.problem_with(", "rds:DescribeDBSubnetGroups"),
    ("rds.problem_with(", "rds:DescribeOptionGroups"),
    ("rds.problem_with(", "rds:DescribeCertificates"),
    ("rds.problem_with(", "rds:DescribeOrderableDBInstanceOptions"),
    // The VPC of the subnet group, and the security groups in it.
    ("network::proven(", "rds:DescribeDBSubnetGroups"),
    ("network::proven(", "ec2:DescribeSecurityGroups"),
    ("network::proven(", "ec2:DescribeVpcs"),
    ("problem_with_key(ports.keys", "kms:DescribeKey"),
    ("problem_with_role(", "iam:GetRole"),
    // Enhanced Monitoring's, when it is set on what was restored.
    ("rds.settle(", "iam:PassRole"),
    ("rds.restore_database(", "rds:RestoreDBInstanceFromDBSnapshot"),
    ("rds.restore_database(", "rds:RestoreDBInstanceToPointInTime"),
    ("rds.settle(", "rds:ModifyDBInstance"),
    ("rds.rename(", "rds:ModifyDBInstance"),
    ("rds.stop(", "rds:StopDBInstance"),
    ("rds.start(", "rds:StartDBInstance"),
    ("dns.record(", "route53:ListResourceRecordSets"),
    ("dns.point(", "route53:ChangeResourceRecordSets"),
    ("secrets.current(", "secretsmanager:GetSecretValue"),
    ("secrets.previous(", "secretsmanager:GetSecretValue"),
    ("secrets.put(", "secretsmanager:PutSecretValue"),
    ("secrets.make_current(", "secretsmanager:UpdateSecretVersionStage"),
    ("credentials(logins", "secretsmanager:GetSecretValue"),
    ("credentials(ports.logins", "secretsmanager:GetSecretValue"),
    ("credentials(logins", "rds-db:connect"),
    ("credentials(ports.logins", "rds-db:connect"),
    ("keys.key(", "kms:DescribeKey"),
    ("keys.require_permission(", "kms:GenerateDataKeyWithoutPlaintext"),
    ("keys.derive_password(", "kms:GenerateMac"),
    ("store.replace(", "dynamodb:PutItem"),
    ("store.get(", "dynamodb:GetItem"),
    ("store.latest_valid(", "dynamodb:Query"),
    ("store.unended(", "dynamodb:Query"),
    ("documents.get(", "s3:GetObject"),
    // Without it, S3 calls a missing object forbidden.
    ("documents.get(", "s3:ListBucket"),
    ("documents.keys(", "s3:ListBucket"),
    ("documents.put(", "s3:PutObject"),
    ("documents.create(", "s3:PutObject"),
    ("executions.is_running(", "states:DescribeExecution"),
    ("regions.put_document(", "s3:PutObject"),
    ("regions.start_validation(", "states:StartExecution"),
    ("regions.execution(", "states:DescribeExecution"),
];

#[test]
fn each_function_may_do_what_its_code_does_and_no_other_of_these() {
    for (path, id, function) in all_functions() {
        let id = format!("{path}: {id}");
        // Line breaks before a method are the formatter's.
        let code: String = sources_of(&binary(&function)).split_whitespace().collect::<String>();
        let allowed: BTreeSet<String> =
            statements(&function).iter().flat_map(|statement| list(&statement["Action"])).collect();
        assert!(allowed.iter().all(|action| !action.contains('*')), "{id} may do everything of some kind");
        for action in CALLS.iter().map(|(_, action)| *action).collect::<BTreeSet<_>>() {
            let called = CALLS.iter().any(|(method, named)| *named == action && code.contains(method));
            // Tags at creation, and what RDS asks of KMS in the caller's name, come with other calls.
            let implied = matches!(action, "rds:AddTagsToResource" | "kms:DescribeKey");
            if called || !implied {
                assert_eq!(allowed.contains(action), called, "{id}: {action}");
            }
        }
    }
}

#[test]
fn every_function_at_home_shares_the_breakers_and_may_touch_no_other_item() {
    for (id, function) in functions("template.yaml") {
        let policies = function["Properties"]["Policies"].as_sequence().expect("policies");
        assert!(policies.iter().any(|policy| text_without_tags(policy) == SHARED), "{id}");
    }
    let shared = &template("template.yaml")["Resources"][SHARED]["Properties"]["PolicyDocument"]["Statement"];
    let [statement] = shared.as_sequence().expect("statements").as_slice() else { panic!("one statement") };
    assert_eq!(list(&statement["Action"]), ["dynamodb:GetItem", "dynamodb:UpdateItem"]);
    let keys = &statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"];
    assert_eq!(list(keys), [holdfast_aws::dynamodb::BREAKERS_ITEM]);
}

#[test]
fn destructive_actions_are_bound_to_tags_and_names() {
    let mut pruning = 0;
    for (path, id, function) in all_functions() {
        let id = format!("{path}: {id}");
        for statement in statements(&function) {
            let actions = list(&statement["Action"]);
            if !actions.iter().any(|action| action.contains("Delete") || action == "rds:ModifyDBInstance") {
                continue;
            }
            if id.ends_with(": RestoreDatabaseFunction") {
                // It deletes nothing, and changes what an operation of Holdfast's has made and nothing else.
                assert_eq!(actions, ["rds:ModifyDBInstance"], "{id}");
                let tag = &statement["Condition"]["Null"]["aws:ResourceTag/holdfast:operation"];
                assert_eq!(text_without_tags(tag), "false", "{id}: {actions:?}");
                continue;
            }
            if id.ends_with(": SwapDatabaseFunction") {
                // What it renames is production itself: it deletes nothing, and whoever deploys says which it may.
                assert_eq!(actions, ["rds:ModifyDBInstance"], "{id}");
                let arns = list(&statement["Resource"]);
                assert!(arns.iter().all(|arn| arn.contains(":db:${SwapDatabases}")), "{id}: {arns:?}");
                continue;
            }
            if actions == ["rds:DeleteDBSnapshot"] {
                // Only what an operation made, and never what somebody holds.
                let tags = &statement["Condition"]["Null"];
                for (tag, missing) in [("holdfast:operation", "false"), ("holdfast:hold", "true")] {
                    assert_eq!(text_without_tags(&tags[format!("aws:ResourceTag/{tag}")]), missing, "{id}");
                }
                let arns = list(&statement["Resource"]);
                assert!(arns.iter().all(|arn| arn.ends_with(":snapshot:holdfast-*")), "{id}: {arns:?}");
                assert_eq!(binary(&function), "prune-backups", "{id}");
                pruning += 1;
                continue;
            }
            let tag = &statement["Condition"]["StringEquals"]["aws:ResourceTag/holdfast:temporary"];
            assert_eq!(text_without_tags(tag), "validation", "{id}: {actions:?}");
            assert!(
                list(&statement["Resource"]).iter().all(|arn| arn.ends_with(":db:hfv-*")),
                "{id}: {actions:?}"
            );
        }
    }
    assert_eq!(pruning, 1, "one function deletes snapshots");
}

#[test]
fn roles_are_given_to_one_service_only() {
    let mut given = 0;
    for (path, id, function) in all_functions() {
        for statement in statements(&function) {
            if list(&statement["Action"]).iter().any(|action| action == "iam:PassRole") {
                let service = &statement["Condition"]["StringEquals"]["iam:PassedToService"];
                assert_eq!(text_without_tags(service), MONITORING_SERVICE, "{path}: {id}");
                given += 1;
            }
        }
    }
    assert_eq!(given, 1, "one function gives a role away");
}

/// Whether a policy's pattern stands for `text`: `*` for any characters, `?` for one.
fn stands_for(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, _) => text.is_empty(),
        (Some((b'*', rest)), _) => (0..=text.len()).any(|skip| stands_for(rest, &text[skip..])),
        (Some((b'?', rest)), Some((_, left))) => stands_for(rest, left),
        (Some((one, rest)), Some((other, left))) => one == other && stands_for(rest, left),
        (Some(_), None) => false,
    }
}

/// What `swap-database` may do with the instance `id` when `SwapDatabases` is `said`, and `restored` when it is what an
/// operation of Holdfast's made.
fn may_swap(said: &str, id: &str, restored: bool) -> Vec<String> {
    let mut may = BTreeSet::new();
    for statement in statements(&functions("template.yaml")["SwapDatabaseFunction"]) {
        let wanted = list(&statement["Resource"]).iter().any(|arn| {
            let name = arn.rsplit_once(":db:").map(|(_, name)| name.replace("${SwapDatabases}", said));
            name.is_some_and(|name| stands_for(name.as_bytes(), id.as_bytes()))
        });
        let tag = &statement["Condition"]["Null"]["aws:ResourceTag/holdfast:operation"];
        if wanted && (tag.is_null() || restored) {
            may.extend(list(&statement["Action"]));
        }
    }
    may.remove("rds:DescribeDBInstances");
    may.into_iter().collect()
}

#[test]
fn whoever_may_be_swapped_out_may_be_swapped_in_again() {
    let pattern = &template("template.yaml")["Parameters"]["SwapDatabases"]["AllowedPattern"];
    assert_eq!(pattern.as_str(), Some("^[a-z0-9*-]{1,48}[*]?$"), "as the names are cut below");
    let home = Region::parse("us-east-1").unwrap();
    let long = "a-name-of-fifty-characters-is-cut-where-it-has-48-x";
    let cut = format!("{}*", &long[..48]);
    for (said, database) in
        [("prod-db", "prod-db"), ("prod-*", "prod-db"), ("*", "prod-db"), ("*", long), (cut.as_str(), long)]
    {
        let input = json!({"databaseId": database, "runId": "run-1", "swap": true});
        let request = RestoreRequest::parse(&input, "unused", &home).unwrap();
        let operation = OperationId::of_restore(&home, &request.database_id, &request.run_id);
        let (beside, old) = (request.target_id, aside(&request.database_id, &operation).unwrap());
        let rename = "rds:ModifyDBInstance".to_owned();
        // There: the old one to the name aside, the new one to the database's. Back: the same from the other end.
        for (id, restored) in
            [(database, false), (beside.as_str(), true), (database, true), (old.as_str(), false)]
        {
            assert!(may_swap(said, id, restored).contains(&rename), "SwapDatabases={said}: {id}");
        }
        for action in ["rds:StopDBInstance", "rds:StartDBInstance"] {
            assert!(may_swap(said, old.as_str(), false).contains(&action.to_owned()), "{said}: {old}");
            assert!(!may_swap(said, database, false).contains(&action.to_owned()), "{said}: {database}");
        }
    }
    // AND nothing else, where one database is named.
    for id in ["other-db", "prod-db-2", "prod-db-old", "prod-db-old-by-hand", "prod-db-new-0123456789"] {
        assert_eq!(may_swap("prod-db", id, false), Vec::<String>::new(), "{id}");
    }
}
