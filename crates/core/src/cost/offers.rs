//! Prices as the AWS Price List Query API has them: what to ask for, and which of what it answers is meant.
//!
//! Sources: AWS Billing User Guide, "Using the AWS Price List Query API" (`GetProducts`, its filters, the form of `PriceList`); the
//! usage types are those of bills, with the Region's short name in front of them (`USW2-RDS:ChargedBackupUsage`).

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::collections::BTreeMap;

use super::{Price, PriceName, PriceTable, RegionPrices};
use crate::ids::Region;

/// What the prices of such a table are of.
pub const SOURCE: &str = "aws-price-list";

/// What is asked for one price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Such as `AmazonRDS`.
    pub service: &'static str,
    /// Attributes that products must have, word for word.
    pub filters: Vec<(&'static str, String)>,
    /// What their usage type ends with.
    pub usage: String,
}

/// What to ask for the price `name` of `region`.
pub fn query(region: &Region, name: &PriceName) -> Query {
    let here = ("regionCode", region.to_string());
    let of = |service, more: &[(&'static str, &str)], usage: &str| {
        let more = more.iter().map(|(key, value)| (*key, (*value).to_owned()));
        Query { service, filters: [here.clone()].into_iter().chain(more).collect(), usage: usage.to_owned() }
    };
    match name {
        PriceName::SnapshotStorage => {
            of("AmazonRDS", &[("productFamily", "Storage Snapshot")], "RDS:ChargedBackupUsage")
        }
        PriceName::InstanceStorage => of(
            "AmazonRDS",
            &[("productFamily", "Database Storage"), ("deploymentOption", "Single-AZ")],
            "RDS:GP3-Storage",
        ),
        PriceName::InstanceHour(class) => of(
            "AmazonRDS",
            &[
                ("productFamily", "Database Instance"),
                ("databaseEngine", "PostgreSQL"),
                ("deploymentOption", "Single-AZ"),
                ("instanceType", class),
            ],
            &format!("InstanceUsage:{class}"),
        ),
        PriceName::Transfer(to) => Query {
            service: "AWSDataTransfer",
            filters: vec![
                ("fromRegionCode", region.to_string()),
                ("toRegionCode", to.to_string()),
                ("transferType", "InterRegion Outbound".to_owned()),
            ],
            usage: "AWS-Out-Bytes".to_owned(),
        },
        PriceName::Key => of("awskms", &[], "KMS-Keys"),
        PriceName::EndpointHour => of("AmazonVPC", &[], "VpcEndpoint-Hours"),
        PriceName::FunctionRequests => {
            of("AWSLambda", &[("group", "AWS-Lambda-Requests-ARM")], "Request-ARM")
        }
        PriceName::FunctionGbSecond => {
            of("AWSLambda", &[("group", "AWS-Lambda-Duration-ARM")], "Lambda-GB-Second-ARM")
        }
        PriceName::Transitions => of("AmazonStates", &[], "StateTransition"),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Offer {
    product: Product,
    terms: Terms,
    publication_date: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Product {
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Terms {
    #[serde(rename = "OnDemand", default)]
    on_demand: BTreeMap<String, Term>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Term {
    price_dimensions: BTreeMap<String, Dimension>,
    effective_date: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dimension {
    begin_range: Option<String>,
    price_per_unit: BTreeMap<String, String>,
}

/// The one price that the answers to [`query`] agree on, by the unit of [`PriceName`]: on demand, in USD, of the first tier.
///
/// # Errors
/// A sentence: there is none, or they do not agree, or one cannot be read. A price that is not certain is not taken.
pub fn price(name: &PriceName, query: &Query, answers: &[String], today: Date) -> Result<Price, String> {
    let mut found: Option<(f64, Date)> = None;
    for answer in answers {
        let offer: Offer =
            serde_json::from_str(answer).map_err(|error| format!("an answer cannot be read: {error}"))?;
        let usage = offer.product.attributes.get("usagetype").map(String::as_str).unwrap_or_default();
        if !usage.ends_with(&query.usage) {
            continue;
        }
        for term in offer.terms.on_demand.values() {
            let day = term.effective_date.or(offer.publication_date);
            let day = day.map_or(today, |time| time.to_zoned(TimeZone::UTC).date());
            let Some(amount) = first_tier(term)? else { continue };
            match found {
                Some((other, _)) if (other - amount).abs() > f64::EPSILON => {
                    return Err(format!("{usage}: {other} and {amount} are both said of it"));
                }
                Some((_, known)) => found = Some((amount, known.max(day))),
                None => found = Some((amount, day)),
            }
        }
    }
    let (amount, as_of) =
        found.ok_or_else(|| format!("{}: there is no usage type ...{}", query.service, query.usage))?;
    // As a sum of decimals is written, not as floating point has it.
    let amount = format!("{:.10}", amount * name.per()).parse().unwrap_or(amount * name.per());
    Ok(Price { price: amount, as_of, source: SOURCE.to_owned() })
}

/// In USD for one unit. What is free at first (`0`) is no price: its tier is left out.
fn first_tier(term: &Term) -> Result<Option<f64>, String> {
    let mut tiers = Vec::new();
    for dimension in term.price_dimensions.values() {
        let number = |text: &str| text.parse::<f64>().map_err(|_| format!("{text:?} is not a number"));
        let Some(amount) = dimension.price_per_unit.get("USD") else { continue };
        let (amount, begin) = (number(amount)?, number(dimension.begin_range.as_deref().unwrap_or("0"))?);
        if amount > 0.0 {
            tiers.push((begin, amount));
        }
    }
    Ok(tiers.into_iter().min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, amount)| amount))
}

/// The prices that a plan between these Regions, with validations by these classes, is estimated by.
pub fn wanted(regions: &[Region], classes: &[String]) -> Vec<(Region, PriceName)> {
    let mut all = Vec::new();
    for region in regions {
        let mut want = |name| all.push((region.clone(), name));
        want(PriceName::SnapshotStorage);
        want(PriceName::InstanceStorage);
        for class in classes {
            want(PriceName::InstanceHour(class.clone()));
        }
        for to in regions.iter().filter(|to| *to != region) {
            want(PriceName::Transfer(to.clone()));
        }
        want(PriceName::Key);
        want(PriceName::EndpointHour);
        want(PriceName::FunctionRequests);
        want(PriceName::FunctionGbSecond);
        want(PriceName::Transitions);
    }
    all
}

/// A table of what was found.
pub fn table(found: Vec<(Region, PriceName, Price)>, today: Date) -> PriceTable {
    let mut regions: BTreeMap<String, RegionPrices> = BTreeMap::new();
    for (region, name, price) in found {
        let of = regions.entry(region.to_string()).or_default();
        match name {
            PriceName::SnapshotStorage => of.snapshot_storage = Some(price),
            PriceName::InstanceStorage => of.instance_storage = Some(price),
            PriceName::InstanceHour(class) => {
                of.instance_hour.insert(class, price);
            }
            PriceName::Transfer(to) => {
                of.transfer.to.insert(to.to_string(), price);
            }
            PriceName::Key => of.key = Some(price),
            PriceName::EndpointHour => of.endpoint_hour = Some(price),
            PriceName::FunctionRequests => of.function_requests = Some(price),
            PriceName::FunctionGbSecond => of.function_gb_second = Some(price),
            PriceName::Transitions => of.transitions = Some(price),
        }
    }
    let source =
        "AWS Price List Query API, GetProducts; asOf is the day from which a price is valid".to_owned();
    PriceTable {
        version: super::prices::VERSION,
        currency: "USD".to_owned(),
        as_of: today,
        note: "List prices without discounts, free tiers and taxes. A price that is absent was not found: it is not known."
            .to_owned(),
        sources: BTreeMap::from([(SOURCE.to_owned(), source)]),
        regions,
        file: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn region(name: &str) -> Region {
        Region::parse(name).unwrap()
    }

    fn today() -> Date {
        "2026-11-22".parse().unwrap()
    }

    /// An answer of GetProducts: tiers of where they begin and what a unit costs.
    fn offer(usage: &str, tiers: &[(&str, &str)]) -> String {
        let dimensions: BTreeMap<String, serde_json::Value> = tiers
            .iter()
            .map(|(begin, usd)| {
                (format!("K.J.{begin}"), json!({"beginRange": begin, "pricePerUnit": {"USD": usd}}))
            })
            .collect();
        json!({"serviceCode": "S", "version": "1", "publicationDate": "2026-11-20T10:00:00Z",
            "product": {"sku": "K", "attributes": {"usagetype": usage, "regionCode": "us-west-2"}},
            "terms": {"OnDemand": {"K.J": {"effectiveDate": "2026-10-01T00:00:00Z", "priceDimensions": dimensions}}}})
        .to_string()
    }

    fn of(name: &PriceName, answers: &[String]) -> Result<Price, String> {
        price(name, &query(&region("us-west-2"), name), answers, today())
    }

    #[test]
    fn a_price_is_that_of_its_usage_type_and_no_other() {
        let answers = [
            offer("USW2-RDSCustom:ChargedBackupUsage", &[("0", "0.2")]),
            offer("USW2-RDS:ChargedBackupUsage", &[("0", "0.0950000000")]),
            offer("USW2-RDS:ChargedBackupUsage", &[("0", "0.0950000000")]),
        ];
        let found = of(&PriceName::SnapshotStorage, &answers).unwrap();
        assert_eq!((found.price, found.as_of), (0.095, "2026-10-01".parse().unwrap()));
        assert_eq!(found.source, SOURCE);
    }

    #[test]
    fn it_is_by_the_unit_of_the_table_and_of_the_first_tier_that_costs() {
        let requests = offer("USW2-Request-ARM", &[("0", "0.0000002")]);
        assert_eq!(of(&PriceName::FunctionRequests, &[requests]).unwrap().price, 0.2);
        let transitions = offer("USW2-StateTransition", &[("0", "0"), ("4000", "0.000025")]);
        assert_eq!(of(&PriceName::Transitions, &[transitions]).unwrap().price, 0.025);
        let tiers = [("7500000000", "0.0000106667"), ("0", "0.0000133334")];
        let seconds = offer("USW2-Lambda-GB-Second-ARM", &tiers);
        assert_eq!(of(&PriceName::FunctionGbSecond, &[seconds]).unwrap().price, 0.0000133334);
    }

    #[test]
    fn what_is_not_certain_is_not_taken() {
        let key = |usd| offer("us-west-2-KMS-Keys", &[("0", usd)]);
        for (answers, said) in [
            (vec![], "awskms: there is no usage type ...KMS-Keys"),
            (vec![offer("us-west-2-KMS-Requests", &[("0", "0.03")])], "there is no usage type"),
            (vec![key("1"), key("2")], "1 and 2 are both said of it"),
            (vec![key("0")], "there is no usage type"),
            (vec![key("much")], "\"much\" is not a number"),
            (vec!["{}".to_owned()], "an answer cannot be read"),
        ] {
            let error = of(&PriceName::Key, &answers).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn what_is_found_makes_a_table_that_can_be_read_back() {
        let regions = [region("us-east-1"), region("us-west-2")];
        let wanted = wanted(&regions, &["db.t4g.medium".to_owned()]);
        assert_eq!(wanted.len(), 2 * 9);
        let price = Price { price: 1.5, as_of: today(), source: SOURCE.to_owned() };
        let found = wanted.iter().map(|(region, name)| (region.clone(), name.clone(), price.clone()));
        let text = serde_json::to_string(&table(found.collect(), today())).unwrap();
        let read = PriceTable::parse(&text, "prices.json").unwrap();
        for (region, name) in wanted {
            assert_eq!(read.region(&region).unwrap().of(&name), Some(&price), "{region} {name}");
        }
    }

    #[test]
    fn a_transfer_is_asked_for_by_both_ends() {
        let query = query(&region("us-east-1"), &PriceName::Transfer(region("us-west-2")));
        let ends: Vec<&str> = query.filters.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(ends, ["us-east-1", "us-west-2", "InterRegion Outbound"]);
        // USE1-USW2-AWS-Out-Bytes, not ...-AWS-In-Bytes.
        let out = offer("USE1-USW2-AWS-Out-Bytes", &[("0", "0.02")]);
        let into = offer("USE1-USW2-AWS-In-Bytes", &[("0", "0")]);
        let name = PriceName::Transfer(region("us-west-2"));
        assert_eq!(price(&name, &query, &[into, out], today()).unwrap().price, 0.02);
    }
}
