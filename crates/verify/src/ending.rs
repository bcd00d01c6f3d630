//! How a check ends, before it has a name and a duration.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use holdfast_core::validation::{Check, CheckResult, Finding};

use serde::{Deserialize, Serialize};

use crate::session::Trouble;

/// A report shows this many findings per check; more are counted.
pub(crate) const FINDINGS_SHOWN: usize = 100;

/// A report shows this many notes per check; more are counted.
const NOTES_SHOWN: usize = 30;

/// Scope of what concerns the whole server.
pub(crate) const INSTANCE: &str = "instance";

/// Collects what a check finds.
///
/// Damage wins over trouble: what was found stays found even when the rest could not be looked at.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ending {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wrong: Vec<Finding>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unfinished: Vec<Finding>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    not_run: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

impl Ending {
    /// It was never started.
    pub(crate) fn not_run(reason: impl Into<String>) -> Self {
        Ending { not_run: true, notes: vec![reason.into()], ..Ending::default() }
    }

    /// It could not be started or finished, as a whole.
    pub(crate) fn trouble(trouble: &Trouble) -> Self {
        let mut ending = Ending::default();
        ending.absorb(None, trouble);
        ending
    }

    /// Something is wrong with `object`.
    pub(crate) fn wrong(&mut self, object: impl Into<String>, message: impl Into<String>) {
        self.wrong.push(Finding { object: object.into(), message: message.into() });
    }

    /// `object` could not be looked at, or not to the end.
    pub(crate) fn unfinished(&mut self, object: impl Into<String>, message: impl Into<String>) {
        self.unfinished.push(Finding { object: object.into(), message: message.into() });
    }

    /// Says something that decides nothing.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Files a trouble with `object` under what it means: damage is wrong, the rest unfinished.
    pub(crate) fn absorb(&mut self, object: Option<&str>, trouble: &Trouble) {
        let message = trouble.message();
        match (object, trouble) {
            (Some(object), Trouble::Damaged(_)) => self.wrong(object, message),
            (Some(object), _) => self.unfinished(object, message),
            (None, Trouble::Damaged(_)) => self.wrong("the catalog", message),
            (None, _) => self.unfinished("the check itself", message),
        }
    }

    /// Whether nothing is wrong and everything was looked at.
    pub(crate) fn is_clean(&self) -> bool {
        self.wrong.is_empty() && self.unfinished.is_empty() && !self.not_run
    }

    /// Whether everything was looked at.
    pub(crate) fn is_finished(&self) -> bool {
        self.unfinished.is_empty() && !self.not_run
    }

    /// Adds what another part of the same check found. The order does not matter but for the texts.
    pub(crate) fn merge(&mut self, other: Ending) {
        self.wrong.extend(other.wrong);
        self.unfinished.extend(other.unfinished);
        self.not_run |= other.not_run;
        self.notes.extend(other.notes);
    }

    /// Gives it a name, a scope and the time since.
    pub(crate) fn into_check(
        self,
        name: impl Into<String>,
        scope: impl Into<String>,
        since: Instant,
    ) -> Check {
        self.lasting(name, scope, since.elapsed())
    }

    /// Gives it a name, a scope and its duration.
    pub(crate) fn lasting(
        self,
        name: impl Into<String>,
        scope: impl Into<String>,
        duration: Duration,
    ) -> Check {
        let Ending { wrong, unfinished, not_run, mut notes } = self;
        let (result, mut findings) = if not_run {
            (CheckResult::NotRun, Vec::new())
        } else if !wrong.is_empty() {
            if let Some(first) = unfinished.first() {
                let count = unfinished.len();
                notes
                    .insert(0, format!("{count} could not be finished: {}: {}", first.object, first.message));
            }
            (CheckResult::Failed, wrong)
        } else if !unfinished.is_empty() {
            (CheckResult::Errored, unfinished)
        } else {
            (CheckResult::Passed, Vec::new())
        };
        if findings.len() > FINDINGS_SHOWN {
            notes.insert(0, format!("{} findings, the first {FINDINGS_SHOWN} shown", findings.len()));
            findings.truncate(FINDINGS_SHOWN);
        }
        // Pieces of one table say the same; a table of many pieces says it often.
        let mut said = BTreeSet::new();
        notes.retain(|note| said.insert(note.clone()));
        if notes.len() > NOTES_SHOWN {
            let more = notes.len() - NOTES_SHOWN;
            notes.truncate(NOTES_SHOWN);
            notes.push(format!("and {more} notes more"));
        }
        let reason = if notes.is_empty() { None } else { Some(notes.join("; ")) };
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Check { name: name.into(), scope: scope.into(), result, reason, duration_ms, findings }
    }
}

/// Names the first few of many: `a, b, c and 4 more`.
pub(crate) fn name_some(names: &[String], shown: usize) -> String {
    let listed = names.iter().take(shown).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(shown) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

/// `1 table`, `2 tables`.
pub(crate) fn count(number: u64, singular: &str, plural: &str) -> String {
    format!("{number} {}", if number == 1 { singular } else { plural })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_outweighs_what_is_unfinished() {
        let mut ending = Ending::default();
        ending.unfinished("public.a", "permission denied");
        ending.wrong("public.b", "invalid page");
        let check = ending.into_check("content", "shop", Instant::now());
        assert_eq!(check.result, CheckResult::Failed);
        assert_eq!(check.findings.len(), 1);
        assert!(check.reason.unwrap().contains("public.a: permission denied"));
    }

    #[test]
    fn unfinished_work_is_never_a_pass() {
        let lost = Trouble::Lost("reset".into());
        assert_eq!(
            Ending::trouble(&lost).into_check("schema", "shop", Instant::now()).result,
            CheckResult::Errored
        );
        assert_eq!(Ending::not_run("x").into_check("s", "d", Instant::now()).result, CheckResult::NotRun);
        assert_eq!(Ending::default().into_check("s", "d", Instant::now()).result, CheckResult::Passed);
    }

    #[test]
    fn many_findings_are_counted() {
        let mut ending = Ending::default();
        (0..150).for_each(|n| ending.wrong(format!("t{n}"), "gone"));
        let check = ending.into_check("schema", "shop", Instant::now());
        assert_eq!(check.findings.len(), FINDINGS_SHOWN);
        assert!(check.reason.unwrap().starts_with("150 findings"));
    }

    #[test]
    fn names_are_listed_up_to_a_bound() {
        let names: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        assert_eq!(name_some(&names, 3), "a, b, c");
        assert_eq!(name_some(&names, 1), "a and 2 more");
    }
}
