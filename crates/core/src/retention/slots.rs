//! Which backup fills which slot: one table per length of period.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::backup::{Backup, Proof};
use super::period::{Period, Span};

/// A backup that can be restored from, with the time its data is from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub backup: &'a Backup,
    pub taken_at: Timestamp,
}

impl Candidate<'_> {
    pub fn is_valid(&self) -> bool {
        self.backup.proof == Proof::Valid
    }

    /// Neither proven nor refused: better than nothing in a period that has nothing proven.
    pub fn may_stand_in(&self) -> bool {
        matches!(self.backup.proof, Proof::Unproven | Proof::Inconclusive)
    }
}

type Best<'a> = BTreeMap<Period, Candidate<'a>>;

/// The slots of one rule and who fills them.
#[derive(Debug)]
pub(super) struct Table<'a> {
    pub span: Span,
    pub count: u32,
    /// The newest periods that have a proven backup, each with the one that is kept.
    valid: Best<'a>,
    /// The newest periods that have any backup, each with the proven one, else with the one that stands in.
    any: Best<'a>,
}

/// How a backup stands to a table.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It fills the slot of this period, and leaves it at that time if every period from now on has a backup.
    Fills { period: Period, until: Timestamp },
    /// The one of that time fills the slot of its period.
    Taken { period: Period, by: Timestamp },
    /// Its period has no slot any more.
    Past { period: Period },
}

/// Of each period the newest, of those first that were taken for it or for a longer one.
fn best<'a>(span: Span, candidates: impl Iterator<Item = Candidate<'a>>) -> Best<'a> {
    let merit = |candidate: &Candidate<'a>| {
        (Span::of_tier(candidate.backup.tier) >= span, candidate.taken_at, candidate.backup.arn.clone())
    };
    let mut best = Best::new();
    for candidate in candidates {
        let place = best.entry(Period::of(span, candidate.taken_at)).or_insert(candidate);
        if merit(&candidate) > merit(place) {
            *place = candidate;
        }
    }
    best
}

/// The last `count` periods.
fn newest(mut periods: Best<'_>, count: u32) -> Best<'_> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    while periods.len() > count {
        periods.pop_first();
    }
    periods
}

impl<'a> Table<'a> {
    pub fn new(span: Span, count: u32, candidates: &[Candidate<'a>]) -> Self {
        let of = |wanted: fn(&Candidate<'a>) -> bool| best(span, candidates.iter().copied().filter(wanted));
        let valid = of(Candidate::is_valid);
        // A proven backup takes the place of whatever else its period has. The periods of the proven ones are counted
        // by themselves: an unproven one never pushes a proven one out.
        let mut any = of(Candidate::may_stand_in);
        any.extend(valid.clone());
        Table { span, count, valid: newest(valid, count), any: newest(any, count) }
    }

    /// How `candidate` stands to this table.
    pub fn place(&self, candidate: &Candidate<'_>) -> Place {
        let period = Period::of(self.span, candidate.taken_at);
        let holders = if candidate.is_valid() { &self.valid } else { &self.any };
        match holders.get(&period).or_else(|| self.valid.get(&period)) {
            Some(holder) if holder.backup.arn == candidate.backup.arn => {
                // It stays until there are as many newer periods as there are slots.
                let newer = holders.range(period..).count().saturating_sub(1);
                let left = self.count.saturating_sub(u32::try_from(newer).unwrap_or(u32::MAX));
                let newest = holders.last_key_value().map_or(period, |(newest, _)| *newest);
                Place::Fills { period, until: newest.later(left) }
            }
            Some(holder) => Place::Taken { period, by: holder.taken_at },
            None => Place::Past { period },
        }
    }
}
