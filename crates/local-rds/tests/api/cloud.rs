//! Roles and keys of a cloud: a small one of the test's own, with the answers the SDKs expect.

use aws_credential_types::Credentials;
use aws_sdk_rds::Client;
use aws_sdk_rds::error::ProvideErrorMetadata as _;
use aws_sdk_rds::types::Tag;
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use crate::support::{Local, code};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:create-snapshot";
const ROLE: &str = "arn:aws:iam::000000000000:role/service/snapshot-role";
const INLINE: &str = r#"{"Statement":[
  {"Effect":"Allow","Action":"rds:Describe*","Resource":"*"},
  {"Effect":"Allow","Action":["rds:CreateDBSnapshot","rds:AddTagsToResource","rds:CopyDBSnapshot"],
   "Resource":["arn:aws:rds:*:*:db:*","arn:aws:rds:*:*:snapshot:holdfast-*"]},
  {"Effect":"Allow","Action":"rds:RestoreDBInstanceToPointInTime",
   "Resource":["arn:aws:rds:*:*:db:prod-db","arn:aws:rds:*:*:db:hfr-*","arn:aws:rds:*:*:pg:default.*",
               "arn:aws:rds:*:*:og:default:*","arn:aws:rds:*:*:subgrp:isolated"]},
  {"Effect":"Allow","Action":"rds:DeleteDBSnapshot","Resource":"*",
   "Condition":{"Null":{"aws:ResourceTag/holdfast:operation":"false"}}}]}"#;
const ATTACHED: &str =
    r#"{"Statement":{"Effect":"Allow","Action":["kms:DescribeKey","kms:CreateGrant"],"Resource":"*"}}"#;

