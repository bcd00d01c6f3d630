//! A summary as text: the verdict first, then the evidence, then where to look further.

use std::fmt::Write as _;

pub(crate) use holdfast_report::words::words;
pub use holdfast_report::words::{count, duration};

use holdfast_core::operation::Kind;

use crate::{
    ops::reopen,
    paint::Paint,
    replicate, restore,
    summary::{
        Baseline, Check, CheckResult, CopyValidation, Failure, Snapshot, Status, Summary, Validation, Verdict,
    },
};

/// What the summary itself does not know.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// States entered by the execution.
    pub state_transitions: Option<u64>,
    /// The table that holds the record.
    pub table: String,
}

/// How many findings of one check are shown; the report has them all.
const FINDINGS_SHOWN: usize = 5;

/// The whole summary, ending with a newline.
pub fn summary(summary: &Summary, around: &Around, paint: Paint) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{}\n", headline(summary, paint));
    row(&mut text, "Operation", &summary.operation_id);
    if let Some(failure) = &summary.failure {
        row(&mut text, "Reason", &refused_by(summary).unwrap_or_else(|| reason(failure)));
    }
    for leftover in &summary.leftovers {
        row(&mut text, "Left behind", leftover);
    }
    if is_restore(summary) {
        restore::render::body(&mut text, summary, paint);
        footer(&mut text, summary, around);
        return text;
    }
    if let Some(backup) = &summary.backup {
        row(&mut text, "Backup", &format!("{}  ({})", backup.operation_id, backup.verdict.word()));
    }
    if let Some(snapshot) = &summary.snapshot {
        row(&mut text, "Snapshot", &snapshot_line(snapshot));
    }
    if let Some(line) = summary.baseline.as_ref().and_then(baseline_line) {
        row(&mut text, "Baseline", &line);
    }
    if let Some(validation) = &summary.validation {
        row(&mut text, "Verdict", &verdict_line(validation, paint));
        text.push_str(&checks(validation, paint));
    }
    text.push_str(&copies(summary, paint));
    footer(&mut text, summary, around);
    text
}

pub(crate) fn is_restore(summary: &Summary) -> bool {
    summary.kind == Kind::Restore.as_str()
}

/// What happened, in one sentence.
fn headline(summary: &Summary, paint: Paint) -> String {
    if summary.is_cancelled() {
        return paint.warn(&reopen::cancelled(summary));
    }
    if is_restore(summary) {
        return restore::render::headline(summary, paint);
    }
    if summary.kind == Kind::Replication.as_str() {
        return replicate::headline(summary, paint);
    }
    let database = &summary.database_id;
    let verdict = summary.validation.as_ref().map_or(Verdict::NotRun, |validation| validation.verdict);
    match (summary.status, verdict) {
        (Status::Succeeded, Verdict::Valid) => {
            paint.good(&format!("✔ {database} is backed up, and this backup restores."))
        }
        (Status::Succeeded, _) => {
            paint.good(&format!("✔ {database} is backed up. Whether the backup restores was not checked."))
        }
        (Status::Partial, _) => {
            let missing: Vec<_> = summary
                .replicas
                .iter()
                .filter(|(_, copy)| !copy.is_available())
                .map(|(region, _)| region.as_str())
                .collect();
            let unproven: Vec<_> = summary
                .replicas
                .iter()
                .filter_map(|(region, copy)| copy.validation.as_ref().map(|found| (region, found.verdict)))
                .filter(|(_, verdict)| *verdict != Verdict::Valid)
                .map(|(region, verdict)| format!("the copy in {region} is {}", verdict.word()))
                .collect();
            if missing.is_empty() && !unproven.is_empty() {
                return paint.warn(&format!("▲ {database} is backed up, but {}.", unproven.join(", ")));
            }
            if missing.is_empty() {
                return paint.warn(&format!("▲ {database} is backed up, but something is left behind."));
            }
            paint.warn(&format!("▲ {database} is backed up, but without a copy in {}.", missing.join(", ")))
        }
        (Status::Failed, Verdict::Invalid) => {
            paint.bad(&format!("✘ The backup of {database} is refused: what it restores to is not sound."))
        }
        (Status::Failed, Verdict::Inconclusive) => {
            paint.bad(&format!("✘ The backup of {database} is not proven: validation could not be finished."))
        }
        (Status::Failed, _) => paint.bad(&format!("✘ The backup of {database} failed.")),
        (Status::Unknown, _) => {
            paint.bad(&format!("? The backup of {database} ended in a way this version does not know."))
        }
    }
}

