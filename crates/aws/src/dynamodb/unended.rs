//! The operations of a database that have not ended.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use holdfast_core::Result;
use holdfast_core::ids::{DatabaseId, OperationId};
use holdfast_core::operation::Phase;
use holdfast_core::ports::Unended;

use super::{DATABASE_INDEX, text};
use crate::classify::classify;

/// The words of the end states.
const ENDS: [Phase; 3] = [Phase::Succeeded, Phase::Partial, Phase::Failed];

pub(super) async fn list(client: &Client, table: &str, database: &DatabaseId) -> Result<Vec<Unended>> {
    let mut query = client
        .query()
        .table_name(table)
        .index_name(DATABASE_INDEX)
        .key_condition_expression("databaseId = :database")
        .filter_expression("NOT (#status IN (:end0, :end1, :end2))")
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":database", AttributeValue::S(database.to_string()));
    for (n, end) in ENDS.iter().enumerate() {
        query =
            query.expression_attribute_values(format!(":end{n}"), AttributeValue::S(end.as_str().to_owned()));
    }
    let mut items = query.into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(item) = items.next().await {
        let item =
            item.map_err(|error| classify(&format!("Query {DATABASE_INDEX} for {database}"), &error))?;
        found.push(Unended {
            id: OperationId::parse(text(&item, "operationId")?)?,
            kind: text(&item, "type")?.to_owned(),
            phase: text(&item, "status")?.to_owned(),
        });
    }
    Ok(found)
}
