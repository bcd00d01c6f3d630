//! The metadata bucket: reports, validations and manifests as JSON documents.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use holdfast_core::ports::Documents;
use holdfast_core::{Error, ErrorKind, Result};
use serde_json::Value;

use crate::classify::{classify, code};
use crate::config::Aws;

/// JSON documents in one bucket.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Client,
    name: String,
}

impl Bucket {
    /// Documents in the bucket `name`.
    pub fn new(aws: &Aws, name: String) -> Self {
        let config = aws_sdk_s3::config::Builder::from(&aws.config)
            // The local cloud has no bucket host names; AWS accepts both forms.
            .force_path_style(aws.config.endpoint_url().is_some())
            .interceptor(aws.calls.clone())
            .build();
        Bucket { client: Client::from_conf(config), name }
    }

    /// The bucket's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[async_trait]
impl Documents for Bucket {
    async fn put(&self, key: &str, document: &Value) -> Result<()> {
        let action = format!("PutObject s3://{}/{key}", self.name);
        let body = serde_json::to_vec_pretty(document)
            .map_err(|error| Error::new(ErrorKind::Internal, format!("{action}: {error}")))?;
        self.client
            .put_object()
            .bucket(&self.name)
            .key(key)
            .content_type("application/json")
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| classify(&action, &error))?;
        Ok(())
    }

    async fn get(&self, key: &str) -> Result<Option<Value>> {
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
}
