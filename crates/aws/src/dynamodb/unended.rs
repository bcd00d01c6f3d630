//! The operations of a database that have not ended.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use holdfast_core::Result;
use holdfast_core::ids::{DatabaseId, OperationId};
use holdfast_core::operation::Phase;
use holdfast_core::ports::Unended;

use super::{DATABASE_INDEX, text};
use crate::classify::classify;

pub(super) async fn list(client: &Client, table: &str, database: &DatabaseId) -> Result<Vec<Unended>> {
    let ends: Vec<Phase> = Phase::ALL.into_iter().filter(|phase| phase.is_end()).collect();
    let names: Vec<String> = (0..ends.len()).map(|n| format!(":end{n}")).collect();
    let mut query = client
        .query()
        .table_name(table)
        .index_name(DATABASE_INDEX)
        .key_condition_expression("databaseId = :database")
        .filter_expression(format!("NOT (#status IN ({}))", names.join(", ")))
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":database", AttributeValue::S(database.to_string()));
    for (name, end) in names.iter().zip(ends) {
        query = query.expression_attribute_values(name, AttributeValue::S(end.as_str().to_owned()));
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
