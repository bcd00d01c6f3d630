//! SDK clients for the local cloud, one set per Region.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, timeout::TimeoutConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_http_client::Builder;

use crate::Settings;

/// The account's own key: MiniStack's root, who may do everything.
pub const ACCESS_KEY: &str = "test";
/// Its secret; a word everybody knows, for a cloud that listens on this machine only.
pub const SECRET_KEY: &str = "test";
/// The one account.
pub const ACCOUNT: &str = "000000000000";
/// Where the stack is deployed and databases live.
pub const HOME_REGION: &str = "us-east-1";

/// The clients for one Region.
#[derive(Debug, Clone)]
pub struct Clients {
    /// CloudFormation.
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// EC2: the networks that instances are in.
    pub ec2: aws_sdk_ec2::Client,
    /// KMS.
    pub kms: aws_sdk_kms::Client,
    /// RDS, which `holdfast-local-rds` answers.
    pub rds: aws_sdk_rds::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// Secrets Manager.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// Step Functions.
    pub sfn: aws_sdk_sfn::Client,
}

impl Clients {
    /// Clients of a stack's clouds for one Region, as the root of the account.
    pub fn new(settings: &Settings, region: &str) -> Self {
        let cloud = config(&settings.cloud_endpoint(), region);
        let rds = config(&settings.rds_endpoint(), region);
        Self {
            cloudformation: aws_sdk_cloudformation::Client::new(&cloud),
            dynamodb: aws_sdk_dynamodb::Client::new(&cloud),
            ec2: aws_sdk_ec2::Client::new(&cloud),
            kms: aws_sdk_kms::Client::new(&cloud),
            rds: aws_sdk_rds::Client::new(&rds),
            s3: aws_sdk_s3::Client::from_conf(
                aws_sdk_s3::config::Builder::from(&cloud).force_path_style(true).build(),
            ),
            secrets: aws_sdk_secretsmanager::Client::new(&cloud),
            sfn: aws_sdk_sfn::Client::new(&cloud),
        }
    }
}

/// The SDK configuration for an endpoint on this machine.
pub fn config(endpoint: &str, region: &str) -> SdkConfig {
    let credentials = Credentials::from_keys(ACCESS_KEY, SECRET_KEY, None);
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(Builder::new().build_http())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(Duration::from_secs(3))
                .operation_attempt_timeout(Duration::from_secs(60))
                .operation_timeout(Duration::from_secs(120))
                .build(),
        )
        .build()
}
