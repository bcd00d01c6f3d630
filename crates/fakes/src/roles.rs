//! IAM in memory: roles and the services that may take them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_core::Result;
use holdfast_core::ports::Roles;

use crate::locked;
use crate::trouble::{Call, Troubles};

/// Roles of the account.
#[derive(Debug, Default)]
pub struct FakeRoles {
    /// What goes wrong.
    pub troubles: Troubles,
    /// By ARN.
    roles: Mutex<BTreeMap<String, Vec<String>>>,
}

impl FakeRoles {
    /// A role that a service may take.
    pub fn add(&self, arn: &str, service: &str) {
        locked(&self.roles).entry(arn.to_owned()).or_default().push(service.to_owned());
    }
}

#[async_trait]
impl Roles for FakeRoles {
    async fn trusted_services(&self, arn: &str) -> Result<Option<Vec<String>>> {
        let struck = self.troubles.strike(Call::TrustedServices, arn)?;
        struck.answer(locked(&self.roles).get(arn).cloned())
    }
}
