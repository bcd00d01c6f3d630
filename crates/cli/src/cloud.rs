//! The clients, from the environment: credentials, Region and `AWS_ENDPOINT_URL` as every AWS tool reads them.

use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_smithy_http_client::{Builder, tls};

/// The state table when `DR_STATE_TABLE_NAME` does not name another.
pub const DEFAULT_TABLE: &str = "DisasterRecoveryState";

/// What the environment and the profile say.
pub async fn configuration() -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(
            Builder::new()
                .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
                .build_https(),
        )
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(5))
                .operation_attempt_timeout(Duration::from_secs(20))
                .operation_timeout(Duration::from_secs(60))
                .build(),
        )
        .load()
        .await
}

/// What a verb needs to talk to the account.
#[derive(Debug, Clone)]
pub struct Cloud {
    /// Step Functions: where backups run.
    pub sfn: aws_sdk_sfn::Client,
    /// DynamoDB: where records are.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// Lambda: what decides which backups are kept.
    pub lambda: aws_sdk_lambda::Client,
    /// S3: where reports are.
    pub s3: aws_sdk_s3::Client,
    /// The state table's name.
    pub table: String,
}

impl Cloud {
    /// Clients for what the environment says.
    pub async fn from_env(table: String) -> Self {
        Self::new(&configuration().await, table)
    }

    /// Clients from a configuration made elsewhere.
    pub fn new(config: &SdkConfig, table: String) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(config)
            // A cloud behind an endpoint of its own has no bucket host names; AWS accepts both forms.
            .force_path_style(config.endpoint_url().is_some())
            .build();
        // A function may take its 15 minutes, and is not asked again while it does.
        let lambda = aws_sdk_lambda::config::Builder::from(config)
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .operation_attempt_timeout(Duration::from_secs(930))
                    .operation_timeout(Duration::from_secs(930))
                    .build(),
            )
            .retry_config(RetryConfig::disabled())
            .build();
        Self {
            lambda: aws_sdk_lambda::Client::from_conf(lambda),
            sfn: aws_sdk_sfn::Client::new(config),
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            table,
        }
    }
}
