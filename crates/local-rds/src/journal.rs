//! What was called: for tests that count calls and look for who did what. Never a secret.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;

use serde::Serialize;

use crate::lock;

const KEPT: usize = 20_000;

/// One call.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallRecord {
    /// When it came, RFC 3339.
    pub time: String,
    /// The action.
    pub action: String,
    /// The Region of its credential scope.
    pub region: String,
    /// The identifier it is about.
    pub resource: String,
    /// Who called: `root`, an assumed role's ARN, or an access key.
    pub principal: String,
    /// The error code it was answered with.
    pub error: Option<String>,
    /// How it was answered when a fault was ordered.
    pub fault: Option<String>,
}

/// All calls since the start.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Calls {
    /// Action, then Region, then how many.
    pub counts: BTreeMap<String, BTreeMap<String, u64>>,
    /// The recent ones, oldest first.
    pub recent: VecDeque<CallRecord>,
}

/// Where calls are written down.
#[derive(Debug, Default)]
pub(crate) struct Journal(Mutex<Calls>);

impl Journal {
    pub(crate) fn write(&self, record: CallRecord) {
        let mut calls = lock(&self.0);
        let by_region = calls.counts.entry(record.action.clone()).or_default();
        *by_region.entry(record.region.clone()).or_default() += 1;
        calls.recent.push_back(record);
        if calls.recent.len() > KEPT {
            calls.recent.pop_front();
        }
    }

    /// The calls, those about resources that match when a glob is given.
    pub(crate) fn read(&self, resource: Option<&str>) -> Calls {
        let calls = lock(&self.0).clone();
        let Some(pattern) = resource else { return calls };
        let mut shown = Calls::default();
        for record in calls.recent {
            if crate::names::glob(pattern, &record.resource) {
                let by_region = shown.counts.entry(record.action.clone()).or_default();
                *by_region.entry(record.region.clone()).or_default() += 1;
                shown.recent.push_back(record);
            }
        }
        shown
    }
}
