//! What became of it: records, documents, instances, snapshots, and nothing left over.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::MacAlgorithmSpec;
use aws_sdk_rds::types::{DbInstance, DbSnapshot};
use holdfast_core::ids::OperationId;
use serde_json::{Value, json};

use super::{PASSWORD, READER_PASSWORD, World, python};

impl World {
    /// A document of the metadata bucket of a target Region.
    pub async fn document_in(&self, region: &str, key: &str) -> Option<Value> {
        let bucket = self.stack.region(region).await.expect("a target Region").metadata_bucket;
        let answer = self.region(region).s3.get_object().bucket(bucket).key(key).send().await.ok()?;
        let body = answer.body.collect().await.expect("its body").into_bytes();
        Some(serde_json::from_slice(&body).expect("JSON"))
    }

    /// The temporary instances of this test's database in `region`.
    pub async fn temporary_in(&self, region: &str) -> Vec<String> {
        let answer = self.region(region).rds.describe_db_instances().send().await.expect("instances");
        let prefix = format!("hfv-{}-", self.database);
        let ids = answer.db_instances().iter().filter_map(|instance| instance.db_instance_identifier());
        ids.filter(|id| id.starts_with(&prefix)).map(str::to_owned).collect()
    }

    /// The record in the state table, as JSON.
    pub async fn record(&self, operation: &OperationId) -> Option<Value> {
        let answer = self
            .home
            .dynamodb
            .get_item()
            .table_name(&self.table)
            .key("operationId", AttributeValue::S(operation.to_string()))
            .consistent_read(true)
            .send()
            .await
            .expect("the table answers");
        answer.item().map(|item| holdfast_aws::dynamodb::json(&AttributeValue::M(item.clone())))
    }

    /// A document of the metadata bucket.
    pub async fn document(&self, key: &str) -> Option<Value> {
        Some(serde_json::from_str(&self.text(key).await?).expect("JSON"))
    }

