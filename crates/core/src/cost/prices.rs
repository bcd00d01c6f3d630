//! The table of list prices, strict on the way in.

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::ids::Region;

/// The only version of the table that is read.
pub(super) const VERSION: u32 = 1;

/// One list price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Price {
    /// In the table's currency, for one unit of its [`PriceName`].
    pub price: f64,
    /// The day on which the source said so.
    pub as_of: Date,
    /// Which of the table's sources.
    pub source: String,
}

/// What crosses from a Region to another, by GB.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransferPrices {
    /// To a Region that is not named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_others: Option<Price>,
    /// To these Regions.
    #[serde(default, deserialize_with = "no_key_twice")]
    pub to: BTreeMap<String, Price>,
}

/// The prices of one Region. One that is absent is not known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegionPrices {
    /// Backup storage of RDS beyond what is free, by GiB and month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot_storage: Option<Price>,
    /// General purpose SSD of an instance in one zone, by GiB and month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_storage: Option<Price>,
    /// PostgreSQL in one zone, on demand, by class and hour.
    #[serde(default, deserialize_with = "no_key_twice")]
    pub instance_hour: BTreeMap<String, Price>,
    /// Out of this Region into others.
    #[serde(default)]
    pub transfer: TransferPrices,
    /// A customer managed KMS key, by month.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<Price>,
    /// An interface endpoint in one zone, by hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_hour: Option<Price>,
    /// Invocations of functions, by million.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_requests: Option<Price>,
    /// Run time of functions on arm64, by GB-second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_gb_second: Option<Price>,
    /// State transitions of standard workflows, by thousand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transitions: Option<Price>,
}

/// Prices by Region, with where each comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PriceTable {
    /// [`VERSION`].
    pub version: u32,
    /// Three capital letters.
    pub currency: String,
    /// The day on which somebody last looked through all of it.
    pub as_of: Date,
    /// What the prices are, in a sentence.
    pub note: String,
    /// Where prices come from, by the name that they say.
    #[serde(deserialize_with = "no_key_twice")]
    pub sources: BTreeMap<String, String>,
    /// The Regions.
    #[serde(deserialize_with = "no_key_twice")]
    pub regions: BTreeMap<String, RegionPrices>,
    /// The file it was read from, for messages.
    #[serde(skip)]
    pub file: String,
}

/// Which price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceName {
    /// [`RegionPrices::snapshot_storage`].
    SnapshotStorage,
    /// [`RegionPrices::instance_storage`].
    InstanceStorage,
    /// [`RegionPrices::instance_hour`] of this class.
    InstanceHour(String),
    /// [`RegionPrices::transfer`] to this Region.
    Transfer(Region),
    /// [`RegionPrices::key`].
    Key,
    /// [`RegionPrices::endpoint_hour`].
    EndpointHour,
    /// [`RegionPrices::function_requests`].
    FunctionRequests,
    /// [`RegionPrices::function_gb_second`].
    FunctionGbSecond,
    /// [`RegionPrices::transitions`].
    Transitions,
}

impl fmt::Display for PriceName {
    /// As the file has it: `instanceHour.db.t4g.medium`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PriceName::SnapshotStorage => f.write_str("snapshotStorage"),
            PriceName::InstanceStorage => f.write_str("instanceStorage"),
            PriceName::InstanceHour(class) => write!(f, "instanceHour.{class}"),
            PriceName::Transfer(to) => write!(f, "transfer.to.{to}"),
            PriceName::Key => f.write_str("key"),
            PriceName::EndpointHour => f.write_str("endpointHour"),
            PriceName::FunctionRequests => f.write_str("functionRequests"),
            PriceName::FunctionGbSecond => f.write_str("functionGbSecond"),
            PriceName::Transitions => f.write_str("transitions"),
        }
    }
}

impl PriceName {
    /// For how many of what is counted the price is.
    pub fn per(&self) -> f64 {
        match self {
            PriceName::FunctionRequests => 1_000_000.0,
            PriceName::Transitions => 1_000.0,
            PriceName::SnapshotStorage
            | PriceName::InstanceStorage
            | PriceName::InstanceHour(_)
            | PriceName::Transfer(_)
            | PriceName::Key
            | PriceName::EndpointHour
            | PriceName::FunctionGbSecond => 1.0,
        }
    }
}

