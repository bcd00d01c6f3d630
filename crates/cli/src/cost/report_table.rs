//! What was billed, as text; when there is nothing, why.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use holdfast_core::tags;

use super::prices::money;
use super::report::{Billed, Period, TagState};
use crate::paint::Paint;

/// Everything, ending with a newline.
pub(super) fn text(billed: &Billed, period: &Period, state: Option<TagState>, paint: Paint) -> String {
    let mut text = format!("From {} to {}, the last day not included.\n", period.start, period.end);
    if let Some(state) = state {
        let _ = writeln!(text, "\n{}", paint.warn(nothing(state)));
        return text;
    }
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for line in &billed.lines {
        *sums.entry(name(&line.database)).or_default() += line.cost;
    }
    let currency = &billed.currency;
    for (database, sum) in &sums {
        let _ = writeln!(text, "\n{}  {} {currency}", paint.bold(database), money(*sum));
        for line in billed.lines.iter().filter(|line| name(&line.database) == *database) {
            let _ = writeln!(text, "  {:<48} {:>12}", line.of, money(line.cost));
        }
    }
    let total: f64 = sums.values().sum();
    let estimated = if billed.estimated { "; AWS still calls it an estimate" } else { "" };
    let _ = writeln!(text, "\n{}", paint.bold(&format!("In all {} {currency}{estimated}.", money(total))));
    let _ = writeln!(
        text,
        "Only what carries the tag {}: snapshots, copies, temporary and restored instances. Workflows, functions, transfer, keys and \
         endpoints do not.",
        tags::DATABASE
    );
    text
}

/// A value of the tag that is there and empty is somebody's mistake, and is shown.
fn name(database: &str) -> &str {
    if database.is_empty() { "(no value)" } else { database }
}

/// Why there is nothing. It is never said that it cost nothing.
fn nothing(state: TagState) -> &'static str {
    match state {
        TagState::Active => {
            "What it did cost is not known: the cost allocation tag holdfast:database is active, and nothing that carries it was billed in \
             these days. AWS takes up to 24 hours to show what was, and shows nothing that was billed before the tag was activated."
        }
        TagState::Inactive => {
            "What it did cost is not known: the cost allocation tag holdfast:database is not activated. In the account that pays: Billing \
             and Cost Management, Cost allocation tags, holdfast:database, Activate; or\n  aws ce update-cost-allocation-tags-status \
             --cost-allocation-tags-status TagKey=holdfast:database,Status=Active\nIt takes up to 24 hours, and what was billed before does \
             not have it."
        }
        TagState::Unknown => {
            "What it did cost is not known: Billing does not know the tag holdfast:database. It appears up to 24 hours after the first backup, \
             in the account that pays, which may be another one: activate it there (Billing and Cost Management, Cost allocation tags)."
        }
    }
}