    /// An object of the metadata bucket, as text.
    pub async fn text(&self, key: &str) -> Option<String> {
        let answer = self.home.s3.get_object().bucket(&self.bucket).key(key).send().await.ok()?;
        let body = answer.body.collect().await.expect("its body").into_bytes();
        Some(String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    /// How often each document of a folder of the metadata bucket was written: the bucket keeps every version.
    pub async fn writes(&self, folder: &str) -> BTreeMap<String, usize> {
        let answer = self.home.s3.list_object_versions().bucket(&self.bucket).prefix(folder).send().await;
        let mut writes = BTreeMap::new();
        for version in answer.expect("the bucket's versions").versions() {
            *writes.entry(version.key().expect("a key").to_owned()).or_default() += 1;
        }
        writes
    }

    /// Says in the record that another execution drives the operation.
    pub async fn set_owner(&self, operation: &OperationId, owner: &str) {
        self.home
            .dynamodb
            .update_item()
            .table_name(&self.table)
            .key("operationId", AttributeValue::S(operation.to_string()))
            .update_expression("SET #owner = :owner")
            .expression_attribute_names("#owner", "owner")
            .expression_attribute_values(":owner", AttributeValue::S(owner.to_owned()))
            .send()
            .await
            .expect("the record is written");
    }

    /// An instance of the home Region.
    pub async fn instance(&self, id: &str) -> Option<DbInstance> {
        let answer = self.home.rds.describe_db_instances().db_instance_identifier(id).send().await.ok()?;
        answer.db_instances.unwrap_or_default().into_iter().next()
    }

    /// A snapshot in a Region.
    pub async fn snapshot(&self, region: &str, id: &str) -> Option<DbSnapshot> {
        let answer =
            self.region(region).rds.describe_db_snapshots().db_snapshot_identifier(id).send().await.ok()?;
        answer.db_snapshots.unwrap_or_default().into_iter().next()
    }

    /// Asserts what must hold after every ended operation: nothing temporary, one end state, no secret anywhere.
    pub async fn assert_clean(&self, operation: &OperationId) {
        let id = operation.validation_instance_id();
        assert!(self.instance(&id).await.is_none(), "{id} is still there");
        let leftovers = self
            .home
            .rds
            .describe_db_snapshots()
            .db_instance_identifier(&id)
            .send()
            .await
            .map(|answer| answer.db_snapshots.unwrap_or_default())
            .unwrap_or_default();
        assert!(leftovers.is_empty(), "snapshots of {id} are left: {leftovers:?}");
        self.assert_report(operation).await;
        self.assert_no_secret(operation).await;
    }

    /// Asserts that an ended operation has a report as `docs/report.schema.json` describes it, and a page that says the
    /// same.
    async fn assert_report(&self, operation: &OperationId) {
        let record = self.record(operation).await.expect("a record");
        let report = self.document(&operation.report_key()).await.expect("a report");
        assert_eq!(report["status"], record["status"], "{report:#}");
        let schema = include_str!("../../../docs/report.schema.json").parse().expect("JSON");
        let schema = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&schema)
            .expect("a schema");
        let wrong: Vec<String> =
            schema.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        let page = self.text(&operation.report_page_key()).await.expect("a page");
        let recorded =
            report["validation"]["verdict"].as_str().or(report["validationDetails"]["verdict"].as_str());
        let verdict = recorded.unwrap_or("NO VERDICT").replace('_', " ");
        assert!(page.contains(&format!("<h1>{verdict}</h1>")), "{page}");
        assert!(page.contains(operation.as_str()), "{page}");
    }

    async fn assert_no_secret(&self, operation: &OperationId) {
        let derived = self.derived_password(operation).await;
        let record = self.record(operation).await;
        let execution = record.as_ref().and_then(|record| record["owner"].as_str()).map(str::to_owned);
        let mut places = vec![
            ("the record".to_owned(), json!(record).to_string()),
            ("the report".to_owned(), json!(self.document(&operation.report_key()).await).to_string()),
            ("the page".to_owned(), self.text(&operation.report_page_key()).await.unwrap_or_default()),
            (
                "the validation".to_owned(),
                json!(self.document(&operation.validation_key()).await).to_string(),
            ),
            ("the manifest".to_owned(), json!(self.document(&operation.manifest_key()).await).to_string()),
            ("the baseline".to_owned(), json!(self.document(&operation.baseline_key()).await).to_string()),
        ];
        if let Some(execution) = execution {
            let history = self.history(&execution).await;
            assert!(history.contains(operation.as_str()), "the history does not show what went in and out");
            places.push(("the execution's history".to_owned(), history));
        }
        let functions = python("tests/data/function_logs.py", &[]).await;
        assert!(functions.contains(operation.as_str()), "the functions' logs do not speak of {operation}");
        places.push(("the functions' logs".to_owned(), functions));
        let logs = self.stack.settings.dir().join("logs");
        for entry in std::fs::read_dir(&logs).expect("logs").flatten() {
            let text = String::from_utf8_lossy(&std::fs::read(entry.path()).expect("a log")).into_owned();
            places.push((entry.path().display().to_string(), text));
        }
        for (place, text) in places {
            for secret in [PASSWORD, READER_PASSWORD, &derived] {
                assert!(!text.contains(secret), "{place} holds a password");
            }
        }
    }

    /// Every event of an execution with all that went in and out, as text. `Debug` alone leaves just that out.
    pub async fn history(&self, execution: &str) -> String {
        let mut events =
            self.home.sfn.get_execution_history().execution_arn(execution).into_paginator().items().send();
        let mut text = String::new();
        while let Some(event) = events.next().await {
            let event = event.expect("an event");
            let payloads = [
                event.execution_started_event_details().and_then(|details| details.input()),
                event.execution_succeeded_event_details().and_then(|details| details.output()),
                event.execution_failed_event_details().and_then(|details| details.cause()),
                event.state_entered_event_details().and_then(|details| details.input()),
                event.state_exited_event_details().and_then(|details| details.output()),
                event.task_scheduled_event_details().map(|details| details.parameters()),
                event.task_succeeded_event_details().and_then(|details| details.output()),
                event.task_failed_event_details().and_then(|details| details.cause()),
            ];
            let payloads: Vec<&str> = payloads.into_iter().flatten().collect();
            text.push_str(&format!("{event:?} {}\n", payloads.join(" ")));
        }
        text
    }

    async fn derived_password(&self, operation: &OperationId) -> String {
        let key = self.resource("PasswordKey").await;
        let answer = self
            .home
            .kms
            .generate_mac()
            .key_id(key)
            .mac_algorithm(MacAlgorithmSpec::HmacSha256)
            .message(Blob::new(format!("holdfast/master-password/v1/{operation}")))
            .send()
            .await
            .expect("a MAC");
        hex::encode(answer.mac().expect("a MAC").as_ref())
    }
}
