//! Orphans as text: each with why, since when, what it costs, and what to do.

use std::fmt::Write as _;

use holdfast_core::cost::{Found, Orphan, PriceTable};

use super::prices::money;
use crate::paint::Paint;
use crate::render::count;

/// Everything that was found, ending with a newline.
pub(super) fn text(found: &Found, prices: &PriceTable, paint: Paint) -> String {
    let mut text = String::new();
    for orphan in &found.orphans {
        one(&mut text, orphan, &prices.currency, paint);
    }
    for unseen in &found.unseen {
        let word = paint.warn("NOT LOOKED AT");
        let _ = writeln!(text, "{word}  {}  {}", unseen.region, unseen.what);
        let _ = writeln!(text, "  {}: {}\n", unseen.error.name, unseen.error.cause);
    }
    let _ = writeln!(text, "{}", conclusion(found, prices, paint));
    text
}

fn one(text: &mut String, orphan: &Orphan, currency: &str, paint: Paint) {
    let Orphan { kind, region, id, certain, why, since, monthly, monthly_from, advice } = orphan;
    let word = if *certain { paint.bad("NOT NEEDED   ") } else { paint.warn("FOR A PERSON ") };
    let _ = writeln!(text, "{word}  {region}  {}  {id}", kind.as_str());
    let _ = writeln!(text, "  Why    {why}");
    let since =
        since.map_or_else(|| "not known".to_owned(), |time| time.strftime("%Y-%m-%d %H:%MZ").to_string());
    let _ = writeln!(text, "  Since  {since}");
    let cost = monthly.map_or_else(
        || monthly_from.clone(),
        |monthly| format!("{} {currency} a month ({monthly_from})", money(monthly)),
    );
    let _ = writeln!(text, "  Costs  {cost}");
    let _ = writeln!(text, "  {}\n", paint.dim(&format!("To do  {advice}")));
}

fn conclusion(found: &Found, prices: &PriceTable, paint: Paint) -> String {
    let certain = found.orphans.iter().filter(|one| one.certain).count() as u64;
    let others = found.orphans.len() as u64 - certain;
    if found.orphans.is_empty() && found.unseen.is_empty() {
        return paint.good("Everything was looked at: nothing costs that nobody needs.");
    }
    let known: Vec<f64> = found.orphans.iter().filter_map(|one| one.monthly).collect();
    let unknown = (found.orphans.len() - known.len()) as u64;
    let mut line = format!("{certain} not needed, {others} for a person to judge");
    if !known.is_empty() {
        let sum = money(known.iter().sum());
        let _ = write!(line, ": {sum} {} a month by {}", prices.currency, prices.file);
    }
    if unknown > 0 {
        let _ = write!(line, "; what {unknown} of them cost is not known");
    }
    if !found.unseen.is_empty() {
        let _ = write!(line, "; {} not looked at", count(found.unseen.len() as u64, "thing"));
    }
    paint.warn(&format!("{line}."))
}

#[cfg(test)]
mod tests {
    use holdfast_core::cost::{OrphanKind, Unseen};
    use holdfast_core::health::NamedCause;
    use holdfast_core::ids::Region;

    use super::*;
    use crate::cost::prices::Which;

    fn orphan(certain: bool, monthly: Option<f64>) -> Orphan {
        Orphan {
            kind: OrphanKind::TemporaryInstance,
            region: Region::parse("us-east-1").unwrap(),
            id: "hfv-prod-db-0123456789".into(),
            certain,
            why: "it expired at 2026-11-21 12:00Z".into(),
            since: Some("2026-11-21T06:00:00Z".parse().unwrap()),
            monthly,
            monthly_from: "730 h of db.t4g.medium and 100 GiB of storage".into(),
            advice: "see the log of sweep-temporary".into(),
        }
    }

    #[test]
    fn each_says_why_since_when_what_it_costs_and_what_to_do() {
        let prices = Which::default().load().unwrap();
        let found = Found { orphans: vec![orphan(true, Some(58.95))], unseen: vec![] };
        assert_eq!(
            text(&found, &prices, Paint::PLAIN),
            "NOT NEEDED     us-east-1  temporary-instance  hfv-prod-db-0123456789
  Why    it expired at 2026-11-21 12:00Z
  Since  2026-11-21 06:00Z
  Costs  58.95 USD a month (730 h of db.t4g.medium and 100 GiB of storage)
  To do  see the log of sweep-temporary

1 not needed, 0 for a person to judge: 58.95 USD a month by the built-in price table.
"
        );
    }

    #[test]
    fn what_is_not_known_is_in_the_last_line() {
        let prices = Which::default().load().unwrap();
        let error = NamedCause { name: "Holdfast.AccessDenied".into(), cause: "no".into() };
        let unseen = Unseen { region: Region::parse("us-west-2").unwrap(), what: "instances".into(), error };
        let found = Found { orphans: vec![orphan(false, None)], unseen: vec![unseen] };
        let said = text(&found, &prices, Paint::PLAIN);
        assert!(
            said.contains("NOT LOOKED AT  us-west-2  instances\n  Holdfast.AccessDenied: no\n"),
            "{said}"
        );
        let last = "0 not needed, 1 for a person to judge; what 1 of them cost is not known; 1 thing not looked at.\n";
        assert!(said.ends_with(last), "{said}");
        let nothing = text(&Found::default(), &prices, Paint::PLAIN);
        assert_eq!(nothing, "Everything was looked at: nothing costs that nobody needs.\n");
    }
}
