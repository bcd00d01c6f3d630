//! A plan as text: every backup with its reasons, then the numbers, then what somebody should do.

use std::fmt::Write as _;

use holdfast_core::retention::{DeletionResult, Entry, Fate, Forecast, Plan, Policy, Proof};
use jiff::Timestamp;

use super::points::{self, Use};
use crate::paint::Paint;
use crate::render::count;

fn minute(time: Option<Timestamp>) -> String {
    time.map_or_else(|| "unknown          ".to_owned(), |time| time.strftime("%Y-%m-%dT%H:%MZ").to_string())
}

fn verdict(proof: &Proof, paint: Paint) -> String {
    let word = format!("{:<12}", proof.as_str());
    match proof {
        Proof::Valid => paint.good(&word),
        Proof::Invalid => paint.bad(&word),
        Proof::Inconclusive | Proof::Unproven | Proof::Unknown => paint.warn(&word),
    }
}

fn reasons(entry: &Entry) -> String {
    entry.reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join("; ")
}

/// The whole plan, ending with a newline.
pub(super) fn plan(plan: &Plan, asked: &str, paint: Paint) -> String {
    let mut text = String::new();
    let mut heading = None;
    for entry in plan.backups.iter().filter(|entry| entry.ours) {
        let line = Some((&entry.region, &entry.database_id));
        if heading != line {
            let begin = if heading.is_some() { "\n" } else { "" };
            let title = format!("{} in {}", entry.database_id, entry.region);
            let _ = writeln!(text, "{begin}{}", paint.bold(&title));
            heading = line;
        }
        let fate = match entry.fate {
            Fate::Keep => "KEEP  ".to_owned(),
            Fate::Delete => paint.warn("DELETE"),
        };
        let (at, verdict) = (minute(entry.taken_at), verdict(&entry.verdict, paint));
        let _ = writeln!(text, "  {at}  {verdict}  {fate}  {}", reasons(entry));
    }
    if heading.is_none() {
        let _ = writeln!(text, "There are no backups of {asked}.");
    }
    let _ = writeln!(text, "\n{}", totals(plan));
    for (database, own) in &plan.own_policies {
        let _ = writeln!(text, "{database} by {}.", rules(own));
    }
    footer(&mut text, plan, paint);
    text
}

fn totals(plan: &Plan) -> String {
    let mut text = format!(
        "{} to keep, {} to delete, by {}.",
        plan.totals.keep,
        plan.totals.delete,
        rules(&plan.policy)
    );
    if plan.totals.not_ours > 0 {
        let _ = write!(
            text,
            " {} not Holdfast's: never touched.",
            count(plan.totals.not_ours, "manual snapshot")
        );
    }
    text
}

/// The numbers of a policy, in a line.
fn rules(policy: &Policy) -> String {
    let Policy { daily, weekly, monthly, yearly, minimum, .. } = policy;
    format!("{daily} daily, {weekly} weekly, {monthly} monthly, {yearly} yearly, at least {minimum}")
}

fn footer(text: &mut String, plan: &Plan, paint: Paint) {
    for quota in &plan.quotas {
        let _ = writeln!(text, "{}", forecast(quota, paint));
    }
    rest(text, plan, paint);
}

fn rest(text: &mut String, plan: &Plan, paint: Paint) {
    problems(text, plan, paint);
    omitted(text, plan, paint);
    let _ = writeln!(
        text,
        "{}",
        paint.dim(&format!("The whole plan: {} in the metadata bucket.", plan.document_key))
    );
}

fn forecast(quota: &Forecast, paint: Paint) -> String {
    if let Some(warning) = &quota.warning {
        return paint.warn(&format!("▲ {warning}"));
    }
    let Forecast { region, used, max, .. } = quota;
    let mut line = format!("{region}: {used} manual snapshots of {max} allowed");
    match (quota.full_at, quota.in_a_year) {
        (Some(at), _) => {
            let _ =
                write!(line, ", full on {} at {:.0} a day", at.strftime("%Y-%m-%d"), quota.per_day.ceil());
        }
        (None, Some(later)) => {
            let _ = write!(line, ", about {later} in a year");
        }
        (None, None) => {}
    }
    line
}

/// What became of each deletion.
pub(super) fn deletions(plan: &Plan, paint: Paint) -> String {
    let mut text = String::new();
    for deletion in &plan.deletions {
        let word = match deletion.result {
            DeletionResult::Deleted => paint.good("DELETED "),
            DeletionResult::Gone => paint.good("GONE    "),
            DeletionResult::Kept => paint.warn("KEPT    "),
            DeletionResult::NotDone => paint.bad("NOT DONE"),
        };
        let _ = writeln!(text, "{word}  {}  {}: {}", deletion.region, deletion.snapshot_id, deletion.why);
    }
    // The quotas are those of before.
    rest(&mut text, plan, paint);
    text
}