/// Answers what the local RDS asks a cloud: Lambda's REST, IAM's query protocol, KMS's JSON.
async fn cloud(headers: HeaderMap, uri: Uri, body: Bytes) -> Response {
    if uri.path().contains("/functions") {
        return format!(
            r#"{{"Functions":[{{"FunctionName":"create-snapshot","FunctionArn":"{FUNCTION}","Role":"{ROLE}"}}]}}"#
        )
        .into_response();
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    // Who signs says which Region is meant.
    let signed = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let region = if signed.contains("/us-west-2/") { "us-west-2" } else { "us-east-1" };
    if let Some(target) = headers.get("x-amz-target").and_then(|target| target.to_str().ok()) {
        return kms(target, &text, region);
    }
    let policy = |document: &str| {
        let document: String = url::form_urlencoded::byte_serialize(document.as_bytes()).collect();
        document.replace('+', "%20")
    };
    let action = url::form_urlencoded::parse(&body)
        .find(|(name, _)| name == "Action")
        .map(|(_, action)| action.into_owned())
        .unwrap_or_default();
    let inside = match action.as_str() {
        "ListRolePolicies" => "<PolicyNames><member>inline</member></PolicyNames><IsTruncated>false</IsTruncated>".into(),
        "GetRolePolicy" => format!(
            "<RoleName>snapshot-role</RoleName><PolicyName>inline</PolicyName><PolicyDocument>{}</PolicyDocument>",
            policy(INLINE)
        ),
        "GetRole" => {
            let service = if text.contains("RoleName=monitoring") { "monitoring.rds" } else { "lambda" };
            let trust = format!(r#"{{"Statement":{{"Principal":{{"Service":"{service}.amazonaws.com"}}}}}}"#);
            format!(
                "<Role><Path>/</Path><RoleName>r</RoleName><RoleId>A</RoleId><Arn>a</Arn><CreateDate>2026-11-20T06:00:00Z\
                 </CreateDate><AssumeRolePolicyDocument>{}</AssumeRolePolicyDocument></Role>",
                policy(&trust)
            )
        }
        "ListAttachedRolePolicies" => {
            "<AttachedPolicies><member><PolicyArn>arn:aws:iam::0:policy/keys</PolicyArn></member></AttachedPolicies>".into()
        }
        "GetPolicy" => "<Policy><DefaultVersionId>v3</DefaultVersionId></Policy>".into(),
        "GetPolicyVersion" => {
            assert!(text.contains("VersionId=v3"), "the default version is the one that counts");
            format!("<PolicyVersion><Document>{}</Document></PolicyVersion>", policy(ATTACHED))
        }
        "DescribeVpcs" => return ec2(&action, "<vpcSet><item><vpcId>vpc-d</vpcId><isDefault>true</isDefault></item></vpcSet>"),
        "DescribeSecurityGroups" => {
            let group = |id: &str, name: &str, vpc: &str| {
                format!("<item><groupId>{id}</groupId><groupName>{name}</groupName><vpcId>{vpc}</vpcId></item>")
            };
            let all = [
                group("sg-d", "default", "vpc-d"),
                group("sg-i", "default", "vpc-9"),
                group("sg-j", "mine", "vpc-9"),
            ];
            return ec2(&action, &format!("<securityGroupInfo>{}</securityGroupInfo>", all.concat()));
        }
        "DescribeDBSubnetGroups" if text.contains("DBSubnetGroupName=isolated") => {
            "<DBSubnetGroups><DBSubnetGroup><DBSubnetGroupName>isolated</DBSubnetGroupName>\
             <DBSubnetGroupDescription>made by a stack</DBSubnetGroupDescription><VpcId>vpc-9</VpcId><Subnets><Subnet>\
             <SubnetIdentifier>subnet-9</SubnetIdentifier></Subnet></Subnets></DBSubnetGroup></DBSubnetGroups>".into()
        }
        "DescribeDBSubnetGroups" => {
            let error = "<Error><Code>DBSubnetGroupNotFoundFault</Code><Message>no</Message></Error>";
            return (StatusCode::NOT_FOUND, format!("<ErrorResponse>{error}</ErrorResponse>")).into_response();
        }
        other => panic!("the cloud is not expected to be asked for {other}"),
    };
    format!(
        r#"<{action}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><{action}Result>{inside}</{action}Result></{action}Response>"#
    )
    .into_response()
}

/// KMS: two keys with aliases, and the one that RDS manages, which is there once it was made.
fn kms(target: &str, text: &str, region: &str) -> Response {
    let described = |id: &str, state: &str| {
        let arn = format!("arn:aws:kms:{region}:000000000000:key/{id}");
        format!(r#"{{"KeyMetadata":{{"KeyId":"{id}","Arn":"{arn}","KeyState":"{state}"}}}}"#).into_response()
    };
    match target {
        "TrentService.CreateKey" => described("managed", "Enabled"),
        "TrentService.CreateAlias" => {
            assert!(text.contains("alias/aws/rds"), "{text}");
            "{}".into_response()
        }
        "TrentService.DescribeKey" if text.contains("key/managed") => described("managed", "Enabled"),
        "TrentService.DescribeKey" if text.contains("alias/holdfast") => described("good", "Enabled"),
        "TrentService.DescribeKey" if text.contains("alias/off") => described("off", "PendingDeletion"),
        "TrentService.DescribeKey" => {
            (StatusCode::BAD_REQUEST, r#"{"__type":"NotFoundException","message":"no"}"#).into_response()
        }
        other => panic!("the cloud is not expected to be asked for {other}"),
    }
}

/// An answer of EC2's protocol, which wraps no result.
fn ec2(action: &str, inside: &str) -> Response {
    format!(
        r#"<{action}Response xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>{inside}</{action}Response>"#
    )
    .into_response()
}

/// The key that a worker of this function and role gets.
fn worker_key() -> Credentials {
    let digest = hex::encode(Sha256::digest(format!("{FUNCTION}:{ROLE}")));
    Credentials::new(
        format!("ASIA{}", digest[..16].to_uppercase()),
        "secret",
        Some("token".into()),
        None,
        "test",
    )
}

fn with_credentials(client: &Client, credentials: Credentials) -> Client {
    Client::from_conf(client.config().to_builder().credentials_provider(credentials).build())
}

fn tag() -> Tag {
    Tag::builder().key("holdfast:operation").value("op").build()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_does_what_its_policies_allow_and_keys_must_be_usable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(cloud)).await });
    let local = Local::with(|settings| {
        settings.cloud_endpoint = Some(endpoint);
        settings.enforce_iam = true;
    })
    .await;
    let root = local.client("us-east-1");
    local.create(&root, "prod-db").await;
    let stranger = Credentials::new("AKIASTRANGER", "x", None, None, "test");
    let stranger = with_credentials(&root, stranger);
    assert_eq!(code(stranger.describe_db_instances().send().await), "InvalidClientTokenId");

    let worker = with_credentials(&root, worker_key());
    worker.describe_db_instances().send().await.unwrap();
    let snapshot =
        |id: &str| worker.create_db_snapshot().db_instance_identifier("prod-db").db_snapshot_identifier(id);
    let denied = snapshot("mine").send().await.unwrap_err();
    assert_eq!(denied.raw_response().map(|response| response.status().as_u16()), Some(403));
    let denied = denied.into_service_error();
    let message = denied.message().unwrap_or_default();
    assert!(
        message.contains(
            "assumed-role/snapshot-role/create-snapshot is not authorized to perform: rds:CreateDBSnapshot \
                          on resource: arn:aws:rds:us-east-1:000000000000:snapshot:mine"
        ),
        "{message}"
    );
    snapshot("holdfast-1").tags(tag()).send().await.unwrap();
    local.await_snapshot(&root, "holdfast-1", &["available"]).await;
    local.snapshot(&root, "prod-db", "untagged").await;
    let delete = |id: &str| worker.delete_db_snapshot().db_snapshot_identifier(id);
    assert_eq!(code(delete("untagged").send().await), "AccessDenied");
    let drop = worker.delete_db_instance().db_instance_identifier("prod-db").skip_final_snapshot(true);
    assert_eq!(code(drop.send().await), "AccessDenied");

    keys(&local).await;
    points_in_time(&root, &worker).await;
    subnet_groups(&root).await;
    security_groups(&root).await;
    monitoring(&root).await;
    delete("holdfast-1").send().await.unwrap();
    local.stop().await;
}

async fn keys(local: &Local) {
    // In the same Region no pre-signed request is needed; the key decides.
    let west = local.client("us-west-2");
    local.create(&west, "west-db").await;
    local.snapshot(&west, "west-db", "holdfast-w").await;
    let west = with_credentials(&west, worker_key());
    let copy = |key: &str| {
        west.copy_db_snapshot()
            .source_db_snapshot_identifier("holdfast-w")
            .target_db_snapshot_identifier("holdfast-c")
            .kms_key_id(key)
    };
    assert_eq!(code(copy("alias/none").send().await), "InvalidParameterValue");
    assert_eq!(code(copy("alias/off").send().await), "KMSKeyNotAccessibleFault");
    let east = "arn:aws:kms:us-east-1:000000000000:key/good";
    assert_eq!(code(copy(east).send().await), "KMSKeyNotAccessibleFault");
    let copied = copy("alias/holdfast").send().await.unwrap();
    let key = copied.db_snapshot().unwrap().kms_key_id().unwrap().to_owned();
    assert_eq!(key, "arn:aws:kms:us-west-2:000000000000:key/good");
    // RDS's own key is one of KMS's like the others, made when it is first needed, and everybody may use it.
    let managed = "arn:aws:kms:us-west-2:000000000000:key/managed";
    for (given, name) in [("alias/aws/rds", "holdfast-m"), (managed, "holdfast-n")] {
        let copied = copy(given).target_db_snapshot_identifier(name).send().await.unwrap();
        assert_eq!(copied.db_snapshot().unwrap().kms_key_id(), Some(managed));
    }
}

/// A role that Enhanced Monitoring may take is taken, another is not.
async fn monitoring(root: &Client) {
    let change = |role: &str| {
        let change = root.modify_db_instance().db_instance_identifier("prod-db").monitoring_interval(60);
        change.monitoring_role_arn(format!("arn:aws:iam::000000000000:role/{role}"))
    };
    assert_eq!(code(change("other").send().await), "InvalidParameterValue");
    let made = change("monitoring").send().await.unwrap();
    assert_eq!(made.db_instance().unwrap().monitoring_interval(), Some(60));
}

/// Each resource that the service authorization reference names for a restore is asked about.
async fn points_in_time(root: &Client, worker: &Client) {
    let restore = |target: &str| {
        worker
            .restore_db_instance_to_point_in_time()
            .target_db_instance_identifier(target)
            .use_latest_restorable_time(true)
    };
    let allowed =
        || restore("hfr-1").source_db_instance_identifier("prod-db").db_subnet_group_name("isolated");
    let elsewhere = restore("mine").source_db_instance_identifier("prod-db").db_subnet_group_name("isolated");
    let found = root.describe_db_instances().db_instance_identifier("prod-db").send().await.unwrap();
    let resource = found.db_instances()[0].dbi_resource_id().unwrap();
    let by_resource = restore("hfr-1").source_dbi_resource_id(resource).db_subnet_group_name("isolated");
    for (refused, what) in [
        (elsewhere, ":db:mine"),
        (allowed().source_db_instance_identifier("other"), ":db:other"),
        (allowed().db_subnet_group_name("open"), ":subgrp:open"),
        (allowed().db_parameter_group_name("mine"), ":pg:mine"),
        (allowed().option_group_name("mine"), ":og:mine"),
        (by_resource, ":auto-backup:ab-"),
    ] {
        let denied = refused.send().await.unwrap_err().into_service_error();
        assert_eq!(denied.code(), Some("AccessDenied"));
        assert!(denied.message().unwrap_or_default().contains(what), "{what}: {denied:?}");
    }
    allowed().send().await.unwrap();
    let list = worker.describe_db_instance_automated_backups();
    assert_eq!(list.send().await.unwrap().db_instance_automated_backups().len(), 1);
    let delete = worker.delete_db_instance_automated_backup().dbi_resource_id(resource);
    assert_eq!(code(delete.send().await), "AccessDenied");
    worker.describe_certificates().send().await.unwrap();
    worker.describe_orderable_db_instance_options().engine("postgres").send().await.unwrap();
}

/// Security groups are the cloud's, and an instance has those of its own network.
async fn security_groups(root: &Client) {
    let found = root.describe_db_instances().db_instance_identifier("prod-db").send().await.unwrap();
    let found = &found.db_instances()[0];
    let groups: Vec<_> =
        found.vpc_security_groups().iter().filter_map(|group| group.vpc_security_group_id()).collect();
    assert_eq!((groups, found.db_subnet_group().unwrap().vpc_id()), (vec!["sg-d"], Some("vpc-d")));
    let change = |group: &str| {
        root.modify_db_instance().db_instance_identifier("prod-db").vpc_security_group_ids(group)
    };
    assert_eq!(code(change("sg-gone").send().await), "InvalidParameterValue");
    assert_eq!(code(change("sg-j").send().await), "InvalidVPCNetworkStateFault");
    let moved = change("sg-j").db_subnet_group_name("isolated").send().await.unwrap();
    let moved = moved.db_instance().unwrap();
    assert_eq!(moved.db_subnet_group().unwrap().vpc_id(), Some("vpc-9"));
    assert_eq!(moved.vpc_security_groups()[0].vpc_security_group_id(), Some("sg-j"));
}

/// What a stack of the cloud made is found there.
async fn subnet_groups(root: &Client) {
    let find = |name: &str| root.describe_db_subnet_groups().db_subnet_group_name(name);
    let found = find("isolated").send().await.unwrap();
    assert_eq!(found.db_subnet_groups()[0].subnets()[0].subnet_identifier(), Some("subnet-9"));
    assert_eq!(code(find("none").send().await), "DBSubnetGroupNotFoundFault");
}
