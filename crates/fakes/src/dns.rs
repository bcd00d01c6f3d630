//! Route 53 in memory: zones and what is in them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_core::Result;
use holdfast_core::ports::{Dns, FoundRecord};

use crate::locked;
use crate::trouble::{Call, Troubles};

/// Records by zone and name.
#[derive(Debug, Default)]
pub struct FakeDns {
    /// What goes wrong.
    pub troubles: Troubles,
    records: Mutex<BTreeMap<(String, String), FoundRecord>>,
    changes: Mutex<Vec<String>>,
}

impl FakeDns {
    /// Puts a record there.
    pub fn lay(&self, zone: &str, name: &str, record: FoundRecord) {
        locked(&self.records).insert((zone.to_owned(), name.to_owned()), record);
    }

    /// The values that records were pointed at, in order.
    pub fn changes(&self) -> Vec<String> {
        locked(&self.changes).clone()
    }
}

#[async_trait]
impl Dns for FakeDns {
    async fn record(&self, zone: &str, name: &str) -> Result<FoundRecord> {
        let struck = self.troubles.strike(Call::GetDnsRecord, name)?;
        let records = locked(&self.records);
        let zone_there = records.keys().any(|(there, _)| there == zone);
        let missing = if zone_there { FoundRecord::Missing } else { FoundRecord::NoZone };
        struck.answer(records.get(&(zone.to_owned(), name.to_owned())).cloned().unwrap_or(missing))
    }

    async fn point(&self, zone: &str, name: &str, ttl: i64, value: &str) -> Result<()> {
        let struck = self.troubles.strike(Call::PointDnsRecord, name)?;
        self.lay(zone, name, FoundRecord::Cname { ttl, value: value.to_owned() });
        locked(&self.changes).push(value.to_owned());
        struck.answer(())
    }
}
