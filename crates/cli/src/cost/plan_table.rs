//! An estimate as text.

use std::fmt::Write as _;

use holdfast_core::cost::{Part, PriceTable, Sum};

use super::plan::{DatabaseCost, Estimate};
use super::prices::money;
use crate::paint::Paint;
use crate::render::count;

/// Everything, ending with a newline.
pub(super) fn text(estimate: &Estimate, prices: &PriceTable, not_counted: &[&str], paint: Paint) -> String {
    let mut text = String::new();
    let PriceTable { currency, as_of, file, note, .. } = prices;
    let _ = writeln!(text, "A month of plan {} in {}, in {currency}.", estimate.plan, estimate.home);
    let _ = writeln!(text, "{}", paint.dim(&format!("Prices: {file}, of {as_of}. {note}")));
    for database in &estimate.databases {
        let _ = writeln!(text, "\n{}", title(database, paint));
        parts(&mut text, &database.parts, paint);
        sum(&mut text, &database.sum, paint);
    }
    let _ = writeln!(text, "\n{}", paint.bold("The deployment, without any backup"));
    parts(&mut text, &estimate.standing, paint);
    let _ = writeln!(text, "\nAssumed:");
    for one in &estimate.assumptions {
        let _ = writeln!(text, "  {one}.");
    }
    let _ = writeln!(text, "Not counted:");
    for one in not_counted {
        let _ = writeln!(text, "  {one}.");
    }
    let _ = writeln!(text, "\n{}", total(&estimate.total, currency, paint));
    text
}

fn title(database: &DatabaseCost, paint: Paint) -> String {
    let size = database.size_gib.map_or_else(|| "of unknown size".to_owned(), |size| format!("{size} GiB"));
    let held = count(database.backups_held as u64, "backup");
    let about = format!("({size}, {held} held, {:.1} runs a month)", database.runs_per_month);
    format!("{}  {about}", paint.bold(&database.name))
}

fn parts(text: &mut String, parts: &[Part], paint: Paint) {
    for part in parts {
        let amount =
            |amount: f64| if amount < 100.0 { format!("{amount:.2}") } else { format!("{amount:.0}") };
        let quantity = part.quantity.map_or_else(|| "?".to_owned(), |range| amount(range.estimate));
        let price = part.price.map_or_else(
            || "no price".to_owned(),
            |price| {
                let per =
                    if part.price_per == 1.0 { String::new() } else { format!(" for {}", part.price_per) };
                format!("at {price}{per}")
            },
        );
        let counted = format!("{quantity} {} {price}", part.unit);
        let (cost, most) = match (part.cost, part.price) {
            (Some(cost), _) if cost.estimate == cost.upper => (money(cost.estimate), String::new()),
            (Some(cost), _) => (money(cost.estimate), format!("at most {}", money(cost.upper))),
            // Which price it is, the last lines say.
            (None, None) if part.quantity.is_some() => ("not known".to_owned(), String::new()),
            (None, _) => ("not known".to_owned(), part.missing.clone().unwrap_or_default()),
        };
        let (kind, region) = (part.kind.as_str(), part.region.as_str());
        let line = format!("  {kind:<19} {region:<14} {counted:<44} {cost:>10}  {most}");
        let line = line.trim_end();
        let _ = writeln!(text, "{}", if part.cost.is_none() { paint.warn(line) } else { line.to_owned() });
        let _ = writeln!(text, "    {}", paint.dim(&part.assumed));
    }
}

fn sum(text: &mut String, sum: &Sum, paint: Paint) {
    let (estimate, upper) = (money(sum.cost.estimate), money(sum.cost.upper));
    let line = if sum.missing.is_empty() {
        format!("  {estimate} a month, at most {upper}")
    } else {
        format!("  {estimate} a month, at most {upper}, for what is known")
    };
    let _ = writeln!(text, "{}", paint.bold(&line));
}

fn total(sum: &Sum, currency: &str, paint: Paint) -> String {
    let (estimate, upper) = (money(sum.cost.estimate), money(sum.cost.upper));
    if sum.missing.is_empty() {
        return paint.good(&format!("In all {estimate} {currency} a month, at most {upper}."));
    }
    let mut text = format!(
        "For what is known {estimate} {currency} a month, at most {upper}. NOT KNOWN, and not in it:"
    );
    for one in &sum.missing {
        let _ = write!(text, "\n  {one}");
    }
    paint.warn(&text)
}

#[cfg(test)]
mod tests {
    use holdfast_core::cost::Range;

    use super::*;

    #[test]
    fn what_is_not_known_is_said_beside_the_sum() {
        let cost = Range { estimate: 12.0, upper: 99.5 };
        let whole = Sum { cost, missing: vec![] };
        assert_eq!(total(&whole, "USD", Paint::PLAIN), "In all 12.00 USD a month, at most 99.50.");
        let part = Sum { cost, missing: vec!["x has no price key of eu-west-1".to_owned()] };
        assert_eq!(
            total(&part, "USD", Paint::PLAIN),
            "For what is known 12.00 USD a month, at most 99.50. NOT KNOWN, and not in it:\n  x has no price key of eu-west-1"
        );
    }
}
