//! What would change, as text and as JSON; and what became of it.

use std::fmt::Write as _;

use holdfast_core::ids::DatabaseId;
use holdfast_core::protection::Protection;
use holdfast_protection::{ChangeKind, Field, Schedule, ScheduleChange, SettingsChange};
use serde_json::{Value, json};

use super::apply::Done;
use super::{Compared, show};
use crate::paint::Paint;
use crate::render::count;

/// Everything that would change, ending with a newline.
pub(super) fn table(compared: &Compared, group: &str, paint: Paint) -> String {
    let mut text = format!(
        "{}\n",
        paint.bold(&format!("Plan {}, schedule group {group}", compared.wanted.settings.name))
    );
    for (selector, databases) in &compared.wanted.matches {
        let names: Vec<&str> = databases.iter().map(DatabaseId::as_str).collect();
        let names = if names.is_empty() { paint.warn("no database") } else { names.join(", ") };
        if *names != selector.to_string() {
            let _ = writeln!(text, "  {selector}: {names}");
        }
    }
    if compared.changes.is_empty() {
        let _ = writeln!(text, "\n{}", paint.good("✔ Nothing to change: everything is as the plan says."));
        return text;
    }
    if !compared.changes.schedules.is_empty() {
        let _ = writeln!(text, "\n  {}", paint.bold("Schedules"));
    }
    for change in &compared.changes.schedules {
        schedule(&mut text, change, paint);
    }
    let settings: Vec<(&SettingsChange, Vec<&Field>)> =
        compared.changes.settings.iter().filter_map(|change| told(compared, change)).collect();
    if !settings.is_empty() {
        let _ = writeln!(text, "\n  {}", paint.bold("Stored settings"));
    }
    for (change, of) in settings {
        setting(&mut text, compared, change, &of, paint);
    }
    let _ = writeln!(text, "\n{}", totals(compared));
    text
}

/// Fields of settings that are worth a line. Names and times of schedules are stored as well, and told with the
/// schedules themselves.
fn told<'a>(compared: &Compared, change: &'a SettingsChange) -> Option<(&'a SettingsChange, Vec<&'a Field>)> {
    let schedules_told = !compared.changes.schedules.is_empty();
    let of: Vec<&Field> = change
        .fields
        .iter()
        .filter(|field| !(schedules_told && field.name.starts_with("schedules.")))
        .collect();
    (!of.is_empty()).then_some((change, of))
}

fn sign(kind: ChangeKind, paint: Paint) -> String {
    match kind {
        ChangeKind::Add => paint.good("+"),
        ChangeKind::Change => paint.warn("~"),
        ChangeKind::Remove => paint.bad("-"),
    }
}

fn schedule(text: &mut String, change: &ScheduleChange, paint: Paint) {
    let (kind, of, fields) = match change {
        ScheduleChange::Create(of) => (ChangeKind::Add, of, &[][..]),
        ScheduleChange::Update(of, fields) => (ChangeKind::Change, of, fields.as_slice()),
        ScheduleChange::Delete(of) => (ChangeKind::Remove, of, &[][..]),
    };
    let about = if fields.is_empty() { format!("  {}", in_words(of)) } else { String::new() };
    let _ = writeln!(text, "    {} {}{about}", sign(kind, paint), of.name);
    for field in fields {
        let _ = writeln!(text, "        {}", line(field));
    }
}

/// When a schedule comes and where its copies go.
fn in_words(schedule: &Schedule) -> String {
    let mut words = schedule.expression.clone();
    if let Some(minutes) = schedule.window_minutes {
        let _ = write!(words, ", within {minutes} min");
    }
    let targets = schedule.input.as_ref().and_then(|input| input["targetRegions"].as_array());
    let regions: Vec<&str> =
        targets.into_iter().flatten().filter_map(|target| target["region"].as_str()).collect();
    let copies =
        if regions.is_empty() { "no copies".to_owned() } else { format!("copies to {}", regions.join(", ")) };
    format!("{words}, {copies}")
}

fn line(field: &Field) -> String {
    match (&field.was, &field.is) {
        (Some(was), Some(is)) => format!("{}: {was} → {is}", field.name),
        (None, Some(is)) => format!("{}: {is} (new)", field.name),
        (Some(was), None) => format!("{}: {was} → nothing", field.name),
        (None, None) => field.name.clone(),
    }
}

