//! What operations of a database measured: how long it took to be back, and when a backup was last proven.

use holdfast_core::ids::DatabaseId;
use holdfast_core::operation::{Kind, Phase, Request, RestoreTimings, in_place_since, left};
use holdfast_core::status::{RestoreSeen, ValidationSeen};
use holdfast_core::{Error as Named, ErrorKind, Result as Looked};
use jiff::Timestamp;
use serde_json::Value;

use crate::Error;
use crate::look::Look;
use crate::ops::list;

/// Newest operations of a database that are looked through for what was measured.
const OPERATIONS: usize = 100;

/// Restores that brought the database back, and backups that were found VALID.
pub(super) async fn measured(
    look: &Look,
    database: &DatabaseId,
) -> (Looked<Vec<RestoreSeen>>, Looked<Vec<ValidationSeen>>) {
    match records(look, database).await {
        Ok(records) => {
            let of = |kind: &'static str| records.iter().filter(move |record| record["type"] == kind);
            (
                Ok(of("RESTORE").filter_map(restore).collect()),
                Ok(of("BACKUP").filter_map(validation).collect()),
            )
        }
        Err(error) => {
            let named = Named::new(ErrorKind::OutcomeUnknown, error.to_string());
            (Err(named.clone()), Err(named))
        }
    }
}

/// The newest records of the database that say something of times.
async fn records(look: &Look, database: &DatabaseId) -> Result<Vec<Value>, Error> {
    let mut records = Vec::new();
    for row in list::of_database(&look.cloud, database.as_str(), OPERATIONS).await? {
        let id = row["operationId"].as_str().unwrap_or_default();
        if row["type"] == "RESTORE" || row["verdict"] == "VALID" {
            records.extend(list::item(&look.cloud, id).await?);
        }
    }
    Ok(records)
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

/// A restore that brought the database back under whatever name; one that failed measured nothing, and neither did one whose
/// database was to have its name back and has not.
fn restore(record: &Value) -> Option<RestoreSeen> {
    let came_back = matches!(record["status"].as_str(), Some("SUCCEEDED" | "PARTIAL"));
    let timings: RestoreTimings = serde_json::from_value(record["restore"]["timings"].clone()).ok()?;
    let Ok(Request::Restore(request)) = Request::read(Kind::Restore, record["request"].as_str()?) else {
        return None;
    };
    let in_place_at = match &request.swap {
        None => None,
        Some(_) => Some(in_place_since(record)?),
    };
    Some(RestoreSeen { started_at: time(&record["startedAt"])?, timings, in_place_at }).filter(|_| came_back)
}

fn validation(record: &Value) -> Option<ValidationSeen> {
    let is_valid = record["verdict"] == "VALID";
    let restore_seconds = record["validation"]["restoreSeconds"].as_f64();
    Some(ValidationSeen { validated_at: left(record, Phase::Validating)?, restore_seconds })
        .filter(|_| is_valid)
}

#[cfg(test)]
mod tests {
    use holdfast_core::ids::Region;
    use holdfast_core::request::RestoreRequest;
    use serde_json::json;

    use super::*;

    fn at(time: &str) -> Timestamp {
        format!("2026-11-20T{time}Z").parse().unwrap()
    }

    /// A record as the table has it, with these checkpoints.
    fn record(checkpoints: &[(&str, &str)], more: &Value) -> Value {
        let checkpoint = |(name, time): &(&str, &str)| json!({"name": name, "time": at(time), "detail": ""});
        let checkpoints: Vec<Value> = checkpoints.iter().map(checkpoint).collect();
        let mut record =
            json!({"startedAt": at("06:00:00"), "endedAt": at("12:00:00"), "checkpoints": checkpoints});
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record
    }

    fn request(more: &Value) -> String {
        let mut input = json!({"databaseId": "prod-db", "runId": "r1"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let request = RestoreRequest::parse(&input, "r1", &Region::parse("us-east-1").unwrap()).unwrap();
        serde_json::to_string(&request).unwrap()
    }

    fn restored(status: &str, asked: &Value, swap: &Value) -> Option<RestoreSeen> {
        let checkpoints = [
            ("PLANNING", "06:00:00"),
            ("RESTORING", "06:00:09"),
            ("VALIDATING", "06:06:00"),
            ("SWAPPING", "07:00:00"),
            ("TAKEN_OVER", "07:05:00"),
            ("CLEANING_UP", "07:10:00"),
            (status, "07:10:30"),
        ];
        let timings =
            json!({"requestedAt": at("06:00:10"), "availableSeconds": 300.0, "settledSeconds": 320.5});
        restore(&record(
            &checkpoints,
            &json!({"status": status, "request": request(asked), "restore": {"timings": timings}, "swap": swap}),
        ))
    }

    #[test]
    fn only_what_came_back_was_measured() {
        let came = restored("PARTIAL", &json!({}), &Value::Null).unwrap();
        assert_eq!((came.timings.settled_seconds, came.in_place_at), (320.5, None));
        assert_eq!(restored("FAILED", &json!({}), &Value::Null), None);
        assert_eq!(restore(&json!({"status": "SUCCEEDED", "startedAt": at("06:00:00")})), None);
    }

    #[test]
    fn a_swap_that_was_asked_for_counts_to_its_end_and_without_it_nothing_came_back() {
        let asked = json!({"swap": true});
        let swapped = json!({"instanceId": "prod-db", "undone": false});
        for status in ["SUCCEEDED", "PARTIAL"] {
            let came = restored(status, &asked, &swapped).unwrap();
            assert_eq!(came.in_place_at, Some(at("07:10:00")), "another execution took over, and went on");
        }
        assert_eq!(restored("PARTIAL", &asked, &Value::Null), None, "it is there beside, and has no place");
        assert_eq!(restored("PARTIAL", &asked, &json!({"instanceId": "prod-db", "undone": true})), None);
    }

    #[test]
    fn a_backup_was_validated_when_its_validation_ended() {
        let checkpoints = [
            ("SNAPSHOTTING", "06:00:00"),
            ("VALIDATING", "06:10:00"),
            ("TAKEN_OVER", "06:20:00"),
            ("REPLICATING", "06:30:00"),
            ("CLEANING_UP", "11:59:00"),
        ];
        let valid = json!({"verdict": "VALID", "validation": {"restoreSeconds": 12.5}});
        let seen = validation(&record(&checkpoints, &valid)).unwrap();
        assert_eq!((seen.validated_at, seen.restore_seconds), (at("06:30:00"), Some(12.5)));
        assert_eq!(validation(&record(&checkpoints, &json!({"verdict": "NOT_RUN"}))), None);
        assert_eq!(validation(&record(&checkpoints[..3], &valid)), None, "it goes on");
    }
}