impl RegionPrices {
    /// A price, or `None` when it is not known.
    pub fn of(&self, name: &PriceName) -> Option<&Price> {
        match name {
            PriceName::SnapshotStorage => self.snapshot_storage.as_ref(),
            PriceName::InstanceStorage => self.instance_storage.as_ref(),
            PriceName::InstanceHour(class) => self.instance_hour.get(class),
            PriceName::Transfer(to) => self.transfer.to.get(to.as_str()).or(self.transfer.to_others.as_ref()),
            PriceName::Key => self.key.as_ref(),
            PriceName::EndpointHour => self.endpoint_hour.as_ref(),
            PriceName::FunctionRequests => self.function_requests.as_ref(),
            PriceName::FunctionGbSecond => self.function_gb_second.as_ref(),
            PriceName::Transitions => self.transitions.as_ref(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Price> {
        [
            &self.snapshot_storage,
            &self.instance_storage,
            &self.transfer.to_others,
            &self.key,
            &self.endpoint_hour,
            &self.function_requests,
            &self.function_gb_second,
            &self.transitions,
        ]
        .into_iter()
        .flatten()
        .chain(self.instance_hour.values())
        .chain(self.transfer.to.values())
    }
}

impl PriceTable {
    /// Reads a table; `file` is what messages call it.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong with it: what is no JSON, says what nobody knows, or says it twice;
    /// a price that is negative or of no source.
    pub fn parse(text: &str, file: &str) -> Result<PriceTable, String> {
        let mut table: PriceTable = serde_json::from_str(text).map_err(|error| format!("{file}: {error}"))?;
        table.file = file.to_owned();
        let wrong = |why: String| Err(format!("{file}: {why}"));
        if table.version != VERSION {
            return wrong(format!("version: it is {}, not {VERSION}", table.version));
        }
        let currency = &table.currency;
        if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return wrong(format!("currency: {currency:?} is not three capital letters"));
        }
        for (name, prices) in &table.regions {
            if Region::parse(name).is_err() || prices.transfer.to.keys().any(|to| Region::parse(to).is_err())
            {
                return wrong(format!("regions.{name}: there is a name that is not a Region code"));
            }
            for Price { price, source, .. } in prices.all() {
                if !price.is_finite() || *price < 0.0 {
                    return wrong(format!("regions.{name}: {price} is not a price"));
                }
                if !table.sources.contains_key(source) {
                    return wrong(format!("regions.{name}: {source:?} is not one of the sources"));
                }
            }
        }
        Ok(table)
    }

    /// The prices of a Region.
    ///
    /// # Errors
    /// A sentence that names the Region and the file: never another Region's prices.
    pub fn region(&self, region: &Region) -> Result<&RegionPrices, String> {
        self.regions.get(region.as_str()).ok_or_else(|| {
            format!(
                "{} has no prices of {region}: add them to a copy of it and name that with --prices",
                self.file
            )
        })
    }
}

/// Reads a mapping; a key that is there twice is an error.
fn no_key_twice<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    struct Keys<T>(std::marker::PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Keys<T> {
        type Value = BTreeMap<String, T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a mapping")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut all = BTreeMap::new();
            while let Some((key, value)) = entries.next_entry::<String, T>()? {
                if all.contains_key(&key) {
                    return Err(A::Error::custom(format!("{key} is there twice")));
                }
                all.insert(key, value);
            }
            Ok(all)
        }
    }
    from.deserialize_map(Keys(std::marker::PhantomData))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(regions: &str) -> Result<PriceTable, String> {
        let text = format!(
            r#"{{"version": 1, "currency": "USD", "asOf": "2026-11-22", "note": "n", "sources": {{"s": "t"}},
                "regions": {regions}}}"#
        );
        PriceTable::parse(&text, "prices.json")
    }

    fn region(name: &str) -> Region {
        Region::parse(name).unwrap()
    }

    #[test]
    fn a_price_that_is_not_there_is_not_known_and_a_region_is_never_another_one() {
        let price = r#"{"price": 0.095, "asOf": "2026-10-01", "source": "s"}"#;
        let cheap = r#"{"price": 0.01, "asOf": "2026-10-01", "source": "s"}"#;
        let read = table(&format!(
            r#"{{"us-east-1": {{"snapshotStorage": {price}, "transfer": {{"toOthers": {price}, "to": {{"us-east-2": {cheap}}}}}}}}}"#
        ))
        .unwrap();
        let east = read.region(&region("us-east-1")).unwrap();
        let of = |name: PriceName| east.of(&name).map(|price| price.price);
        assert_eq!(of(PriceName::SnapshotStorage), Some(0.095));
        assert_eq!(of(PriceName::Key), None);
        assert_eq!(of(PriceName::InstanceHour("db.t4g.medium".into())), None);
        assert_eq!(of(PriceName::Transfer(region("us-east-2"))), Some(0.01));
        assert_eq!(of(PriceName::Transfer(region("eu-west-1"))), Some(0.095));
        let missing = read.region(&region("me-central-1")).unwrap_err();
        assert!(
            missing.contains("prices.json has no prices of me-central-1") && missing.contains("--prices"),
            "{missing}"
        );
    }

    #[test]
    fn what_nobody_can_mean_is_refused_by_name() {
        let one = |field: &str| table(&format!(r#"{{"us-east-1": {{{field}}}}}"#)).unwrap_err();
        for (field, named) in [
            (r#""snapshots": 1"#, "snapshots"),
            (r#""key": {"price": -1, "asOf": "2026-10-01", "source": "s"}"#, "us-east-1: -1 is not a price"),
            (
                r#""key": {"price": 1, "asOf": "2026-10-01", "source": "x"}"#,
                "\"x\" is not one of the sources",
            ),
            (r#""key": {"price": 1, "asOf": "yesterday", "source": "s"}"#, "prices.json: "),
            (r#""key": {"price": 1, "source": "s"}"#, "asOf"),
            (r#""key": {"price": "1", "asOf": "2026-10-01", "source": "s"}"#, "invalid type"),
            (r#""key": null, "key": null"#, "duplicate field"),
        ] {
            assert!(one(field).contains(named), "{field}: {}", one(field));
        }
        assert!(
            table(r#"{"us-east-1": {}, "us-east-1": {}}"#).unwrap_err().contains("us-east-1 is there twice")
        );
        assert!(table(r#"{"east": {}}"#).unwrap_err().contains("regions.east"));
        let newer = r#"{"version": 2, "currency": "USD", "asOf": "2026-11-22", "note": "n", "sources": {}, "regions": {}}"#;
        assert!(PriceTable::parse(newer, "p").unwrap_err().contains("it is 2, not 1"));
    }
}
