//! A user that may read everything and change nothing, and its secret: how a baseline is taken.

use serde_json::json;

use super::{DATABASE, USER_DATABASES, password_of};
use crate::{Error, Result, Stack, clients::Clients, clients::HOME_REGION, http};

/// The user.
pub const READER: &str = "holdfast_reader";

/// Name of its secret; the template lets the function read what begins with `holdfast/`.
const SECRET: &str = "holdfast/prod-db-reader";

/// Makes the user, and keeps its password as RDS would.
pub(super) async fn admit(stack: &Stack, clients: &Clients) -> Result<String> {
    let password = password_of(stack, READER)?;
    // As `rdsadmin`: before PostgreSQL 16 only a superuser lets anybody past row-level security, and rows that the
    // reader does not see would be rows that are not held against anything.
    let sql = format!(
        "create role {READER} login bypassrls password '{password}'; grant pg_read_all_data, pg_monitor to {READER}"
    );
    let order =
        json!({"region": HOME_REGION, "instance": DATABASE, "database": USER_DATABASES[0].0, "sql": sql});
    http::post(stack.settings.rds_port(), "/_local/sql", &order.to_string()).await?;
    keep_secret(clients, SECRET, READER, &password).await
}

/// Keeps user and password as a secret, in the form of RDS; the answer is its ARN.
///
/// # Errors
/// When Secrets Manager refuses it.
pub async fn keep_secret(clients: &Clients, name: &str, user: &str, password: &str) -> Result<String> {
    let text = json!({"engine": "postgres", "username": user, "password": password}).to_string();
    let answer = clients
        .secrets
        .create_secret()
        .name(name)
        .secret_string(text)
        .send()
        .await
        .map_err(|cause| Error::because(format!("keeping the secret {name}"), &cause))?;
    answer.arn.ok_or_else(|| Error::new(format!("the secret {name} has no ARN")))
}

/// The ARN of the secret that is there.
pub(super) async fn secret(clients: &Clients) -> Result<String> {
    let answer = clients
        .secrets
        .describe_secret()
        .secret_id(SECRET)
        .send()
        .await
        .map_err(|cause| Error::because(format!("looking for the secret {SECRET}"), &cause))?;
    answer.arn.ok_or_else(|| Error::new(format!("the secret {SECRET} has no ARN")))
}
