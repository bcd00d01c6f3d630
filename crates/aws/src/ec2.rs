//! EC2: security groups and networks that instances of RDS are in.

use std::collections::BTreeMap;

use async_trait::async_trait;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::Filter;
use holdfast_core::Result;
use holdfast_core::ids::Region;
use holdfast_core::ports::Networks;

use crate::classify::classify;
use crate::clients::Clients;
use crate::config::{Aws, configured};

/// Networks of every Region.
#[derive(Debug)]
pub struct Ec2 {
    aws: Aws,
    clients: Clients<Client>,
}

impl Ec2 {
    /// EC2 in every Region.
    pub fn new(aws: &Aws) -> Self {
        Ec2 { aws: aws.clone(), clients: Clients::default() }
    }

    /// EC2 behind given clients, for the tests of this adapter.
    pub fn with_clients(aws: &Aws, clients: impl IntoIterator<Item = (Region, Client)>) -> Self {
        Ec2 { aws: aws.clone(), clients: clients.into_iter().collect() }
    }

    fn client(&self, region: &Region) -> Client {
        self.clients
            .of(region, |region| Client::from_conf(configured!(self.aws, aws_sdk_ec2).region(region).build()))
    }
}

#[async_trait]
impl Networks for Ec2 {
    async fn security_groups(&self, region: &Region, ids: &[String]) -> Result<BTreeMap<String, String>> {
        // A filter, not `GroupIds`: one id that is missing or malformed would fail the call for all of them (EC2 API
        // Reference, DescribeSecurityGroups; "Error codes", `InvalidGroup.NotFound`, `InvalidGroupId.Malformed`).
        let filter = Filter::builder().name("group-id").set_values(Some(ids.to_vec())).build();
        let asked = self.client(region).describe_security_groups().filters(filter);
        let mut pages = asked.into_paginator().items().send();
        let mut found = BTreeMap::new();
        while let Some(group) = pages.next().await {
            let group =
                group.map_err(|error| classify(&format!("DescribeSecurityGroups in {region}"), &error))?;
            if let (Some(id), Some(vpc)) = (group.group_id(), group.vpc_id())
                && ids.iter().any(|asked| asked == id)
            {
                found.insert(id.to_owned(), vpc.to_owned());
            }
        }
        Ok(found)
    }

    async fn default_vpc(&self, region: &Region) -> Result<Option<String>> {
        let filter = Filter::builder().name("is-default").values("true").build();
        let answer = self
            .client(region)
            .describe_vpcs()
            .filters(filter)
            .send()
            .await
            .map_err(|error| classify(&format!("DescribeVpcs in {region}"), &error))?;
        let default = answer.vpcs().iter().find(|vpc| vpc.is_default() == Some(true));
        Ok(default.and_then(|vpc| vpc.vpc_id()).map(str::to_owned))
    }
}