/// The points a database can be brought back to.
pub(super) fn points(database: &str, plan: &Plan, paint: Paint) -> String {
    let points = points::points(plan);
    let mut text = String::new();
    if let Some(lack) = lack(database, &points) {
        let _ = writeln!(text, "{}", paint.bad(&lack));
    }
    for entry in points {
        let mut reasons = reasons(entry);
        if entry.fate == Fate::Delete {
            // It can be restored as long as it is there.
            reasons = format!("{}: {reasons}", paint.warn("no rule keeps it, it goes when it is pruned"));
        }
        let until = entry.until.map(|until| format!("until {}", minute(Some(until))));
        // A reason that ends at a time says so itself.
        let until = until.filter(|until| !reasons.contains(until.as_str()));
        let until = until.map_or_else(String::new, |until| format!(" ({until})"));
        let (at, verdict) = (minute(entry.taken_at), verdict(&entry.verdict, paint));
        let _ = writeln!(text, "{at}  {:<14}  {verdict}  {reasons}{until}", entry.region.as_str());
        let _ = writeln!(text, "  {}", paint.dim(&entry.snapshot_id));
    }
    problems(&mut text, plan, paint);
    omitted(&mut text, plan, paint);
    text
}

/// What there is too little of; `None` when a proven backup is there.
fn lack(database: &str, points: &[&Entry]) -> Option<String> {
    let has = |wanted: Use| points.iter().any(|point| Use::of(point) == wanted);
    if points.is_empty() {
        Some(format!("There is no backup of {database}. {}", by_its_log(database)))
    } else if has(Use::Proven) {
        None
    } else if has(Use::Unproven) {
        Some(format!("No backup of {database} is proven."))
    } else if has(Use::Refused) {
        Some(format!(
            "There is no backup to go back to: every one of {database} was found to be wrong (INVALID). {}",
            by_its_log(database)
        ))
    } else {
        Some(format!(
            "There is no backup to go back to: none of {database} is complete. {}",
            by_its_log(database)
        ))
    }
}

/// Backups are not all there is: a database that is there, or left its log, comes back by that.
fn by_its_log(database: &str) -> String {
    format!("Its log may have it: holdfast pitr {database}")
}

fn problems(text: &mut String, plan: &Plan, paint: Paint) {
    for problem in &plan.problems {
        let said = format!("{} in {}: {}", problem.error.name, problem.region, problem.error.cause);
        let _ = writeln!(text, "{}", paint.bad(&said));
    }
}

