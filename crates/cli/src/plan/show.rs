//! What a plan means, as text and as JSON: every default filled in, and when each backup comes.

use std::fmt::Write as _;

use holdfast_core::ids::DatabaseId;
use holdfast_core::objectives::{Importance, Objectives};
use holdfast_core::request::{BackupRequest, Tier};
use holdfast_protection::cadence::expressions;
use holdfast_protection::{Entry, PlanFile, Selector, Settings};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::kept;
use crate::paint::Paint;
use crate::render::count;

/// Times that are shown of each schedule.
const TIMES: usize = 3;

/// Stands for whatever database tags mean.
const ANY: &str = "a-database";

/// `critical`, ...
pub(super) fn importance(importance: Importance) -> &'static str {
    match importance {
        Importance::Critical => "critical",
        Importance::Standard => "standard",
        Importance::Low => "low",
    }
}

/// What a database is held to, in a line; both names are written, as the pair is often read the other way round.
pub(super) fn held_to(objectives: &Objectives) -> String {
    format!("RTO {}, RPO {}", time(objectives.rto_seconds), time(objectives.rpo_seconds))
}

/// A time as somebody sets it: `30 min`, `1 h 30 min`, `2 d`.
fn time(seconds: u64) -> String {
    let units = [
        (seconds / 86_400, "d"),
        (seconds / 3600 % 24, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let parts: Vec<String> = units
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    parts.join(" ")
}

fn database(entry: &Entry) -> &str {
    match &entry.selector {
        Selector::Id(id) => id.as_str(),
        Selector::Tags(_) => ANY,
    }
}

/// An expression and its next times.
type Next = Option<(String, Vec<Timestamp>)>;

/// The next times of each schedule, with its expression; none where they depend on the database's name.
fn times(entry: &Entry, now: Timestamp) -> Vec<(Tier, Next)> {
    let all = DatabaseId::parse(database(entry))
        .ok()
        .and_then(|id| expressions(&id, &entry.settings.schedules).ok());
    let of = |tier: Tier| {
        let named = matches!(entry.selector, Selector::Id(_)) || entry.settings.schedules[&tier].has_time();
        let cron = all.as_ref()?.get(&tier).filter(|_| named)?;
        Some((cron.to_string(), cron.after(now).take(TIMES).collect()))
    };
    entry.settings.schedules.keys().map(|tier| (*tier, of(*tier))).collect()
}

/// The whole plan, ending with a newline.
pub(super) fn table(plan: &PlanFile, now: Timestamp, paint: Paint) -> String {
    let mut text = String::new();
    let entries = if plan.entries.len() == 1 {
        "1 entry".to_owned()
    } else {
        format!("{} entries", plan.entries.len())
    };
    let _ = writeln!(text, "Plan {}: {entries}. Times are UTC.", plan.name);
    for entry in &plan.entries {
        let settings = &entry.settings;
        let about = format!("{}, {}", settings.environment, importance(settings.importance));
        let _ = writeln!(text, "\n{}  ({about})", paint.bold(&entry.selector.to_string()));
        let mut row = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<12} {value}");
        };
        row("Objectives", &held_to(&settings.objectives));
        let mut name = "Backups";
        for (tier, next) in times(entry, now) {
            row(
                name,
                &format!("{:<8} {}", tier.as_str(), schedule(&settings.schedules[&tier].to_string(), next)),
            );
            name = "";
        }
        row("Window", &format!("each begins within {} min", settings.window_minutes));
        row("Copies", &copies(settings));
        if let Ok(request) = settings.request(database(entry), Tier::Daily, None) {
            row("Validation", &validation(&request));
            row("Baseline", &baseline(&request));
            row("Gives up", &format!("after {}", time((request.deadline_minutes * 60.0) as u64)));
        }
        row("Keeps", &kept::in_words(settings.retention.as_ref(), None));
        if !settings.tags.is_empty() {
            let tags: Vec<String> =
                settings.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
            row("Tags", &tags.join(", "));
        }
        for told in &settings.notifications {
            let on = json!(told.on);
            let on: Vec<&str> = on.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            row("Tells", &format!("{} of {} (stored; nothing sends it yet)", told.topic, on.join(", ")));
        }
        if entry.allow_empty {
            row("Allowed", "that there is no such database");
        }
    }
    if !plan.forget.is_empty() {
        let _ = writeln!(text, "\n{}", forgets(plan));
    }
    text
}

fn forgets(plan: &PlanFile) -> String {
    let names: Vec<&str> = plan.forget.iter().map(|(id, _)| id.as_str()).collect();
    format!("Forgets the rules of {}: they keep {} from then on.", names.join(", "), kept::AS_DEPLOYED)
}

fn schedule(cadence: &str, next: Next) -> String {
    let Some((_, times)) = next else { return format!("{cadence}, at a minute of each database's own") };
    let times: Vec<String> = times.iter().map(|at| at.strftime("%a %Y-%m-%d %H:%M").to_string()).collect();
    format!("{cadence}: next {}", times.join(", "))
}

fn copies(settings: &Settings) -> String {
    let all: Vec<String> =
        settings.targets.iter().map(|target| format!("{} ({})", target.region, target.kms_key_id)).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

fn validation(request: &BackupRequest) -> String {
    let validation = &request.validation;
    if !validation.enabled {
        return "none: nothing is proven".to_owned();
    }
    let class = validation.instance_classes.first().map_or("", String::as_str);
    let mut text = format!("restored to a {class} and read as a whole");
    if !validation.assertions.is_empty() {
        let _ = write!(text, ", {}", count(validation.assertions.len() as u64, "assertion"));
    }
    if validation.copy_share > 0.0 {
        let _ = write!(text, ", {} % of the copies restored in their Regions", validation.copy_share * 100.0);
    }
    text
}

fn baseline(request: &BackupRequest) -> String {
    let Some(baseline) = &request.baseline else { return "none: the source is not read".to_owned() };
    let depth = json!(baseline.depth);
    let required = if baseline.required { "required" } else { "where it can be had" };
    format!("{} of the source, {required}", depth.as_str().unwrap_or_default())
}

/// The same for programs; `request` is what a backup makes of its input.
pub(super) fn json(plan: &PlanFile, now: Timestamp) -> Value {
    let entry = |entry: &Entry| {
        let settings = &entry.settings;
        let schedules: serde_json::Map<String, Value> = times(entry, now)
            .into_iter()
            .map(|(tier, next)| {
                let (expression, times) = next.unzip();
                let cadence = settings.schedules[&tier].to_string();
                (
                    tier.as_str().to_owned(),
                    json!({"cadence": cadence, "expression": expression, "next": times}),
                )
            })
            .collect();
        let (id, tagged) = match &entry.selector {
            Selector::Id(id) => (Some(id), None),
            Selector::Tags(tags) => (None, Some(tags)),
        };
        let mut request = json!(settings.request(database(entry), Tier::Daily, None).ok());
        // Of whatever run, tier and database it is.
        for name in ["runId", "tier", "databaseId"] {
            request.as_object_mut().map(|request| request.remove(name));
        }
        json!({
            "id": id, "tagged": tagged, "allowEmpty": entry.allow_empty, "environment": settings.environment,
            "importance": settings.importance, "objectives": settings.objectives, "schedules": schedules,
            "windowMinutes": settings.window_minutes, "request": request, "retention": settings.retention,
            "notifications": settings.notifications,
        })
    };
    let forget: Vec<&DatabaseId> = plan.forget.iter().map(|(id, _)| id).collect();
    json!({"name": plan.name, "databases": plan.entries.iter().map(entry).collect::<Vec<_>>(), "forget": forget})
}
