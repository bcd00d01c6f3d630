//! How a restore ended, as text: what is there, what it was made from, what is lost, and whether it is proven.

use std::fmt::Write as _;

use crate::paint::Paint;
use crate::render::{checks, duration, moment, row, verdict_line};
use crate::restore::summary::{Endpoint, RecoveryPoint, RestorePlan, Restored, SwapPlan, Swapped};
use crate::summary::{Status, Summary, Verdict};

/// What a plan says of settings that are those of the instance itself.
const THE_SOURCE: &str = "the source";

/// Everything but the head's and the foot's common rows.
pub(crate) fn body(text: &mut String, summary: &Summary, paint: Paint) {
    if let Some(plan) = &summary.plan {
        planned(text, plan, summary.restore.is_some());
    }
    if let Some(restored) = &summary.restore {
        let moved = summary.swap.as_ref().and_then(|swap| swap.endpoint.as_ref());
        database(text, restored, moved.unwrap_or(&restored.endpoint));
    }
    if let (Some(validation), Some(_)) = (&summary.validation, &summary.restore) {
        row(text, "Verdict", &verdict_line(validation, paint));
        text.push_str(&checks(validation, paint));
        for unheld in validation.not_checked.iter().filter(|unheld| unheld.check == "against-manifest") {
            let _ = writeln!(text, "    {} against manifest  {}", paint.warn("-"), unheld.reason);
        }
    }
    if let Some(swap) = &summary.swap {
        swapped(text, swap, paint);
    }
}

/// Who answers to the name of a database whose swap was not undone to the end, as the cause says it (`swap-database`, and the page of
/// the error).
fn not_undone(database: &str, cause: &str) -> String {
    if cause.contains("still to be set back") {
        format!(
            "✘ {database} is what it was, but what points to it could not all be set back: see the cause."
        )
    } else if cause.contains("what was restored keeps the name") {
        format!("✘ The swap of {database} could not be undone: what was restored has its name, and answers.")
    } else {
        format!("✘ The swap of {database} could not be undone: perhaps nobody has its name. Look at once.")
    }
}

