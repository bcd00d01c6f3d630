//! What is wrong, what could not be finished, and what nobody looked at.

use std::collections::BTreeMap;

use holdfast_core::operation::ReplicaStatus;
use holdfast_core::validation::{Check, CheckResult, NotChecked, Verdict};

use crate::document::Report;
use crate::words::cut;

/// Findings shown of one check; the JSON has up to a hundred.
pub(crate) const FINDINGS_SHOWN: usize = 7;

/// Names shown of what one reason kept from being looked at.
const OBJECTS_SHOWN: usize = 7;

/// Longest message of a finding, in characters.
const LONGEST_MESSAGE: usize = 400;

/// Longest reason of a check, in characters.
pub(crate) const LONGEST_REASON: usize = 300;

/// Longest name of anything, in characters: two of PostgreSQL's own with their quotes fit many times over.
pub(crate) const LONGEST_NAME: usize = 300;

/// One check that did not pass.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub check: String,
    pub scope: String,
    pub reason: Option<String>,
    pub findings: Vec<(String, String)>,
    /// Findings that only the JSON has.
    pub more: usize,
}

/// The checks that ended as `result`, with what they found.
pub(crate) fn troubles(report: &Report, result: CheckResult) -> Vec<Trouble> {
    report.checks().iter().filter(|check| check.result == result).map(trouble).collect()
}

fn trouble(check: &Check) -> Trouble {
    let shown = check.findings.iter().take(FINDINGS_SHOWN);
    Trouble {
        check: cut(&check.name, LONGEST_NAME),
        scope: cut(&check.scope, LONGEST_NAME),
        reason: check.reason.as_deref().map(|reason| cut(reason, LONGEST_REASON)),
        findings: shown
            .map(|finding| (cut(&finding.object, LONGEST_NAME), cut(&finding.message, LONGEST_MESSAGE)))
            .collect(),
        more: check.findings.len().saturating_sub(FINDINGS_SHOWN),
    }
}

/// Something that was not looked at, and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub check: String,
    pub scope: String,
    /// Which objects; empty when the whole check is meant.
    pub objects: Vec<String>,
    /// Objects that only the JSON names.
    pub more: usize,
    pub reason: String,
}

/// What was not looked at: checks that never started first, then what the others left out, by reason.
pub(crate) fn left_out(report: &Report) -> Vec<Left> {
    let mut left: Vec<Left> = report
        .checks()
        .iter()
        .filter(|check| check.result == CheckResult::NotRun)
        .map(|check| Left {
            check: cut(&check.name, LONGEST_NAME),
            scope: cut(&check.scope, LONGEST_NAME),
            objects: vec![],
            more: 0,
            reason: cut(check.reason.as_deref().unwrap_or("it was never started"), LONGEST_REASON),
        })
        .collect();
    left.extend(copies_not_restored(report));
    // Whole checks (no object) stand apart from single objects, in an order that does not depend on the report's.
    let mut by_reason: BTreeMap<(&str, &str, bool, &str), Vec<&str>> = BTreeMap::new();
    for NotChecked { check, scope, object, reason } in report.not_checked() {
        let objects = by_reason.entry((check, scope, object.is_some(), reason)).or_default();
        objects.extend(object.as_deref());
    }
    left.extend(by_reason.into_iter().map(|((check, scope, _, reason), objects)| Left {
        check: cut(check, LONGEST_NAME),
        scope: cut(scope, LONGEST_NAME),
        more: objects.len().saturating_sub(OBJECTS_SHOWN),
        objects: objects.into_iter().take(OBJECTS_SHOWN).map(|object| cut(object, LONGEST_NAME)).collect(),
        reason: cut(reason, LONGEST_REASON),
    }));
    left
}

/// Copies of a proven backup of which nothing is known but that RDS calls them available.
fn copies_not_restored(report: &Report) -> impl Iterator<Item = Left> {
    let proven = report.verdict() == Some(Verdict::Valid);
    let share = report.request.validation.copy_share;
    let open = report.replicas.iter().filter(move |(_, copy)| {
        proven && copy.status == ReplicaStatus::Available && copy.validation.is_none()
    });
    open.map(move |(region, _)| Left {
        check: "copy".to_owned(),
        scope: region.clone(),
        objects: vec![],
        more: 0,
        reason: format!("not restored there: the share of copies that is, validation.copyShare, is {share}"),
    })
}
