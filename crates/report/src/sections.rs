//! What surrounds the verdict: what it was held against, times, copies, identity, request, and where to get it again.

use holdfast_core::baseline::BaselineStatus;
use holdfast_core::operation::ReplicaStatus;
use holdfast_core::validation::{Check, CheckResult, Verdict};
use serde_json::Value;

use crate::document::Report;
use crate::findings::LONGEST_REASON;
use crate::words::{count, cut, duration, moment, words};

/// The checks of `holdfast-verify` that hold the data against something.
const AGAINST_MANIFEST: &str = "against-manifest";
const AGAINST_BASELINE: &str = "against-baseline";
const SCHEMA: &str = "schema";

/// What the notes of the schema's check call the backup that it was held against.
const LAST_VALIDATED: &str = "last validated backup";

/// A name and what stands behind it.
#[derive(Debug)]
pub(crate) struct Fact {
    pub name: &'static str,
    pub value: String,
    /// How it is set, as the style sheet calls it.
    pub class: &'static str,
}

fn fact(name: &'static str, value: impl Into<String>) -> Fact {
    Fact { name, value: value.into(), class: "" }
}

/// Something to be copied letter by letter: an ARN, a command.
fn literal(name: &'static str, value: impl Into<String>) -> Fact {
    Fact { name, value: value.into(), class: "literal wide" }
}

/// One thing that the restored data was, or was not, held against.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub with: &'static str,
    pub outcomes: Vec<String>,
}

/// What the data was held against, all three always: one that was not there is said to be missing.
pub(crate) fn compared(report: &Report) -> Vec<Comparison> {
    if matches!(report.verdict(), None | Some(Verdict::NotRun)) {
        return vec![];
    }
    let against = |name: &str, otherwise: &str| {
        let found = report.checks().iter().find(|check| check.name == name);
        vec![found.map_or_else(|| format!("not compared: {otherwise}"), outcome)]
    };
    vec![
        Comparison { with: "Last validated backup", outcomes: with_last_validated(report) },
        Comparison {
            with: "Source at the time of the snapshot",
            outcomes: against(AGAINST_BASELINE, &without_baseline(report)),
        },
        Comparison {
            with: "Another restore of this backup",
            outcomes: against(AGAINST_MANIFEST, "no manifest of it was given"),
        },
    ]
}

fn with_last_validated(report: &Report) -> Vec<String> {
    let details = report.validation_details.as_ref();
    let named = details.and_then(|details| details.reference_operation_id.as_ref());
    let told = report
        .checks()
        .iter()
        .filter(|check| check.name == SCHEMA && mentions_last_validated(check))
        .map(|check| format!("{}: {}", check.scope, outcome(check)));
    let told: Vec<String> = named.cloned().into_iter().chain(told).collect();
    if told.is_empty() { vec!["not compared: there was none to be held against".to_owned()] } else { told }
}

fn mentions_last_validated(check: &Check) -> bool {
    let findings = check.findings.iter().map(|finding| finding.message.as_str());
    check.reason.as_deref().into_iter().chain(findings).any(|text| text.contains(LAST_VALIDATED))
}

fn without_baseline(report: &Report) -> String {
    let Some(baseline) = &report.baseline else { return "no baseline of the source was taken".to_owned() };
    match (baseline.status, &baseline.reason) {
        (BaselineStatus::NotAsked, _) => "no baseline of the source was asked for".to_owned(),
        (BaselineStatus::Taken, _) => "the baseline was taken and not used".to_owned(),
        (BaselineStatus::Unreadable, Some(reason)) => {
            format!("the source could not be read: {}", cut(&reason.cause, LONGEST_REASON))
        }
        (BaselineStatus::Unreadable, None) => "the source could not be read".to_owned(),
    }
}

fn outcome(check: &Check) -> String {
    let word = match check.result {
        CheckResult::Passed => "passed",
        CheckResult::Failed => "FAILED",
        CheckResult::Errored => "not finished",
        CheckResult::NotRun => "not run",
    };
    match &check.reason {
        Some(reason) => format!("{word}, {}", cut(reason, LONGEST_REASON)),
        None => word.to_owned(),
    }
}

/// One phase of the operation.
#[derive(Debug)]
pub(crate) struct PhaseRow {
    pub name: String,
    pub started: String,
    pub time: String,
}

/// The phases in order.
pub(crate) fn phases(report: &Report) -> Vec<PhaseRow> {
    let row = |phase: &crate::document::PhaseTime| PhaseRow {
        name: words(&phase.name),
        started: moment(phase.started_at),
        time: duration(phase.seconds),
    };
    report.timings.phases.iter().map(row).collect()
}

/// The snapshot, or a copy of it.
#[derive(Debug)]
pub(crate) struct Copy {
    pub region: String,
    pub state: String,
    pub class: &'static str,
    pub arn: String,
    pub key: String,
    pub time: String,
}

