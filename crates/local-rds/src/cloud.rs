//! Clients of the local cloud, as its root.

use std::sync::LazyLock;

use aws_credential_types::Credentials;
use aws_smithy_types::timeout::TimeoutConfig;

/// The access key that may do everything in the local cloud.
pub(crate) const ROOT_KEY: &str = "test";

pub(crate) fn credentials() -> Credentials {
    Credentials::new(ROOT_KEY, ROOT_KEY, None, None, "local root")
}

/// The cloud is on this machine and speaks plain HTTP: no TLS is built in.
pub(crate) fn http_client() -> aws_smithy_runtime_api::client::http::SharedHttpClient {
    static CLIENT: LazyLock<aws_smithy_runtime_api::client::http::SharedHttpClient> =
        LazyLock::new(|| aws_smithy_http_client::Builder::new().build_http());
    CLIENT.clone()
}

pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(std::time::Duration::from_secs(3))
        .operation_timeout(std::time::Duration::from_secs(15))
        .build()
}

/// A client's configuration: the services' builders share their methods, not a type.
macro_rules! client {
    ($sdk:ident, $endpoint:expr, $region:expr) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .region($sdk::config::Region::new($region.to_owned()))
                .endpoint_url($endpoint)
                .credentials_provider($crate::cloud::credentials())
                .http_client($crate::cloud::http_client())
                .timeout_config($crate::cloud::timeouts())
                .build(),
        )
    };
}
pub(crate) use client;
