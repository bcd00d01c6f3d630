//! RDS error codes, as they are on the wire, to the answers of the port.

use aws_sdk_rds::Client;
use aws_smithy_mocks::{Rule, mock};
use holdfast_core::ports::{
    CopyAnswer, NewCopy, NewRestore, NewSnapshot, Rds, RestoreAnswer, SnapshotAnswer,
};
use holdfast_core::{ErrorKind, Result};
use holdfast_fakes::sample::{home, tags_of};
use secrecy::SecretString;

use crate::support::{rds, west, xml_error};

const QUOTA: &str =
    "The request cannot be processed because it would exceed the maximum number of snapshots.";
const IN_FLIGHT: &str = "Cannot have more than 20 cross-Region snapshot copies in progress to this Region.";

async fn create(answer: Rule) -> Result<SnapshotAnswer> {
    let new = NewSnapshot { id: "s".into(), instance_id: "prod-db".into(), tags: tags_of("o") };
    rds(&[&answer]).create_snapshot(&home(), &new).await
}

async fn copy(answer: Rule) -> Result<CopyAnswer> {
    let new = NewCopy {
        id: "s".into(),
        to: west(),
        from: home(),
        source_arn: "arn:aws:rds:us-east-1:1:snapshot:s".into(),
        kms_key_id: "alias/holdfast".into(),
        tags: tags_of("o"),
    };
    rds(&[&answer]).copy_snapshot(&new).await
}

async fn restore(answer: Rule) -> Result<RestoreAnswer> {
    let new = NewRestore {
        id: "hfv-o".into(),
        snapshot_id: "s".into(),
        class: "db.t4g.medium".into(),
        parameter_group: "p".into(),
        subnet_group: "n".into(),
        security_group: "g".into(),
        tags: tags_of("o"),
    };
    rds(&[&answer]).restore(&home(), &new).await
}

#[tokio::test]
async fn create_snapshot_tells_what_was_in_the_way() {
    let answered = async |code: &'static str, message: &'static str| {
        create(mock!(Client::create_db_snapshot).then_http_response(move || xml_error(400, code, message)))
            .await
    };
    // GIVEN what clears by itself or by looking, THEN it is an answer
    assert_eq!(answered("DBSnapshotAlreadyExists", "m").await, Ok(SnapshotAnswer::AlreadyThere));
    assert_eq!(answered("InvalidDBInstanceState", "m").await, Ok(SnapshotAnswer::SourceBusy));
    // GIVEN what does not, THEN it is a named error that carries what RDS said
    for (code, kind) in [
        ("DBInstanceNotFound", ErrorKind::SourceNotFound),
        ("SnapshotQuotaExceeded", ErrorKind::SnapshotQuotaExceeded),
        ("AccessDenied", ErrorKind::AccessDenied),
        ("InvalidParameterValue", ErrorKind::Internal),
    ] {
        assert_eq!(answered(code, QUOTA).await.unwrap_err().kind, kind, "{code}");
    }
    let error = answered("InvalidParameterValue", "the name is too long").await.unwrap_err();
    assert!(error.message.contains("InvalidParameterValue: the name is too long"), "{}", error.message);
}

#[tokio::test]
async fn copy_snapshot_tells_what_was_in_the_way() {
    let answered = async |code: &'static str, message: &'static str| {
        copy(mock!(Client::copy_db_snapshot).then_http_response(move || xml_error(400, code, message))).await
    };
    // GIVEN a name that is taken, or the limit that clears by waiting, THEN it is an answer
    assert_eq!(answered("DBSnapshotAlreadyExists", "m").await, Ok(CopyAnswer::AlreadyThere));
    assert_eq!(answered("SnapshotQuotaExceeded", IN_FLIGHT).await, Ok(CopyAnswer::TooManyInFlight));
    // GIVEN the same code for the limit that does not, and the rest, THEN it is a named error
    for (code, message, kind) in [
        ("SnapshotQuotaExceeded", QUOTA, ErrorKind::SnapshotQuotaExceeded),
        ("DBSnapshotNotFound", "m", ErrorKind::SnapshotGone),
        ("InvalidDBSnapshotState", "m", ErrorKind::SnapshotGone),
        ("KMSKeyNotAccessibleFault", "m", ErrorKind::KeyUnusable),
        ("InvalidParameterValue", "KMS key alias/holdfast does not exist", ErrorKind::KeyUnusable),
        ("InvalidParameterValue", "the target name is too long", ErrorKind::Internal),
        ("AccessDenied", "m", ErrorKind::AccessDenied),
    ] {
        assert_eq!(answered(code, message).await.unwrap_err().kind, kind, "{code} {message}");
    }
}