/// The snapshot and its copies by Region. A Region that was asked for and has no entry was never started.
pub(crate) fn copies(report: &Report) -> Vec<Copy> {
    let mut copies: Vec<Copy> = Vec::new();
    if let Some(snapshot) = &report.snapshot {
        copies.push(Copy {
            region: snapshot.region.to_string(),
            state: "✓ snapshot".to_owned(),
            class: "good",
            arn: snapshot.arn.clone(),
            key: String::new(),
            time: String::new(),
        });
    }
    for (region, copy) in &report.replicas {
        let verdict = copy.validation.as_ref().map(|found| found.verdict);
        let (state, class) = match (copy.status, verdict) {
            (ReplicaStatus::Failed, _) => ("✗ NO COPY", "bad"),
            (ReplicaStatus::Available, None) => ("✓ available", "good"),
            (ReplicaStatus::Available, Some(Verdict::Valid)) => ("✓ restored, equal", "good"),
            (ReplicaStatus::Available, Some(Verdict::Invalid)) => ("✗ INVALID", "bad"),
            (ReplicaStatus::Available, Some(Verdict::Inconclusive | Verdict::NotRun)) => {
                ("? not proven", "open")
            }
        };
        copies.push(Copy {
            region: region.clone(),
            state: state.to_owned(),
            class,
            arn: copy.snapshot_arn.clone().unwrap_or_default(),
            key: copy.kms_key_id.clone().unwrap_or_default(),
            time: copy.seconds.map(duration).unwrap_or_default(),
        });
    }
    for target in &report.request.target_regions {
        if !report.replicas.contains_key(&target.region) {
            copies.push(Copy {
                region: target.region.clone(),
                state: "– not started".to_owned(),
                class: "open",
                arn: String::new(),
                key: String::new(),
                time: String::new(),
            });
        }
    }
    copies
}

/// What this report is about, so that it can be told from every other one.
pub(crate) fn identity(report: &Report) -> Vec<Fact> {
    let unknown = || "not known".to_owned();
    let engine = report.health.as_ref().map(|health| format!("{} {}", health.engine, health.engine_version));
    let mut facts =
        vec![fact("Database", &report.database_id), fact("Engine", engine.unwrap_or_else(unknown))];
    match &report.snapshot {
        Some(snapshot) => {
            facts.push(fact("Data of", snapshot.created_at.map_or_else(unknown, moment)));
            let encrypted = if snapshot.encrypted { "encrypted" } else { "NOT encrypted" };
            facts.push(fact("Storage", format!("{} GiB, {encrypted}", snapshot.size_gib)));
        }
        None => facts.push(fact("Snapshot", "none was made")),
    }
    facts.push(fact("Started", moment(report.timings.started_at)));
    facts.push(fact("Ended", report.timings.ended_at.map_or_else(unknown, moment)));
    if let Some(details) = &report.validation_details {
        let class = details.instance_class.as_deref();
        let server =
            details.manifest.as_ref().map(|manifest| format!("PostgreSQL {}", manifest.server_version));
        let restored: Vec<&str> = class.into_iter().chain(server.as_deref()).collect();
        if !restored.is_empty() {
            facts.push(fact("Restored to", restored.join(", ")));
        }
    }
    facts.push(fact("AWS calls", report.api_calls.to_string()));
    // The snapshot's ARN stands with its copies.
    facts.push(fact("Run", &report.run_id));
    facts.push(Fact { class: "literal", ..literal("Operation", &report.operation_id) });
    facts.push(literal("Execution", &report.owner));
    facts
}

/// What was asked for.
pub(crate) fn request(report: &Report) -> Vec<Fact> {
    let request = &report.request;
    let listed = |texts: Vec<String>| if texts.is_empty() { "none".to_owned() } else { texts.join(", ") };
    let tags = request.tags.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let regions = request.target_regions.iter().map(|target| target.region.clone()).collect();
    let minutes = request.deadline_minutes;
    let mut facts = vec![
        fact("Tier", &request.tier),
        fact("Copies to", listed(regions)),
        fact("Tags", cut(&listed(tags), 2 * LONGEST_REASON)),
        fact("Deadline", duration(minutes * 60.0)),
    ];
    if !request.validation.enabled {
        facts.push(fact("Validation", "switched off"));
        return facts;
    }
    facts.push(fact("Checks", checks_asked_for(report)));
    let share = request.validation.copy_share;
    if share > 0.0 && !request.target_regions.is_empty() {
        facts.push(fact(
            "Copies restored",
            if share < 1.0 { format!("{share} of them") } else { "each".to_owned() },
        ));
    }
    facts.push(fact("Assertions", count(request.validation.assertions.len() as u64, "statement")));
    if !request.validation.allow_missing_tables.is_empty() {
        let tables = request.validation.allow_missing_tables.join(", ");
        facts.push(fact("May be missing", cut(&tables, 2 * LONGEST_REASON)));
    }
    facts
}

/// Which checks differ from the default, which is everything.
fn checks_asked_for(report: &Report) -> String {
    let asked = &report.request.validation.checks;
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_f64);
    let mut less = Vec::new();
    let mut more = Vec::new();
    for (name, asked) in asked {
        match (name.as_str(), asked.as_str()) {
            (_, Some("full" | "fast")) => {}
            ("digest", Some("cryptographic")) => more.push("cryptographic digests".to_owned()),
            ("freshness", _) => {
                more.extend(number(asked, "maxAgeMinutes").map(|minutes| {
                    format!("data at most {} older than the snapshot", duration(minutes * 60.0))
                }))
            }
            (name, Some(word)) => less.push(format!("{} {word}", words(name))),
            (name, None) => match number(asked, "samplePercent") {
                Some(percent) => less.push(format!("{} {percent} % of the pages", words(name))),
                None => less.push(format!("{} {asked}", words(name))),
            },
        }
    }
    let all = if less.is_empty() {
        "all, in full".to_owned()
    } else {
        format!("all in full but {}", less.join(", "))
    };
    std::iter::once(all).chain(more).collect::<Vec<String>>().join("; ")
}

/// How to get the report again, and all that this page cuts.
pub(crate) fn again(report: &Report) -> Vec<Fact> {
    let (id, place) = (&report.operation_id, &report.report);
    let json = format!("s3://{}/{}", place.bucket, place.key);
    let objects = if place.html_key.is_some() { format!("{json} (this page: .html)") } else { json };
    vec![
        literal("This page", format!("holdfast backup report {id} --html report.html")),
        literal("All of it", format!("holdfast backup report {id} --json")),
        literal("In S3", objects),
    ]
}
