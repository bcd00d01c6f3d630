//! What AWS says of the databases of a plan: how large they are, and how long their proofs took.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use holdfast_core::ids::DatabaseId;
use holdfast_core::tags;
use holdfast_protection::{Entry, Selector};
use serde_json::Value;

use super::plan::Told;
use crate::Error;
use crate::cloud::{self, Cloud};
use crate::deployed::Table;
use crate::ops::list;

/// What is called, for messages; they say what to do without.
const ASKED: &str = "DescribeDBInstances (with --size-gib nobody is asked)";
/// Newest operations of a database that are looked through.
const OPERATIONS: usize = 50;
/// Newest proofs that the average is made of.
const PROOFS: usize = 5;

/// An instance, as RDS lists it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sized {
    /// Allocated storage, GiB.
    pub gib: Option<f64>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What was asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Asked {
    /// The instances that can be backed up by themselves.
    pub sizes: BTreeMap<DatabaseId, Sized>,
    /// Hours of a proof, and where that is from.
    pub hours: BTreeMap<DatabaseId, (f64, String)>,
}

impl Asked {
    /// The databases that carry all of these.
    pub fn tagged<'a>(
        &'a self,
        wanted: &'a BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a DatabaseId> {
        let carries = move |one: &&Sized| {
            wanted.iter().all(|(key, value)| one.tags.get(key).is_some_and(|has| has == value))
        };
        self.sizes.iter().filter(move |(_, one)| carries(one)).map(|(id, _)| id)
    }
}

/// Asks RDS and the state table.
///
/// # Errors
/// `Aws` when RDS cannot be asked; it says what to do without.
pub(super) async fn ask(entries: &[Entry], told: &Told, table: Table) -> Result<Asked, Error> {
    let config = cloud::configuration().await;
    let region = aws_config::Region::new(told.home.as_str().to_owned());
    let config = config.to_builder().region(region).build();
    let mut asked = Asked { sizes: instances(&config).await?, hours: BTreeMap::new() };
    if told.hours.is_some() {
        return Ok(asked);
    }
    let cloud = Cloud::new(&config, table.name().await?);
    let named = entries.iter().filter_map(|entry| match &entry.selector {
        Selector::Id(id) => Some(id),
        Selector::Tags(_) => None,
    });
    let tagged = entries.iter().flat_map(|entry| match &entry.selector {
        Selector::Id(_) => vec![],
        Selector::Tags(tags) => asked.tagged(tags).collect(),
    });
    let all: Vec<DatabaseId> = named.chain(tagged).cloned().collect();
    for id in all {
        let hours = match measured(&cloud, &id).await {
            Ok(Some(hours)) => hours,
            Ok(None) => continue,
            // An assumption holds instead, and says why.
            Err(error) => {
                (super::plan::USUAL_HOURS, format!("assumed; the state table says nothing: {error}"))
            }
        };
        asked.hours.insert(id, hours);
    }
    Ok(asked)
}

async fn instances(config: &SdkConfig) -> Result<BTreeMap<DatabaseId, Sized>, Error> {
    let client = aws_sdk_rds::Client::new(config);
    let mut items = client.describe_db_instances().into_paginator().items().send();
    let mut found = BTreeMap::new();
    while let Some(instance) = items.next().await {
        let instance = instance.map_err(|error| Error::aws(ASKED, &error))?;
        let Ok(id) = DatabaseId::parse(instance.db_instance_identifier().unwrap_or_default()) else {
            continue;
        };
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let tags: BTreeMap<String, String> =
            instance.tag_list().iter().map(|tag| (text(tag.key()), text(tag.value()))).collect();
        if instance.db_cluster_identifier().is_none() && !tags.contains_key(tags::TEMPORARY) {
            let gib = instance.allocated_storage().filter(|size| *size > 0).map(f64::from);
            found.insert(id, Sized { gib, tags });
        }
    }
    Ok(found)
}

/// The average of the newest proofs: from the restore to the verdict and the deletion.
async fn measured(cloud: &Cloud, id: &DatabaseId) -> Result<Option<(f64, String)>, Error> {
    let mut seconds = Vec::new();
    for row in list::of_database(cloud, id.as_str(), OPERATIONS).await? {
        if row["type"] == "BACKUP" && row["verdict"] == "VALID" {
            let item = list::item(cloud, row["operationId"].as_str().unwrap_or_default()).await?;
            seconds.extend(item.as_ref().and_then(validating));
        }
        if seconds.len() == PROOFS {
            break;
        }
    }
    if seconds.is_empty() {
        return Ok(None);
    }
    let hours = seconds.iter().sum::<f64>() / seconds.len() as f64 / 3600.0;
    Ok(Some((hours, format!("average of the newest {}", seconds.len()))))
}

/// Seconds that a record says it was validating.
fn validating(item: &Value) -> Option<f64> {
    let phases = item["timings"]["phases"].as_array()?;
    phases.iter().find(|phase| phase["name"] == "VALIDATING")?["seconds"].as_f64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_proof_took_as_long_as_its_record_says() {
        let record = json!({"timings": {"phases": [
            {"name": "SNAPSHOTTING", "seconds": 60.0}, {"name": "VALIDATING", "seconds": 1800.0}]}});
        assert_eq!(validating(&record), Some(1800.0));
        assert_eq!(validating(&json!({})), None);
    }

    #[test]
    fn tags_mean_those_that_carry_all_of_them() {
        let pairs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let id = |name: &str| DatabaseId::parse(name).unwrap();
        let one = |tags: &[(&str, &str)]| Sized { gib: Some(20.0), tags: pairs(tags) };
        let sizes = BTreeMap::from([
            (id("both"), one(&[("a", "1"), ("b", "2"), ("c", "3")])),
            (id("half"), one(&[("a", "1"), ("b", "3")])),
        ]);
        let asked = Asked { sizes, hours: BTreeMap::new() };
        let wanted = pairs(&[("a", "1"), ("b", "2")]);
        assert_eq!(asked.tagged(&wanted).collect::<Vec<_>>(), [&id("both")]);
    }
}