/// The checks that did not pass tell the reason in full further down: here only how many they are.
fn refused_by(summary: &Summary) -> Option<String> {
    let (failure, validation) = (summary.failure.as_ref()?, summary.validation.as_ref()?);
    let bad = validation.checks.iter().filter(|check| check.result != CheckResult::Passed).count();
    let refused = matches!(validation.verdict, Verdict::Invalid | Verdict::Inconclusive);
    (refused && bad > 0).then(|| {
        format!("{}: {bad} of {} did not pass", failure.name, count(validation.checks.len() as u64, "check"))
    })
}

fn reason(failure: &Failure) -> String {
    if failure.cause.is_empty() {
        failure.name.clone()
    } else {
        format!("{}: {}", failure.name, failure.cause)
    }
}

fn snapshot_line(snapshot: &Snapshot) -> String {
    let mut facts = vec![snapshot.region.clone()];
    facts.extend(snapshot.size_gib.map(|size| format!("{size} GiB")));
    facts.extend(
        snapshot.encrypted.map(|yes| if yes { "encrypted".to_owned() } else { "not encrypted".to_owned() }),
    );
    facts.extend(snapshot.created_at.as_ref().map(|at| format!("taken {}", moment(at))));
    format!("{}  ({})", snapshot.id, facts.join(", "))
}

/// Nothing when nobody asked for one.
fn baseline_line(baseline: &Baseline) -> Option<String> {
    let depth = baseline.depth.as_deref().unwrap_or_default();
    match (baseline.status.as_str(), &baseline.reason) {
        ("NOT_ASKED", _) => None,
        ("TAKEN", _) if depth == "full" => {
            Some("the source was read before and after, every row of it".to_owned())
        }
        ("TAKEN", _) => Some("the source's catalog and counters were read before and after".to_owned()),
        (_, Some(missing)) => Some(format!("not whole: {}", reason(missing))),
        (status, None) => Some(words(status)),
    }
}

pub(crate) fn verdict_line(validation: &Validation, paint: Paint) -> String {
    let word = validation.verdict.word();
    let word = match validation.verdict {
        Verdict::Valid => paint.good(word),
        Verdict::Invalid => paint.bad(word),
        Verdict::Inconclusive | Verdict::NotRun | Verdict::Unknown => paint.warn(word),
    };
    if validation.verdict == Verdict::NotRun {
        // Nothing was counted: a 0 would be a number of something.
        return word;
    }
    let mut facts = Vec::new();
    facts.extend(validation.restore_seconds.map(|taken| format!("restored in {}", duration(taken))));
    if !validation.databases.is_empty() {
        facts.push(format!(
            "{} ({})",
            count(validation.databases.len() as u64, "database"),
            validation.databases.join(", ")
        ));
    }
    facts.extend(validation.tables.map(|tables| count(tables, "table")));
    facts.extend(validation.rows.map(|rows| format!("{} read", count(rows, "row"))));
    if facts.is_empty() { word } else { format!("{word}  {}", facts.join(", ")) }
}

pub(crate) fn checks(validation: &Validation, paint: Paint) -> String {
    let mut text = String::new();
    if validation.checks.is_empty() {
        for issue in &validation.issues {
            let _ = writeln!(text, "    {} {issue}", paint.bad("✘"));
        }
        return text;
    }
    let _ = writeln!(text, "\n  {}", paint.bold("Checks"));
    let name = width(validation.checks.iter().map(|check| words(&check.name)));
    let scope = width(validation.checks.iter().map(|check| check.scope.clone().unwrap_or_default()));
    for check in &validation.checks {
        let taken = check.duration_ms.map(|ms| duration(ms / 1000.0)).unwrap_or_default();
        let line = format!(
            "{:name$}  {:scope$}  {taken:>8}",
            words(&check.name),
            check.scope.as_deref().unwrap_or_default()
        );
        let _ = writeln!(text, "    {} {}{}", mark(check.result, paint), line.trim_end(), why(check));
        for finding in check.findings.iter().take(FINDINGS_SHOWN) {
            let _ = writeln!(text, "        {}: {}", finding.object, finding.message);
        }
        if check.findings.len() > FINDINGS_SHOWN {
            let _ =
                writeln!(text, "        and {} more, in the report", check.findings.len() - FINDINGS_SHOWN);
        }
    }
    text
}

fn mark(result: CheckResult, paint: Paint) -> String {
    match result {
        CheckResult::Passed => paint.good("✔"),
        CheckResult::Failed => paint.bad("✘"),
        CheckResult::Errored | CheckResult::Unknown => paint.bad("!"),
        CheckResult::NotRun => paint.warn("-"),
    }
}