fn omitted(text: &mut String, plan: &Plan, paint: Paint) {
    if plan.omitted > 0 {
        let said = format!("{} not shown here.", count(plan.omitted, "backup"));
        let _ = writeln!(text, "{}", paint.warn(&said));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Plan {
        let entry = |at: &str, fate: &str, verdict: &str, ours: bool, text: &str| {
            json!({"region": "us-east-1", "databaseId": "prod-db", "snapshotId": "holdfast-x", "takenAt": at, "verdict": verdict,
                   "tier": "daily", "ours": ours, "fate": fate, "until": "2026-11-27T00:00:00Z",
                   "reasons": [{"code": "c", "text": text}]})
        };
        serde_json::from_value(json!({
            "plannedAt": "2026-11-20T12:00:00Z", "action": "plan",
            "policy": {"daily": 7, "weekly": 4, "monthly": 12, "yearly": 7, "minimum": 3, "inspectionDays": 7},
            "ownPolicies": {"prod-db": {"daily": 9, "weekly": 0, "monthly": 1, "yearly": 2, "minimum": 4, "inspectionDays": 7}},
            "totals": {"keep": 1, "delete": 1, "notOurs": 1}, "documentKey": "retention/p.json", "omitted": 2,
            "backups": [entry("2026-11-20T06:00:00Z", "KEEP", "VALID", true, "the newest validated backup"),
                        entry("2026-11-20T00:00:00Z", "DELETE", "UNPROVEN", true, "UNPROVEN, and fills no slot"),
                        entry("2026-11-20T00:00:00Z", "KEEP", "UNKNOWN", false, "not a backup of Holdfast's")],
            "quotas": [{"region": "us-east-1", "used": 60, "max": 100, "perDay": 4.0, "inAYear": 40},
                       {"region": "us-west-2", "used": 95, "max": 100, "perDay": 4.0, "warning": "us-west-2 is nearly full"}],
            "problems": [{"region": "eu-west-1", "name": "Holdfast.AccessDenied", "cause": "no"}],
            "deletions": [{"region": "us-east-1", "snapshotId": "holdfast-x", "result": "KEPT", "why": "on hold"}]
        }))
        .unwrap()
    }

    #[test]
    fn a_plan_shows_every_backup_with_its_reason() {
        assert_eq!(
            plan(&sample(), "Holdfast's", Paint::PLAIN),
            "prod-db in us-east-1\n  \
               2026-11-20T06:00Z  VALID         KEEP    the newest validated backup\n  \
               2026-11-20T00:00Z  UNPROVEN      DELETE  UNPROVEN, and fills no slot\n\
             \n\
             1 to keep, 1 to delete, by 7 daily, 4 weekly, 12 monthly, 7 yearly, at least 3. 1 manual snapshot not \
             Holdfast's: never touched.\n\
             prod-db by 9 daily, 0 weekly, 1 monthly, 2 yearly, at least 4.\n\
             us-east-1: 60 manual snapshots of 100 allowed, about 40 in a year\n\
             ▲ us-west-2 is nearly full\n\
             Holdfast.AccessDenied in eu-west-1: no\n\
             2 backups not shown here.\n\
             The whole plan: retention/p.json in the metadata bucket.\n"
        );
    }

    #[test]
    fn a_day_on_which_it_is_full_goes_with_the_pace_that_it_was_reckoned_by() {
        let full = json!({"region": "us-west-2", "used": 20, "max": 100, "perDay": 3.5, "fullAt": "2026-12-13T00:00:00Z"});
        let shown = forecast(&serde_json::from_value(full).unwrap(), Paint::PLAIN);
        assert_eq!(shown, "us-west-2: 20 manual snapshots of 100 allowed, full on 2026-12-13 at 4 a day");
    }

    /// The sample with these of its backups.
    fn with(backups: &[usize]) -> Plan {
        let all = sample().backups;
        Plan { backups: backups.iter().map(|number| all[*number].clone()).collect(), ..sample() }
    }

    #[test]
    fn points_say_until_when_and_whether_anything_is_proven() {
        let shown = points("prod-db", &with(&[0]), Paint::PLAIN);
        assert_eq!(
            shown,
            "2026-11-20T06:00Z  us-east-1       VALID         the newest validated backup (until 2026-11-27T00:00Z)\n  \
               holdfast-x\n\
             Holdfast.AccessDenied in eu-west-1: no\n\
             2 backups not shown here.\n"
        );
        let shown = points("prod-db", &with(&[1, 2]), Paint::PLAIN);
        assert!(
            shown.starts_with(
                "No backup of prod-db is proven.\n\
                 2026-11-20T00:00Z  us-east-1       UNPROVEN      no rule keeps it, it goes when it is pruned: UNPROVEN, and fills \
                 no slot"
            ),
            "{shown}"
        );
        assert!(!shown.contains("not a backup of Holdfast's"), "{shown}");
        // A reason that says until when is enough.
        let mut plan = with(&[0]);
        plan.backups[0].reasons[0].text = "can be looked at until 2026-11-27T00:00Z".into();
        let shown = points("prod-db", &plan, Paint::PLAIN);
        assert!(shown.contains("VALID         can be looked at until 2026-11-27T00:00Z\n"), "{shown}");
        let shown = points("prod-db", &with(&[]), Paint::PLAIN);
        assert!(
            shown.starts_with("There is no backup of prod-db. Its log may have it: holdfast pitr prod-db\n"),
            "{shown}"
        );
    }

    #[test]
    fn what_nobody_would_go_back_to_is_said_to_be_nothing() {
        let said = |verdict: &str, code: &str| {
            let plan = points::tests::plan(&[(verdict, "KEEP", code)], &json!([]));
            points("prod-db", &plan, Paint::PLAIN).lines().next().unwrap().to_owned()
        };
        assert_eq!(
            said("INVALID", "inspection"),
            "There is no backup to go back to: every one of prod-db was found to be wrong (INVALID). Its log may have it: holdfast pitr prod-db"
        );
        assert_eq!(
            said("VALID", "not-available"),
            "There is no backup to go back to: none of prod-db is complete. Its log may have it: holdfast pitr prod-db"
        );
        assert_eq!(said("UNKNOWN", "verdict-unknown"), "No backup of prod-db is proven.");
    }

    #[test]
    fn a_deletion_shows_what_became_of_it() {
        let said = deletions(&sample(), Paint::PLAIN);
        assert!(said.starts_with("KEPT      us-east-1  holdfast-x: on hold\n"), "{said}");
        // The numbers of before would be taken for those of now.
        assert!(!said.contains("manual snapshots"), "{said}");
        assert_eq!(super::super::prune::code(&sample()), crate::exit::PARTIAL);
    }
}