/// What happened, in one sentence.
pub(crate) fn headline(summary: &Summary, paint: Paint) -> String {
    let database = &summary.database_id;
    if let Some(failure) = summary.failure.as_ref().filter(|failure| failure.name == "Holdfast.SwapNotUndone")
    {
        return paint.bad(&not_undone(database, &failure.cause));
    }
    if summary.swap.as_ref().is_some_and(|swap| swap.undone) {
        return paint.bad(&format!("✘ {database} is what it was: the swap was undone."));
    }
    let verdict = summary.validation.as_ref().map_or(Verdict::NotRun, |validation| validation.verdict);
    let Some(restored) = &summary.restore else {
        let unproven = summary.plan.as_ref().is_some_and(|plan| plan.unproven.is_some());
        let is_taken = summary.plan.as_ref().is_some_and(|plan| plan.name_taken.is_some());
        return match summary.status {
            Status::Succeeded if unproven => paint.warn(&format!(
                "▲ {database} can be brought back, but whether it is right could not be proven. Nothing was made."
            )),
            Status::Succeeded if is_taken => paint.warn(&format!(
                "▲ {database} can be brought back: everything it needs is there, but the name is taken now. Nothing was made."
            )),
            Status::Succeeded => paint.good(&format!(
                "✔ {database} can be brought back: everything it needs is there. Nothing was made."
            )),
            _ => paint.bad(&format!("✘ {database} was not brought back.")),
        };
    };
    let swap_planned = summary.plan.as_ref().is_some_and(|plan| plan.swap.is_some());
    if summary.swap.is_none() && swap_planned && summary.status == Status::Partial {
        let why = match (&restored.differences[..], verdict) {
            ([], Verdict::Valid | Verdict::NotRun) => "see its record",
            ([], _) => "what it holds is not proven",
            _ => "it is not as it was asked for",
        };
        return paint.warn(&format!("▲ {} is there and was not swapped in: {why}.", restored.instance_id));
    }
    let target = summary.swap.as_ref().map_or(&restored.instance_id, |swap| &swap.instance_id);
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

/// `made` when it is the plan of something that was made. A swap's names end in digits of the run, and what only plans is a
/// run of its own: then they are left out.
fn planned(text: &mut String, plan: &RestorePlan, made: bool) {
    let named = |name: &str| match (made || plan.swap.is_none(), name.rsplit_once('-')) {
        (false, Some((stem, _))) => format!("{stem}-..."),
        _ => name.to_owned(),
    };
    row(text, "From", &point(&plan.recovery_point));
    if let Some(lost) = &plan.lost {
        let line = format!(
            "what was written after {} ({} before this was planned)",
            moment(&lost.since),
            duration(lost.seconds)
        );
        row(text, "Lost", &line);
    }
    if let Some(newer) = &plan.newer {
        let line = format!(
            "snapshot {}  (VALID, data of {}): restored without --latest; this log ends before it",
            newer.id,
            moment(&newer.taken_at)
        );
        row(text, "Newer", &line);
    }
    if let Some(further) = &plan.further {
        let line = format!(
            "the log of {} reaches to {}: restored with --latest",
            further.resource_id,
            moment(&further.latest)
        );
        row(text, "Newer", &line);
    }
    if let Some(why) = &plan.name_taken {
        row(text, "Name", &format!("taken now. {why}"));
    }
    let wanted = &plan.wanted;
    let zones = if wanted.multi_az { "Multi-AZ" } else { "one zone" };
    let classes = wanted.instance_classes.join(" or ");
    row(text, "Made", &format!("{} in {}: {classes}, {zones}", named(&plan.target_id), plan.region));
    row(text, "Settings", &settings_of(plan));
    let there = plan.references.iter().filter(|reference| reference.problem.is_none());
    for (nth, reference) in there.enumerate() {
        let seen = match &reference.unseen {
            None => "there".to_owned(),
            Some(why) => format!("not looked up ({why})"),
        };
        let name = if nth == 0 { "Needs" } else { "" };
        row(text, name, &format!("{} {}: {seen}", reference.what, reference.name));
    }
    // A swap gives it the database's own name in the end.
    let id = plan.swap.as_ref().and_then(|_| plan.target_id.rsplit_once("-new-"));
    let id = id.map_or(plan.target_id.as_str(), |(database, _)| database);
    for (nth, sentence) in wanted.attached.by_hand(id).iter().enumerate() {
        row(text, if nth == 0 { "By hand" } else { "" }, sentence);
    }
    if let Some(why) = plan.unproven.as_ref().filter(|_| !made) {
        row(text, "Proof", &format!("none: {why}"));
    }
    if let Some(swap) = &plan.swap {
        row(text, "Swap", &to_swap(swap, named));
    }
    for reference in &plan.references {
        if let Some(problem) = &reference.problem {
            row(text, "", &format!("{} {} {problem}", reference.what, reference.name));
        }
    }
}

/// Where the settings come from: the instance as it is now, or what a backup kept of it when it was taken.
fn settings_of(plan: &RestorePlan) -> String {
    let backup = &plan.blueprint_of;
    if backup == THE_SOURCE {
        return "as the database has them now".to_owned();
    }
    let taken = plan.recovery_point.taken_at.as_ref().map(|time| moment(time));
    match taken {
        Some(taken) if plan.recovery_point.id.as_ref() == Some(&format!("holdfast-{backup}")) => {
            format!("as the database had them when this backup was taken, at {taken}")
        }
        _ => format!("as the database had them when another backup was taken ({backup})"),
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

fn to_swap(swap: &SwapPlan, named: impl Fn(&str) -> String) -> String {
    let mut said = match (&swap.old, swap.after.as_str()) {
        (Some(old), "stop") => {
            vec![format!("what has the name now becomes {} and is stopped", named(&old.aside_id))]
        }
        (Some(old), _) => vec![format!("what has the name now becomes {} and goes on", named(&old.aside_id))],
        (None, _) => vec!["nobody has the name".to_owned()],
    };
    said.extend(swap.record.iter().map(|record| format!("record {} is repointed", record.name)));
    said.extend(swap.secret.iter().map(|secret| format!("secret {} is set", secret.arn)));
    said.join("; ")
}

fn swapped(text: &mut String, swap: &Swapped, paint: Paint) {
    if swap.undone {
        return;
    }
    let outage = swap.outage_seconds.map(|seconds| format!("nobody answered for {}", duration(seconds)));
    let old = swap
        .old_id
        .as_ref()
        .map(|old| format!("what had the name is {old}{}", if swap.old_stopped { ", stopped" } else { "" }));
    let said: Vec<String> = outage.into_iter().chain(old).collect();
    row(text, "Swapped", &if said.is_empty() { "nobody had the name".to_owned() } else { said.join("; ") });
    if let (Some(lost), Some(old)) = (swap.lost_seconds, &swap.old_id) {
        row(
            text,
            "",
            &format!("what was written in the last {} before that is in {old} only", duration(lost)),
        );
    }
    for pointed in &swap.repointed {
        row(text, "", pointed);
    }
    for check in &swap.smoke_checks {
        let mark = if check.passed { paint.good("✔") } else { paint.bad("✘") };
        let _ = writeln!(text, "    {mark} {}", check.name);
    }
}

fn database(text: &mut String, restored: &Restored, endpoint: &Endpoint) {
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
    fn a_plan_whose_name_is_taken_says_so_beside_the_rest_and_names_the_log_that_has_more() {
        let text = show(json!({"restore": null, "validation": null, "plan": {
            "region": "us-east-1", "targetId": "prod-db", "nameTaken": "targetId: it is there",
            "further": {"resourceId": "db-LOG", "latest": "2026-11-20T06:30:00.5Z"},
            "references": [{"what": "subnet group", "name": "prod"}]}}));
        let headline = "▲ prod-db can be brought back: everything it needs is there, but the name is taken now. Nothing was made.";
        assert!(text.starts_with(headline), "{text}");
        assert!(text.contains("  Name        taken now. targetId: it is there\n"), "{text}");
        assert!(
            text.contains(
                "  Newer       the log of db-LOG reaches to 2026-11-20 06:30:00Z: restored with --latest\n"
            ),
            "{text}"
        );
        assert!(text.contains("  Needs       subnet group prod: there\n"), "{text}");
    }

    #[test]
    fn a_reference_that_nobody_could_look_up_is_not_said_to_be_there() {
        let role =
            json!([{"what": "Enhanced Monitoring role", "name": "arn", "unseen": "GetRole r: no answer"}]);
        let mut plan = json!({"plan": {"region": "us-east-1", "targetId": "prod-db", "references": []}});
        plan["plan"]["references"] = role;
        let text = show(plan);
        assert!(
            text.contains("Needs       Enhanced Monitoring role arn: not looked up (GetRole r: no answer)"),
            "{text}"
        );
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
  Settings    as the database had them when this backup was taken, at 2026-11-20 06:00:04Z
  Needs       subnet group prod: there
              KMS key k: there
  Endpoint    prod-db.example:5432  (db.m6g.large, there after 7 min 00 s)
  Verdict     VALID  1 database (shop), 3 tables, 12 rows read

  Time        8 min 20 s
  Record      table T, operationId prod-db-r1-0123456789
"
        );
    }

    #[test]
    fn a_swap_says_who_has_which_name_and_for_how_long_nobody_had_it() {
        let swap = json!({"instanceId": "prod-db", "oldId": "prod-db-old-0123456789", "oldStopped": true,
            "outageSeconds": 95.0, "lostSeconds": 300.0, "endpoint": {"host": "prod-db.after", "port": 5432}, "repointed": ["record db.example.com at prod-db.example"],
            "smokeChecks": [{"name": "https://shop.example.com/health", "passed": true}]});
        let restore = json!({"instanceId": "prod-db-new-0123456789"});
        let text = show(json!({"swap": swap, "restore": restore}));
        assert!(text.starts_with("✔ prod-db is back, and what it holds is proven."), "{text}");
        let said = "
  Swapped     nobody answered for 1 min 35 s; what had the name is prod-db-old-0123456789, stopped
              what was written in the last 5 min 00 s before that is in prod-db-old-0123456789 only
              record db.example.com at prod-db.example
    ✔ https://shop.example.com/health
";
        assert!(text.contains(said) && text.contains("Endpoint    prod-db.after:5432"), "{text}");
        let undone = json!({"swap": {"undone": true, "instanceId": "prod-db"}, "status": "FAILED",
            "failure": {"name": "Holdfast.SmokeCheckFailed", "cause": "it answered 503, not 200", "leftovers": []}});
        assert!(show(undone).starts_with("✘ prod-db is what it was: the swap was undone."));
        for (cause, said) in [
            ("x", "✘ The swap of prod-db could not be undone: perhaps nobody has its name."),
            (
                "what was prod-db before the swap does not get its name back: it is failed; what was restored keeps the name",
                "✘ The swap of prod-db could not be undone: what was restored has its name, and answers.",
            ),
            (
                "prod-db is what it was before the swap; still to be set back: record db: AccessDenied",
                "✘ prod-db is what it was, but what points to it could not all be set back",
            ),
        ] {
            let failure = json!({"name": "Holdfast.SwapNotUndone", "cause": cause, "leftovers": []});
            let text = show(json!({"status": "FAILED", "failure": failure}));
            assert!(text.starts_with(said), "{text}");
        }
    }

    #[test]
    fn a_swap_that_is_only_planned_claims_no_digits_that_the_run_will_not_have() {
        let plan = json!({"region": "us-east-1", "targetId": "prod-db-new-0123456789",
            "swap": {"old": {"asideId": "prod-db-old-0123456789"}, "after": "keep"}});
        let text = show(json!({"restore": null, "validation": null, "plan": plan}));
        assert!(text.contains("  Made        prod-db-new-... in us-east-1"), "{text}");
        assert!(text.contains("becomes prod-db-old-... and goes on"), "{text}");
        let made = show(json!({"plan": plan}));
        assert!(made.contains("prod-db-new-0123456789 in us-east-1"), "{made}");
        assert!(made.contains("becomes prod-db-old-0123456789 and goes on"), "{made}");
    }

    #[test]
    fn what_a_person_has_to_attach_again_is_said_with_the_command() {
        let attached = json!({"readReplicas": ["prod-db-ro"], "masterUserSecret": "arn:secret"});
        let plan = |target: &str, swap: serde_json::Value| {
            let plan = json!({"targetId": target, "swap": swap, "wanted": {"attached": attached}});
            show(json!({"plan": plan}))
        };
        let text = plan("prod-db", json!(null));
        assert!(text.contains("  By hand     the master password, which RDS kept in arn:secret"), "{text}");
        assert!(text.contains("make new ones of prod-db\n"), "{text}");
        // What is swapped in has the database's name in the end.
        let text = plan("prod-db-new-0123456789", json!({"after": "keep"}));
        assert!(text.contains("make new ones of prod-db\n"), "{text}");
        assert!(!show(json!({})).contains("By hand"));
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
            (
                json!({"restore": null, "validation": null, "plan": {"unproven": "no login"}}),
                "▲ prod-db can be brought back, but whether it is right could not be proven. Nothing was made.",
            ),
            (
                json!({"status": "PARTIAL", "validation": {"verdict": "INCONCLUSIVE"},
                       "plan": {"swap": {"after": "keep"}}}),
                "▲ prod-db is there and was not swapped in: what it holds is not proven.",
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
