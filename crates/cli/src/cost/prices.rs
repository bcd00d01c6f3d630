//! The table of list prices that comes with the command, or another one.

use std::path::PathBuf;

use clap::Args;
use holdfast_core::cost::PriceTable;

use crate::Error;

/// The table that comes with the command.
pub(super) const EMBEDDED: &str = include_str!("../../prices/list-prices.json");

/// What messages call it.
const NAME: &str = "the built-in price table";

/// Which table.
#[derive(Debug, Default, Args)]
pub struct Which {
    /// Another table of prices: a changed copy of what `holdfast cost prices` prints.
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
}

impl Which {
    /// Reads it.
    pub(super) fn load(&self) -> Result<PriceTable, Error> {
        let Some(file) = &self.prices else { return PriceTable::parse(EMBEDDED, NAME).map_err(Error::Usage) };
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| Error::Usage(format!("{name}: {error}")))?;
        PriceTable::parse(&text, &name).map_err(Error::Usage)
    }
}

/// An amount of money, to the cent; more digits where there would be nothing to see.
pub(super) fn money(amount: f64) -> String {
    // The sum of nothing is -0.
    let amount = amount + 0.0;
    if amount != 0.0 && amount.abs() < 0.01 { format!("{amount:.4}") } else { format!("{amount:.2}") }
}

#[cfg(test)]
mod tests {
    use holdfast_core::cost::PriceName;
    use holdfast_core::ids::Region;

    use super::*;

    #[test]
    fn the_table_that_comes_with_the_command_can_be_read_and_has_every_price_of_the_first_region() {
        let table = Which::default().load().unwrap();
        let region = |name: &str| Region::parse(name).unwrap();
        let first = table.region(&region("us-east-1")).unwrap();
        for name in [
            PriceName::SnapshotStorage,
            PriceName::InstanceStorage,
            PriceName::InstanceHour("db.t4g.medium".into()),
            PriceName::Transfer(region("us-west-2")),
            PriceName::Key,
            PriceName::EndpointHour,
            PriceName::FunctionRequests,
            PriceName::FunctionGbSecond,
            PriceName::Transitions,
        ] {
            assert!(first.of(&name).is_some(), "{name}");
        }
        let error = table.region(&region("me-central-1")).unwrap_err();
        assert!(error.contains("the built-in price table has no prices of me-central-1"), "{error}");
    }

    #[test]
    fn a_little_money_is_not_none() {
        assert_eq!(
            (money(0.0), money(0.004), money(12.345)),
            ("0.00".into(), "0.0040".into(), "12.35".into())
        );
    }
}