fn setting(text: &mut String, compared: &Compared, change: &SettingsChange, of: &[&Field], paint: Paint) {
    let sign = sign(change.kind, paint);
    let Some(id) = &change.database else {
        for field in of {
            let _ = writeln!(text, "    {sign} the plan's {}", line(field));
        }
        return;
    };
    let protection = |id: &str| {
        let id = DatabaseId::parse(id).ok()?;
        compared.wanted.settings.databases.get(&id)
    };
    match change.kind {
        ChangeKind::Add => {
            let about = protection(id).map(protected).unwrap_or_default();
            let _ = writeln!(text, "    {sign} {id}  {about}");
        }
        ChangeKind::Change => {
            let _ = writeln!(text, "    {sign} {id}");
            for field in of {
                let _ = writeln!(text, "        {}", line(field));
            }
        }
        ChangeKind::Remove => {
            let _ = writeln!(text, "    {sign} {id}  its backups stay, by the rules of the deployment");
        }
    }
}

fn protected(protection: &Protection) -> String {
    let kept = protection.retention.as_ref().map_or_else(|| show::AS_DEPLOYED.to_owned(), show::kept);
    let importance = show::importance(protection.importance);
    format!(
        "{}, {importance}: {}; keeps {kept}",
        protection.environment,
        show::held_to(&protection.objectives)
    )
}

fn totals(compared: &Compared) -> String {
    let of = |wanted: fn(&ScheduleChange) -> bool| {
        compared.changes.schedules.iter().filter(|change| wanted(change)).count()
    };
    let made = of(|change| matches!(change, ScheduleChange::Create(_)));
    let changed = of(|change| matches!(change, ScheduleChange::Update(..)));
    let deleted = of(|change| matches!(change, ScheduleChange::Delete(_)));
    let databases = compared.changes.settings.iter().filter(|change| change.database.is_some()).count();
    format!(
        "Schedules: {made} to make, {changed} to change, {deleted} to delete. Settings: of {}.",
        count(databases as u64, "database")
    )
}

/// What was done and what was not.
pub(super) fn done(done: &Done, paint: Paint) -> String {
    let mut text = String::new();
    for line in &done.done {
        let _ = writeln!(text, "{} {line}", paint.good("✔"));
    }
    for line in &done.not_done {
        let _ = writeln!(text, "{} {line}", paint.bad("✘"));
    }
    let end = if done.is_whole() {
        paint.good("Applied: everything is as the plan says.")
    } else {
        paint.warn("Not all of it was done. Apply it again: what is done stays, and the rest is tried again.")
    };
    let _ = writeln!(text, "{end}");
    text
}

fn fields(fields: &[Field]) -> Value {
    fields.iter().map(|field| json!({"field": field.name, "was": field.was, "is": field.is})).collect()
}

/// The same for programs.
pub(super) fn json(compared: &Compared, group: &str) -> Value {
    let matches = compared.wanted.matches.iter();
    let matches: Vec<Value> =
        matches.map(|(selector, ids)| json!({"selector": selector.to_string(), "databases": ids})).collect();
    let schedules: Vec<Value> = compared
        .changes
        .schedules
        .iter()
        .map(|change| {
            let (word, of, changed) = match change {
                ScheduleChange::Create(of) => ("create", of, &[][..]),
                ScheduleChange::Update(of, changed) => ("update", of, changed.as_slice()),
                ScheduleChange::Delete(of) => ("delete", of, &[][..]),
            };
            json!({"change": word, "name": of.name, "expression": of.expression, "input": of.input, "fields": fields(changed)})
        })
        .collect();
    let word = |kind| match kind {
        ChangeKind::Add => "add",
        ChangeKind::Change => "change",
        ChangeKind::Remove => "remove",
    };
    let settings: Vec<Value> = compared
        .changes
        .settings
        .iter()
        .map(|change| json!({"change": word(change.kind), "database": change.database, "fields": fields(&change.fields)}))
        .collect();
    json!({
        "plan": compared.wanted.settings.name, "group": group, "matches": matches,
        "schedules": schedules, "settings": settings,
    })
}
