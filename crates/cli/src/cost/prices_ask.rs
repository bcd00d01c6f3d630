//! `holdfast cost prices`: the table that comes with the command, or today's prices from AWS in its form.

use aws_sdk_pricing::Client;
use aws_sdk_pricing::types::{Filter, FilterType};
use clap::Args;
use holdfast_core::cost::PriceTable;
use holdfast_core::cost::offers::{self, Query};
use holdfast_core::ids::Region;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::prices::EMBEDDED;
use crate::{Error, cloud, exit};

/// Where the Price List Query API is (AWS Billing User Guide, "Using the AWS Price List Query API", endpoints).
const REGION: &str = "us-east-1";

/// Which prices.
#[derive(Debug, Args)]
pub struct PricesArgs {
    /// Ask the AWS Price List for today's prices of these Regions, instead of printing the table that comes with the command:
    /// the home Region and each target Region.
    #[arg(long = "from-aws", value_name = "REGION", num_args = 1..)]
    from_aws: Vec<String>,
    /// Instance class that validations use; repeat for more.
    #[arg(long = "class", value_name = "CLASS", default_value = "db.t4g.medium", requires = "from_aws")]
    classes: Vec<String>,
}

/// Runs the verb; the answer is the exit code: 3 when a price was not found.
///
/// # Errors
/// `Usage` when a Region is none; `Aws` when the Price List cannot be asked.
pub async fn run(args: &PricesArgs) -> Result<u8, Error> {
    if args.from_aws.is_empty() {
        print!("{EMBEDDED}");
        return Ok(exit::SUCCEEDED);
    }
    let regions: Result<Vec<Region>, _> = args.from_aws.iter().map(|name| Region::parse(name)).collect();
    let regions = regions.map_err(|error| Error::Usage(error.message))?;
    let config = cloud::configuration().await;
    let config = config.to_builder().region(aws_config::Region::from_static(REGION)).build();
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let (table, missing) = ask(&Client::new(&config), &regions, &args.classes, today).await?;
    let text = serde_json::to_string_pretty(&table)
        .map_err(|error| Error::Unreadable(format!("the table cannot be written: {error}")))?;
    println!("{text}");
    for missing in &missing {
        eprintln!("not known: {missing}");
    }
    Ok(if missing.is_empty() { exit::SUCCEEDED } else { exit::PARTIAL })
}

/// The table, and a line for each price that was not found.
async fn ask(
    client: &Client,
    regions: &[Region],
    classes: &[String],
    today: Date,
) -> Result<(PriceTable, Vec<String>), Error> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for (region, name) in offers::wanted(regions, classes) {
        let query = offers::query(&region, &name);
        let answers = products(client, &query).await?;
        match offers::price(&name, &query, &answers, today) {
            Ok(price) => found.push((region, name, price)),
            Err(why) => missing.push(format!("{region} {name}: {why}")),
        }
    }
    Ok((offers::table(found, today), missing))
}

async fn products(client: &Client, query: &Query) -> Result<Vec<String>, Error> {
    let filters = query.filters.iter().map(|(field, value)| {
        let filter = Filter::builder().r#type(FilterType::TermMatch).field(*field).value(value);
        filter.build().map_err(|error| Error::aws("GetProducts", &error))
    });
    let filters: Result<Vec<Filter>, Error> = filters.collect();
    let asked = client.get_products().service_code(query.service).set_filters(Some(filters?));
    let mut pages = asked.into_paginator().items().send();
    let mut all = Vec::new();
    while let Some(product) = pages.next().await {
        all.push(product.map_err(|error| Error::aws("GetProducts", &error))?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use aws_sdk_pricing::operation::get_products::GetProductsOutput;
    use aws_smithy_mocks::mock;
    use holdfast_core::cost::PriceName;

    use super::*;
    use crate::mocked::client;

    #[tokio::test]
    async fn what_the_price_list_says_is_taken_and_the_rest_is_named() {
        // GIVEN a Price List that knows one price, on its second page
        let first = mock!(Client::get_products)
            .match_requests(|asked| {
                asked.service_code() == Some("awskms")
                    && asked.next_token().is_none()
                    && asked
                        .filters()
                        .iter()
                        .any(|filter| filter.field() == "regionCode" && filter.value() == "us-west-2")
            })
            .then_output(|| GetProductsOutput::builder().next_token("more").build());
        let second = mock!(Client::get_products)
            .match_requests(|asked| asked.service_code() == Some("awskms") && asked.next_token() == Some("more"))
            .then_output(|| {
                let key = r#"{"product": {"attributes": {"usagetype": "us-west-2-KMS-Keys"}}, "terms": {"OnDemand": {"K.J":
                    {"priceDimensions": {"K.J.1": {"beginRange": "0", "pricePerUnit": {"USD": "1.0000000000"}}}}}}}"#;
                GetProductsOutput::builder().price_list(key).build()
            });
        let nothing = mock!(Client::get_products)
            .match_requests(|asked| asked.service_code() != Some("awskms"))
            .then_output(|| GetProductsOutput::builder().build());
        // WHEN the prices of a Region are asked for
        let today: Date = "2026-11-22".parse().unwrap();
        let region = Region::parse("us-west-2").unwrap();
        let (table, missing) = ask(
            &client!(aws_sdk_pricing, &[&first, &second, &nothing]),
            std::slice::from_ref(&region),
            &["db.t4g.medium".into()],
            today,
        )
        .await
        .unwrap();
        // THEN it is in the table with its day, and every other is named
        let prices = table.region(&region).unwrap();
        let key = prices.of(&PriceName::Key).unwrap();
        assert_eq!((key.price, key.as_of), (1.0, today));
        assert_eq!(missing.len(), 7, "{missing:?}");
        assert!(
            missing[0].starts_with("us-west-2 snapshotStorage: AmazonRDS: there is no usage type"),
            "{missing:?}"
        );
    }
}
