//! How a restore ended, as text: what is there, what it was made from, what is lost, and whether it is proven.

use std::fmt::Write as _;

use crate::paint::Paint;
use crate::render::{checks, duration, moment, row, verdict_line};
use crate::restore::summary::{RecoveryPoint, RestorePlan, Restored};
use crate::summary::{Status, Summary, Verdict};

/// Everything but the head's and the foot's common rows.
pub(crate) fn body(text: &mut String, summary: &Summary, paint: Paint) {
    if let Some(plan) = &summary.plan {
        planned(text, plan);
    }
    if let Some(restored) = &summary.restore {
        database(text, restored);
    }
    if let (Some(validation), Some(_)) = (&summary.validation, &summary.restore) {
        row(text, "Verdict", &verdict_line(validation, paint));
        text.push_str(&checks(validation, paint));
        for unheld in validation.not_checked.iter().filter(|unheld| unheld.check == "against-manifest") {
            let _ = writeln!(text, "    {} against manifest  {}", paint.warn("-"), unheld.reason);
        }
    }
}

/// What happened, in one sentence.
pub(crate) fn headline(summary: &Summary, paint: Paint) -> String {
    let database = &summary.database_id;
    let verdict = summary.validation.as_ref().map_or(Verdict::NotRun, |validation| validation.verdict);
    let Some(restored) = &summary.restore else {
        return match summary.status {
            Status::Succeeded => paint.good(&format!(
                "✔ {database} can be brought back: everything it needs is there. Nothing was made."
            )),
            _ => paint.bad(&format!("✘ {database} was not brought back.")),
        };
    };
    let target = &restored.instance_id;
    match (summary.status, verdict) {
        (Status::Succeeded, Verdict::Valid) => {
            paint.good(&format!("✔ {target} is back, and what it holds is proven."))
        }
        (Status::Succeeded, _) => {
            paint.good(&format!("✔ {target} is back. What it holds was not looked at."))
        }
        (Status::Partial, Verdict::Valid | Verdict::NotRun) => {
            paint.warn(&format!("▲ {target} is back, but not quite as it was asked for."))
        }
        (Status::Partial, _) => paint.warn(&format!("▲ {target} is back, but what it holds is not proven.")),
        (Status::Failed, Verdict::Invalid) => {
            paint.bad(&format!("✘ {target} is there, but what it holds is wrong: do not use it."))
        }
        (Status::Failed, _) => paint.bad(&format!("✘ Bringing {database} back failed; {target} is there.")),
        (Status::Unknown, _) => {
            paint.bad(&format!("? The restore of {database} ended in a way this version does not know."))
        }
    }
}

fn planned(text: &mut String, plan: &RestorePlan) {
    row(text, "From", &point(&plan.recovery_point));
    if let Some(lost) = &plan.lost {
        let line = format!(
            "what was written after {} ({} before this was planned)",
            moment(&lost.since),
            duration(lost.seconds)
        );
        row(text, "Lost", &line);
    }
    let wanted = &plan.wanted;
    let zones = if wanted.multi_az { "Multi-AZ" } else { "one zone" };
    let classes = wanted.instance_classes.join(" or ");
    row(text, "Made", &format!("{} in {}: {classes}, {zones}", plan.target_id, plan.region));
    row(text, "Settings", &format!("as {} had them", plan.blueprint_of));
    let there = plan.references.iter().filter(|reference| reference.problem.is_none());
    let names: Vec<String> =
        there.map(|reference| format!("{} {}", reference.what, reference.name)).collect();
    row(text, "Needs", &format!("{}: there", names.join(", ")));
    for reference in &plan.references {
        if let Some(problem) = &reference.problem {
            row(text, "", &format!("{} {} {problem}", reference.what, reference.name));
        }
    }
}

fn point(point: &RecoveryPoint) -> String {
    if let Some(resource) = &point.resource_id {
        let time = point.time.as_ref().or(point.latest.as_ref()).map(|time| moment(time)).unwrap_or_default();
        return format!("the log of {resource} up to {time}");
    }
    let verdict = point.verdict.as_deref().unwrap_or("never validated");
    let taken = point.taken_at.as_ref().map(|time| format!(", data of {}", moment(time))).unwrap_or_default();
    format!("snapshot {}  ({verdict}{taken})", point.id.as_deref().unwrap_or_default())
}