fn why(check: &Check) -> String {
    let word = match check.result {
        CheckResult::Passed => return String::new(),
        CheckResult::Failed => "failed",
        CheckResult::Errored => "could not be finished",
        CheckResult::NotRun => "not run",
        CheckResult::Unknown => "unknown result",
    };
    check.reason.as_ref().map_or_else(|| format!("  {word}"), |reason| format!("  {word}: {reason}"))
}

fn copies(summary: &Summary, paint: Paint) -> String {
    let mut text = String::new();
    if summary.replicas.is_empty() {
        return text;
    }
    let _ = writeln!(text, "\n  {}", paint.bold("Copies"));
    let name = width(summary.replicas.keys().cloned());
    for (region, copy) in &summary.replicas {
        let fact = match (copy.is_available(), &copy.error) {
            (true, _) => copy.snapshot_arn.clone().unwrap_or_default(),
            (false, Some(error)) => reason(error),
            (false, None) => copy.status.clone(),
        };
        let taken = copy.seconds.map(duration).unwrap_or_default();
        let proven = copy.validation.as_ref().is_none_or(|found| found.verdict == Verdict::Valid);
        let mark = if copy.is_available() && proven { paint.good("✔") } else { paint.bad("✘") };
        let _ = writeln!(text, "    {mark} {region:name$}  {taken:>8}  {fact}");
        if let Some(found) = &copy.validation {
            let _ = writeln!(text, "      {:name$}  {:>8}  {}", "", "", copy_verdict(found));
        }
    }
    text
}

/// What restoring a copy where it lies showed, in a line and one for each issue.
fn copy_verdict(found: &CopyValidation) -> String {
    let restored = found.restore_seconds.map(|taken| format!(" in {}", duration(taken))).unwrap_or_default();
    match found.verdict {
        Verdict::Valid => format!("restored there{restored}, and equal to the backup"),
        verdict => format!("{}: {}", verdict.word(), found.issues.join("; ")),
    }
}

