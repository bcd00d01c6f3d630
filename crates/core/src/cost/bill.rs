//! What one instance or one snapshot costs a month by the table, as far as it says, and how that was made.

use super::estimate::HOURS_PER_MONTH;
use super::orphans::InstanceSeen;
use super::prices::{PriceName, PriceTable};
use crate::ids::Region;
use crate::rds::Snapshot;

/// Hours and storage of an instance.
pub(super) fn instance(prices: &PriceTable, region: &Region, seen: &InstanceSeen) -> (Option<f64>, String) {
    let InstanceSeen { instance, allocated_gib, multi_az } = seen;
    if instance.engine != "postgres" || *multi_az == Some(true) {
        return (None, "not known: the table has prices of PostgreSQL in one zone".to_owned());
    }
    let (Some(size), Some(false)) = (allocated_gib, multi_az) else {
        return (None, "not known: the instance could not be described".to_owned());
    };
    let storage = match price(prices, region, &PriceName::InstanceStorage) {
        Ok(price) => price * f64::from(*size),
        Err(why) => return (None, why),
    };
    if instance.status == "stopped" {
        // Amazon RDS User Guide, "Stopping an Amazon RDS DB instance temporarily".
        return (
            Some(storage),
            format!("{size} GiB of storage; it is stopped, and RDS starts it after seven days"),
        );
    }
    match price(prices, region, &PriceName::InstanceHour(instance.class.clone())) {
        Ok(hour) => {
            let class = &instance.class;
            (Some(storage + hour * HOURS_PER_MONTH), format!("730 h of {class} and {size} GiB of storage"))
        }
        Err(why) => (None, why),
    }
}

/// At most: the blocks of a snapshot may be shared with another one.
pub(super) fn snapshot(prices: &PriceTable, region: &Region, snapshot: &Snapshot) -> (Option<f64>, String) {
    let size = snapshot.size_gib;
    if size == 0 {
        return (None, "not known: RDS does not say how large it is".to_owned());
    }
    match price(prices, region, &PriceName::SnapshotStorage) {
        Ok(price) => {
            let from = format!("at most: {size} GiB, as if nothing in it were shared with another snapshot");
            (Some(price * f64::from(size)), from)
        }
        Err(why) => (None, why),
    }
}

fn price(prices: &PriceTable, region: &Region, name: &PriceName) -> Result<f64, String> {
    let there = prices.region(region).map_err(|why| format!("not known: {why}"))?;
    let missing = || format!("not known: {} has no price {name} of {region}", prices.file);
    there.of(name).map(|price| price.price).ok_or_else(missing)
}
