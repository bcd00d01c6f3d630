//! Route 53: the CNAME that clients know a database by.

use async_trait::async_trait;
use aws_sdk_route53::Client;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
use holdfast_core::ports::{Dns, FoundRecord};
use holdfast_core::{Error, ErrorKind, Result};

use crate::classify::{classify, code};
use crate::config::{Aws, configured};

/// The service is one for all Regions, and signs for this one (AWS General Reference, "Amazon Route 53 endpoints").
const SIGNING_REGION: &str = "us-east-1";

/// Hosted zones of this account.
#[derive(Debug, Clone)]
pub struct Route53 {
    client: Client,
}

impl Route53 {
    /// The zones that the configuration's credentials reach.
    pub fn new(aws: &Aws) -> Self {
        let config =
            configured!(aws, aws_sdk_route53).region(aws_config::Region::new(SIGNING_REGION)).build();
        Route53 { client: Client::from_conf(config) }
    }

    /// Zones behind a given client, for the tests of this adapter.
    pub fn with_client(client: Client) -> Self {
        Route53 { client }
    }
}

#[async_trait]
impl Dns for Route53 {
    async fn record(&self, zone: &str, name: &str) -> Result<FoundRecord> {
        // The list begins with the first record whose name is not before this one.
        let asked = self
            .client
            .list_resource_record_sets()
            .hosted_zone_id(zone)
            .start_record_name(name)
            .max_items(10)
            .send()
            .await;
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) if matches!(code(&error), Some("NoSuchHostedZone" | "InvalidInput")) => {
                return Ok(FoundRecord::NoZone);
            }
            Err(error) => return Err(classify(&format!("ListResourceRecordSets {zone} {name}"), &error)),
        };
        let mut of_name =
            answer.resource_record_sets().iter().filter(|set| without_dot(set.name()) == name).peekable();
        let Some(set) = of_name.next() else { return Ok(FoundRecord::Missing) };
        let kind = set.r#type().as_str();
        if of_name.peek().is_some() {
            return Ok(FoundRecord::Other(format!("{kind} among others")));
        }
        match (set.r#type(), set.resource_records(), set.set_identifier(), set.ttl()) {
            (RrType::Cname, [one], None, Some(ttl)) => {
                Ok(FoundRecord::Cname { ttl, value: without_dot(one.value()) })
            }
            (RrType::Cname, ..) => {
                Ok(FoundRecord::Other("CNAME with a routing policy or an alias".to_owned()))
            }
            _ => Ok(FoundRecord::Other(kind.to_owned())),
        }
    }

    async fn point(&self, zone: &str, name: &str, ttl: i64, value: &str) -> Result<()> {
        let action = format!("ChangeResourceRecordSets {zone} {name}");
        let built = |error: aws_smithy_types::error::operation::BuildError| {
            Error::new(ErrorKind::Internal, format!("{action}: {error}"))
        };
        let record = ResourceRecord::builder().value(value).build().map_err(built)?;
        let set = ResourceRecordSet::builder().name(name).r#type(RrType::Cname).ttl(ttl);
        let set = set.resource_records(record).build().map_err(built)?;
        let change = Change::builder().action(ChangeAction::Upsert).resource_record_set(set);
        let batch = ChangeBatch::builder().changes(change.build().map_err(built)?).comment("holdfast: swap");
        self.client
            .change_resource_record_sets()
            .hosted_zone_id(zone)
            .change_batch(batch.build().map_err(built)?)
            .send()
            .await
            .map_err(|error| match code(&error) {
                // Another change of the zone is under way (Route 53 API Reference, `ChangeResourceRecordSets`).
                Some("PriorRequestNotComplete") => {
                    Error::new(ErrorKind::Throttled, format!("{action}: {error}"))
                }
                _ => classify(&action, &error),
            })?;
        Ok(())
    }
}

fn without_dot(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}