fn footer(text: &mut String, summary: &Summary, around: &Around) {
    text.push('\n');
    if let Some(total) = summary.timings.total_seconds {
        let phases: Vec<_> = summary
            .timings
            .phases
            .iter()
            .filter_map(|phase| {
                phase.seconds.map(|taken| format!("{} {}", words(&phase.name), duration(taken)))
            })
            .collect();
        let detail = if phases.is_empty() { String::new() } else { format!("  ({})", phases.join(", ")) };
        row(text, "Time", &format!("{}{detail}", duration(total)));
    }
    let work: Vec<_> = [
        around.state_transitions.map(|n| count(n, "state transition")),
        summary.api_calls.map(|n| count(n, "API call")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !work.is_empty() {
        row(text, "Work", &work.join(", "));
    }
    row(text, "Record", &format!("table {}, operationId {}", around.table, summary.operation_id));
    if let Some(report) = &summary.report {
        row(text, "Report", &format!("s3://{}/{}", report.bucket, report.key));
    }
}

pub(crate) fn row(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "  {name:<11} {value}");
}

fn width(items: impl Iterator<Item = String>) -> usize {
    items.map(|item| item.chars().count()).max().unwrap_or(0)
}

/// A time in whole seconds; anything else as it is.
pub(crate) fn moment(text: &str) -> String {
    text.parse::<jiff::Timestamp>()
        .map_or_else(|_| text.to_owned(), |time| time.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn show(value: serde_json::Value) -> String {
        let parsed: Summary = serde_json::from_value(value).unwrap();
        let around = Around { state_transitions: Some(74), table: "DisasterRecoveryState".to_owned() };
        summary(&parsed, &around, Paint::PLAIN)
    }

    #[test]
    fn a_proven_backup_reads_well() {
        let text = show(json!({
            "operationId": "prod-db-20261120t060000z-3f9a1c2b7d", "databaseId": "prod-db", "runId": "2026-11-20T06:00:00Z",
            "status": "SUCCEEDED",
            "snapshot": {"id": "holdfast-prod-db-20261120t060000z-3f9a1c2b7d", "arn": "arn:aws:rds:us-east-1:1:snapshot:x",
                         "region": "us-east-1", "sizeGiB": 20, "encrypted": true, "createdAt": "2026-11-20T06:00:04.631Z"},
            "validation": {"verdict": "VALID", "restoreSeconds": 12.34, "databases": ["analytics", "shop"], "tables": 14, "rows": 345678,
                "issues": [], "checks": [
                    {"name": "rowCounts", "scope": "shop", "result": "passed", "durationMs": 210, "findings": []},
                    {"name": "foreignKeys", "scope": "analytics", "result": "passed", "durationMs": 1210.4, "findings": []}]},
            "replicas": {"us-west-2": {"status": "AVAILABLE", "snapshotArn": "arn:aws:rds:us-west-2:1:snapshot:x", "seconds": 4.2}},
            "timings": {"totalSeconds": 61.2, "phases": [{"name": "HEALTH_CHECKING", "seconds": 0.4}, {"name": "VALIDATING", "seconds": 30.0}]},
            "apiCalls": 112, "report": {"bucket": "meta", "key": "reports/prod-db-20261120t060000z-3f9a1c2b7d.json"}, "failure": null
        }));
        assert_eq!(
            text,
            "✔ prod-db is backed up, and this backup restores.

  Operation   prod-db-20261120t060000z-3f9a1c2b7d
  Snapshot    holdfast-prod-db-20261120t060000z-3f9a1c2b7d  (us-east-1, 20 GiB, encrypted, taken 2026-11-20 06:00:04Z)
  Verdict     VALID  restored in 12.3 s, 2 databases (analytics, shop), 14 tables, 345,678 rows read

  Checks
    ✔ row counts    shop         210 ms
    ✔ foreign keys  analytics     1.2 s

  Copies
    ✔ us-west-2     4.2 s  arn:aws:rds:us-west-2:1:snapshot:x

  Time        1 min 01 s  (health checking 400 ms, validating 30.0 s)
  Work        74 state transitions, 112 API calls
  Record      table DisasterRecoveryState, operationId prod-db-20261120t060000z-3f9a1c2b7d
  Report      s3://meta/reports/prod-db-20261120t060000z-3f9a1c2b7d.json
"
        );
    }

    #[test]
    fn a_refused_backup_says_why_first() {
        let text = show(json!({
            "operationId": "op", "databaseId": "prod-db", "status": "FAILED",
            "validation": {"verdict": "INVALID", "checks": [
                {"name": "content", "scope": "shop", "result": "failed", "reason": "2 tables differ", "durationMs": 5,
                 "findings": [{"object": "public.orders", "message": "invalid page in block 3"}]},
                {"name": "sequences", "scope": "shop", "result": "notRun", "reason": "the database was lost", "findings": null}]},
            "replicas": null,
            "failure": {"name": "Holdfast.ValidationFailed", "cause": "content of shop"},
            "leftovers": ["snapshot holdfast-op, tagged INVALID"]
        }));
        assert!(text.starts_with("✘ The backup of prod-db is refused"), "{text}");
        assert!(
            text.contains("Reason      Holdfast.ValidationFailed: 2 of 2 checks did not pass\n"),
            "{text}"
        );
        assert!(text.contains("Left behind snapshot holdfast-op, tagged INVALID\n"), "{text}");
        assert!(text.contains("✘ content    shop      5 ms  failed: 2 tables differ\n        public.orders: invalid page in block 3\n"), "{text}");
        assert!(text.contains("- sequences  shop  not run: the database was lost\n"), "{text}");
        assert!(!text.contains("Copies"), "{text}");
    }

    #[test]
    fn what_is_missing_of_the_baseline_is_said_and_nothing_when_nobody_asked() {
        let line = |baseline: serde_json::Value| {
            let text = show(json!({"databaseId": "prod-db", "status": "SUCCEEDED", "baseline": baseline}));
            text.lines().find(|line| line.contains("Baseline")).map(str::to_owned)
        };
        assert_eq!(line(json!(null)), None);
        assert_eq!(line(json!({"status": "NOT_ASKED"})), None);
        let taken = line(json!({"status": "TAKEN", "depth": "full"})).unwrap();
        assert_eq!(taken, "  Baseline    the source was read before and after, every row of it");
        let reason = json!({"name": "Holdfast.BaselineUnreadable", "cause": "wrong credentials"});
        let missing = line(json!({"status": "UNREADABLE", "depth": "catalog", "reason": reason})).unwrap();
        assert_eq!(missing, "  Baseline    not whole: Holdfast.BaselineUnreadable: wrong credentials");
        assert!(line(json!({"status": "SPLENDID"})).unwrap().contains("splendid"));
    }

    #[test]
    fn a_partial_backup_names_the_missing_region() {
        let text = show(json!({
            "operationId": "op", "databaseId": "prod-db", "status": "PARTIAL", "validation": {"verdict": "VALID"},
            "replicas": {"eu-west-1": {"status": "FAILED", "error": {"name": "Holdfast.KeyUnusable", "cause": "the key is disabled"}},
                         "us-west-2": {"status": "AVAILABLE", "snapshotArn": "arn"}}
        }));
        assert!(text.starts_with("▲ prod-db is backed up, but without a copy in eu-west-1."), "{text}");
        assert!(text.contains("✘ eu-west-1            Holdfast.KeyUnusable: the key is disabled"), "{text}");
    }

    #[test]
    fn what_restoring_a_copy_showed_stands_below_it() {
        let with = |validation: serde_json::Value| {
            show(json!({
                "operationId": "op", "databaseId": "prod-db", "status": "PARTIAL", "validation": {"verdict": "VALID"},
                "replicas": {"us-west-2": {"status": "AVAILABLE", "snapshotArn": "arn", "validation": validation}}
            }))
        };
        let text = with(
            json!({"verdict": "INVALID", "issues": ["content of shop failed: public.orders: 3 rows fewer"]}),
        );
        assert!(text.starts_with("▲ prod-db is backed up, but the copy in us-west-2 is INVALID."), "{text}");
        assert!(text.contains("✘ us-west-2"), "{text}");
        assert!(text.contains("INVALID: content of shop failed: public.orders: 3 rows fewer"), "{text}");
        let text = with(json!({"verdict": "VALID", "restoreSeconds": 12.34}));
        assert!(text.contains("✔ us-west-2"), "{text}");
        assert!(text.contains("restored there in 12.3 s, and equal to the backup"), "{text}");
    }

    #[test]
    fn a_backup_with_every_copy_and_something_left_behind_says_what() {
        let text = show(json!({
            "operationId": "op", "databaseId": "prod-db", "status": "PARTIAL", "validation": {"verdict": "VALID"},
            "replicas": {"us-west-2": {"status": "AVAILABLE", "snapshotArn": "arn"}},
            "leftovers": ["instance hfv-op in us-east-1 is deleting"]
        }));
        assert!(text.starts_with("▲ prod-db is backed up, but something is left behind."), "{text}");
        assert!(text.contains("hfv-op in us-east-1 is deleting"), "{text}");
    }

    #[test]
    fn what_was_cancelled_ended_as_asked() {
        let failure = json!({"name": "Holdfast.Cancelled", "cause": "cancelled while it was RESTORING"});
        let said = |kind: &str, more: serde_json::Value| {
            let mut all = json!({"type": kind, "operationId": "op", "databaseId": "prod-db", "status": "FAILED",
                "failure": failure});
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            show(all)
        };
        let text = said("BACKUP", json!({}));
        assert!(text.starts_with("▲ The backup of prod-db was cancelled, as asked.\n"), "{text}");
        assert!(
            text.contains("Reason      Holdfast.Cancelled: cancelled while it was RESTORING\n"),
            "{text}"
        );
        let text = said("RESTORE", json!({"restore": {"instanceId": "prod-db-2"}}));
        assert!(
            text.starts_with(
                "▲ The restore of prod-db was cancelled, as asked. prod-db-2 is there, and stays."
            ),
            "{text}"
        );
        let text =
            said("RESTORE", json!({"restore": {"instanceId": "prod-db-new"}, "swap": {"undone": true}}));
        assert!(text.contains("as asked. prod-db is what it was: the swap was undone."), "{text}");
        let text = said("REPLICATION", json!({}));
        assert!(text.starts_with("▲ The replication of prod-db was cancelled"), "{text}");
        // What failed by itself did not end as asked.
        let text = said("BACKUP", json!({"failure": {"name": "Holdfast.SnapshotFailed", "cause": "x"}}));
        assert!(text.starts_with("✘ The backup of prod-db failed."), "{text}");
    }

    #[test]
    fn what_was_not_looked_at_has_no_numbers() {
        let text = show(json!({"databaseId": "prod-db", "status": "SUCCEEDED",
            "validation": {"verdict": "NOT_RUN", "tables": 0, "rows": 0}}));
        assert!(text.contains("  Verdict     NOT RUN\n") && !text.contains("rows"), "{text}");
    }

    #[test]
    fn words_that_this_version_does_not_know_are_never_success() {
        let text =
            show(json!({"databaseId": "prod-db", "status": "GREAT", "validation": {"verdict": "SPLENDID"}}));
        assert!(text.starts_with("? The backup of prod-db ended in a way"), "{text}");
        assert!(text.contains("UNKNOWN"), "{text}");
    }
}