#[tokio::test]
async fn restore_tells_what_was_in_the_way() {
    let answered = async |code: &'static str| {
        restore(
            mock!(Client::restore_db_instance_from_db_snapshot)
                .then_http_response(move || xml_error(400, code, "m")),
        )
        .await
    };
    assert_eq!(answered("DBInstanceAlreadyExists").await, Ok(RestoreAnswer::AlreadyThere));
    assert_eq!(answered("InsufficientDBInstanceCapacity").await, Ok(RestoreAnswer::NoCapacity));
    assert_eq!(answered("InvalidDBSnapshotState").await, Ok(RestoreAnswer::NotYet));
    for (code, kind) in [
        ("DBSnapshotNotFound", ErrorKind::SnapshotGone),
        ("KMSKeyNotAccessibleFault", ErrorKind::KeyUnusable),
        ("InstanceQuotaExceeded", ErrorKind::InstanceQuotaExceeded),
        ("StorageQuotaExceeded", ErrorKind::InstanceQuotaExceeded),
        ("AccessDenied", ErrorKind::AccessDenied),
        ("DBSubnetGroupNotFoundFault", ErrorKind::Internal),
    ] {
        assert_eq!(answered(code).await.unwrap_err().kind, kind, "{code}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_none_and_what_is_gone_is_deleted() {
    // GIVEN an RDS that knows neither
    let instance = mock!(Client::describe_db_instances)
        .then_http_response(|| xml_error(404, "DBInstanceNotFound", "DBInstance x not found."));
    let snapshot = mock!(Client::describe_db_snapshots)
        .then_http_response(|| xml_error(404, "DBSnapshotNotFound", "DBSnapshot x not found."));
    // THEN each is `None`
    assert_eq!(rds(&[&instance]).instance(&home(), "x").await, Ok(None));
    assert_eq!(rds(&[&snapshot]).snapshot(&home(), "x").await, Ok(None));
    // AND to delete what is gone, or going already, is to have deleted it
    for code in ["DBInstanceNotFound", "InvalidDBInstanceState"] {
        let gone = mock!(Client::delete_db_instance).then_http_response(move || xml_error(400, code, "m"));
        assert_eq!(rds(&[&gone]).delete_instance(&home(), "x").await, Ok(()));
    }
    // AND to be denied is not
    let denied = || {
        mock!(Client::delete_db_instance)
            .then_http_response(|| xml_error(403, "AccessDenied", "not authorized"))
    };
    let looked = |code: &'static str| {
        mock!(Client::describe_db_instances).then_http_response(move || xml_error(400, code, "m"))
    };
    let error = rds(&[&denied(), &looked("AccessDenied")]).delete_instance(&home(), "x").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AccessDenied);
    // BUT the right hangs on a tag, and what is gone has none
    let gone = rds(&[&denied(), &looked("DBInstanceNotFound")]).delete_instance(&home(), "x").await;
    assert_eq!(gone, Ok(()));
}

#[tokio::test]
async fn what_is_being_changed_is_looked_at_again() {
    // GIVEN an instance, or the parameter group that validations share, in the middle of another change
    let instance = mock!(Client::modify_db_instance)
        .then_http_response(|| xml_error(400, "InvalidDBInstanceState", "m"));
    let made = mock!(Client::create_db_parameter_group).then_output(|| {
        aws_sdk_rds::operation::create_db_parameter_group::CreateDbParameterGroupOutput::builder().build()
    });
    let group = mock!(Client::modify_db_parameter_group)
        .then_http_response(|| xml_error(400, "InvalidDBParameterGroupState", "m"));
    // WHEN it is changed, THEN the error is one that a retry can mend
    let password = SecretString::from("s3cret".to_owned());
    let error = rds(&[&instance]).take_over_instance(&home(), "hfv-o", &password).await.unwrap_err();
    assert!(error.kind.retryable(), "{error:?}");
    assert!(!error.message.contains("s3cret"));
    let error = rds(&[&made, &group])
        .ensure_parameter_group(&home(), "p", "postgres15", &[("a", "0")])
        .await
        .unwrap_err();
    assert!(error.kind.retryable(), "{error:?}");
}

#[tokio::test]
async fn a_restore_asks_for_what_isolates_it() {
    // GIVEN an RDS that takes only a restore that is private, single, without backups, with groups of its own
    let answer = mock!(Client::restore_db_instance_from_db_snapshot)
        .match_requests(|asked| {
            asked.publicly_accessible() == Some(false)
                && asked.multi_az() == Some(false)
                && asked.backup_retention_period() == Some(0)
                && asked.deletion_protection() == Some(false)
                && asked.copy_tags_to_snapshot() == Some(false)
                && asked.db_parameter_group_name() == Some("p")
                && asked.db_subnet_group_name() == Some("n")
                && asked.vpc_security_group_ids() == ["g"]
                && asked.tags().iter().any(|tag| tag.key() == Some("holdfast:operation"))
        })
        .then_http_response(|| xml_error(400, "DBInstanceAlreadyExists", "m"));
    // WHEN one is asked for, THEN it is taken
    assert_eq!(restore(answer).await, Ok(RestoreAnswer::AlreadyThere));
    // GIVEN a deletion, THEN neither a final snapshot nor automated backups stay of it
    let deletion = mock!(Client::delete_db_instance)
        .match_requests(|asked| {
            asked.skip_final_snapshot() == Some(true) && asked.delete_automated_backups() == Some(true)
        })
        .then_http_response(|| xml_error(404, "DBInstanceNotFound", "m"));
    assert_eq!(rds(&[&deletion]).delete_instance(&home(), "hfv-o").await, Ok(()));
}

#[tokio::test]
async fn a_copy_brings_a_signed_request_for_the_source_region() {
    // GIVEN an RDS that looks at the signed URL
    let answer = mock!(Client::copy_db_snapshot)
        .match_requests(|asked| {
            let url = asked.pre_signed_url().unwrap_or_default();
            url.starts_with("https://rds.us-east-1.amazonaws.com/?Action=CopyDBSnapshot&")
                && url.contains("&DestinationRegion=us-west-2&")
                && url.contains("&X-Amz-Signature=")
                && asked.copy_tags().is_none()
        })
        .then_http_response(|| xml_error(400, "DBSnapshotAlreadyExists", "m"));
    // WHEN a copy is asked for, THEN it has one
    assert_eq!(copy(answer).await, Ok(CopyAnswer::AlreadyThere));
}
