//! The metadata bucket: reports, validations and manifests as JSON documents.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use holdfast_core::ids::Region;
use holdfast_core::ports::Documents;
use holdfast_core::rds::Creation;
use holdfast_core::{Error, ErrorKind, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::classify::{classify, code, message};
use crate::config::{Aws, configured};

/// JSON documents in one bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    /// Documents in the bucket `name` of this Region.
    pub fn new(aws: &Aws, name: String) -> Self {
        Bucket::in_region(aws, aws.region(), name)
    }

    /// Documents in the bucket `name` of another Region.
    pub fn in_region(aws: &Aws, region: &Region, name: String) -> Self {
        let config = configured!(aws, aws_sdk_s3)
            .region(aws_config::Region::new(region.as_str().to_owned()))
            // The local cloud has no bucket host names; AWS accepts both forms.
            .force_path_style(aws.config.endpoint_url().is_some())
            .build();
        Bucket { client: Client::from_conf(config), name }
    }

    /// A bucket behind a given client, for the tests of this adapter.
    pub fn with_client(client: Client, name: String) -> Self {
        Bucket { client, name }
    }

    /// The bucket's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn put_object(&self, key: &str, document: &impl Serialize) -> Result<PutObjectFluentBuilder> {
        let body = serde_json::to_vec(document)
            .map_err(|error| Error::new(ErrorKind::Internal, format!("document {key}: {error}")))?;
        let put = self.client.put_object().bucket(&self.name).key(key);
        Ok(put.content_type("application/json").body(ByteStream::from(body)))
    }
}

#[async_trait]
impl Documents for Bucket {
    async fn create<T: Serialize + Sync>(&self, key: &str, document: &T) -> Result<Creation<()>> {
        let action = format!("PutObject s3://{}/{key}", self.name);
        match self.put_object(key, document)?.if_none_match("*").send().await {
            Ok(_) => Ok(Creation::Created(())),
            Err(error) if code(&error) == Some("PreconditionFailed") => Ok(Creation::AlreadyThere),
            // Somebody else writes it at this moment: the next attempt sees what came of it.
            Err(error) if code(&error) == Some("ConditionalRequestConflict") => {
                Err(Error::new(ErrorKind::OutcomeUnknown, format!("{action}: {}", message(&error))))
            }
            Err(error) => Err(classify(&action, &error)),
        }
    }

    async fn put<T: Serialize + Sync>(&self, key: &str, document: &T) -> Result<()> {
        let action = format!("PutObject s3://{}/{key}", self.name);
        self.put_object(key, document)?.send().await.map_err(|error| classify(&action, &error))?;
        Ok(())
    }

    async fn put_page(&self, key: &str, html: &str) -> Result<()> {
        let action = format!("PutObject s3://{}/{key}", self.name);
        let put =
            self.client.put_object().bucket(&self.name).key(key).content_type("text/html; charset=utf-8");
        let body = ByteStream::from(html.as_bytes().to_vec());
        put.body(body).send().await.map_err(|error| classify(&action, &error))?;
        Ok(())
    }

    async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let action = format!("GetObject s3://{}/{key}", self.name);
        let answer = match self.client.get_object().bucket(&self.name).key(key).send().await {
            Ok(answer) => answer,
            Err(error) if code(&error) == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(classify(&action, &error)),
        };
        let body = answer
            .body
            .collect()
            .await
            .map_err(|error| Error::new(ErrorKind::OutcomeUnknown, format!("{action}: {error}")))?;
        serde_json::from_slice(&body.into_bytes())
            .map(Some)
            .map_err(|error| Error::new(ErrorKind::UnreadableRecord, format!("{action}: {error}")))
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>> {
        let action = format!("ListObjectsV2 s3://{}/{prefix}", self.name);
        let list = self.client.list_objects_v2().bucket(&self.name).prefix(prefix);
        let mut pages = list.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| classify(&action, &error))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
        }
        Ok(keys)
    }
}