fn database(text: &mut String, restored: &Restored) {
    let endpoint = &restored.endpoint;
    let line = format!(
        "{}:{}  ({}, there after {})",
        endpoint.host,
        endpoint.port,
        restored.class,
        duration(restored.timings.settled_seconds)
    );
    row(text, "Endpoint", &line);
    for difference in &restored.differences {
        row(text, "Otherwise", difference);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::paint::Paint;
    use crate::render::{Around, summary};

    fn show(more: Value) -> String {
        let mut all = json!({
            "type": "RESTORE", "operationId": "prod-db-r1-0123456789", "databaseId": "prod-db", "status": "SUCCEEDED",
            "plan": {
                "region": "us-east-1", "targetId": "prod-db", "blueprintOf": "prod-db-r0-0123456789",
                "recoveryPoint": {"kind": "snapshot", "id": "holdfast-prod-db-r0-0123456789", "verdict": "VALID",
                                  "takenAt": "2026-11-20T06:00:04Z"},
                "lost": {"since": "2026-11-20T06:00:04Z", "seconds": 7200.0},
                "wanted": {"instanceClasses": ["db.m6g.large"], "multiAz": true},
                "references": [{"what": "subnet group", "name": "prod"}, {"what": "KMS key", "name": "k"}]},
            "restore": {"instanceId": "prod-db", "class": "db.m6g.large", "differences": [],
                "endpoint": {"host": "prod-db.example", "port": 5432},
                "timings": {"requestedAt": "2026-11-20T08:00:05Z", "availableSeconds": 300.0, "settledSeconds": 420.0}},
            "validation": {"verdict": "VALID", "rows": 12, "tables": 3, "databases": ["shop"], "checks": []},
            "timings": {"totalSeconds": 500.0, "phases": []}
        });
        for (name, value) in more.as_object().unwrap() {
            all[name] = value.clone();
        }
        let around = Around { state_transitions: None, table: "T".into() };
        summary(&serde_json::from_value(all).unwrap(), &around, Paint::PLAIN)
    }

    #[test]
    fn a_database_that_is_back_says_from_what_and_what_is_lost() {
        let text = show(json!({}));
        assert_eq!(
            text,
            "✔ prod-db is back, and what it holds is proven.

  Operation   prod-db-r1-0123456789
  From        snapshot holdfast-prod-db-r0-0123456789  (VALID, data of 2026-11-20 06:00:04Z)
  Lost        what was written after 2026-11-20 06:00:04Z (2 h 00 min before this was planned)
  Made        prod-db in us-east-1: db.m6g.large, Multi-AZ
  Settings    as prod-db-r0-0123456789 had them
  Needs       subnet group prod, KMS key k: there
  Endpoint    prod-db.example:5432  (db.m6g.large, there after 7 min 00 s)
  Verdict     VALID  1 database (shop), 3 tables, 12 rows read

  Time        8 min 20 s
  Record      table T, operationId prod-db-r1-0123456789
"
        );
    }

    #[test]
    fn no_end_claims_more_than_there_is() {
        for (more, said) in [
            (
                json!({"restore": null, "validation": null}),
                "✔ prod-db can be brought back: everything it needs is there.",
            ),
            (
                json!({"restore": null, "validation": null, "plan": null, "status": "FAILED"}),
                "✘ prod-db was not brought back.",
            ),
            (
                json!({"validation": {"verdict": "NOT_RUN"}}),
                "✔ prod-db is back. What it holds was not looked at.",
            ),
            (json!({"status": "PARTIAL"}), "▲ prod-db is back, but not quite as it was asked for."),
            (
                json!({"status": "PARTIAL", "validation": {"verdict": "INCONCLUSIVE"}}),
                "▲ prod-db is back, but what it holds is not proven.",
            ),
            (
                json!({"status": "FAILED", "validation": {"verdict": "INVALID"}}),
                "✘ prod-db is there, but what it holds is wrong",
            ),
            (
                json!({"status": "FAILED", "validation": null}),
                "✘ Bringing prod-db back failed; prod-db is there.",
            ),
            (json!({"status": "SPLENDID"}), "? The restore of prod-db ended in a way"),
        ] {
            let text = show(more);
            assert!(text.starts_with(said), "{text}");
        }
        let text = show(
            json!({"status": "PARTIAL", "restore": {"instanceId": "prod-db", "differences": ["Multi-AZ: off; asked for: on"]}}),
        );
        assert!(text.contains("Otherwise   Multi-AZ: off; asked for: on\n"), "{text}");
    }
}
