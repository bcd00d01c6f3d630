//! What would change, as text and as JSON; and what became of it.

use std::fmt::Write as _;

use holdfast_core::ids::DatabaseId;
use holdfast_core::protection::Protection;
use holdfast_core::retention::Policy;
use holdfast_protection::{ChangeKind, Field, Schedule, ScheduleChange, SettingsChange};
use serde_json::{Value, json};

use super::apply::Done;
use super::{Compared, kept, show};
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
    let (kept, alone) = (kept_by_own_rules(compared), left_alone(compared));
    if compared.changes.is_empty() {
        text += &kept;
        text += &alone;
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
    text += &kept;
    text += &alone;
    if let Some(other) = compared.other() {
        let why = format!(
            "The plan that is applied is {other}: apply this one in its place with --replace {other}."
        );
        let _ = writeln!(text, "\n{}", paint.warn(&why));
    }
    let _ = writeln!(text, "\n{}", totals(compared));
    text
}

/// Databases that are protected no more and go by their own rules still.
fn kept_by_own_rules(compared: &Compared) -> String {
    let mut text = String::new();
    for (id, kept) in &compared.wanted.settings.kept {
        if text.is_empty() {
            text += "\n  Not protected, and kept by their own rules until forget names them\n";
        }
        let words = kept::in_words(Some(&kept.retention), compared.deployed.as_ref());
        let _ = writeln!(text, "    {id}  {words}");
    }
    text
}

/// Schedules of the group that are not the plan's.
fn left_alone(compared: &Compared) -> String {
    let mut text = String::new();
    for schedule in &compared.changes.left_alone {
        if text.is_empty() {
            text += "\n  Left alone: they do not start the backup workflow\n";
        }
        let _ = writeln!(text, "    {}  {}", schedule.name, schedule.target_arn);
    }
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
    (!of.is_empty() || change.kind == ChangeKind::Keep).then_some((change, of))
}

fn sign(kind: ChangeKind, paint: Paint) -> String {
    match kind {
        ChangeKind::Add => paint.good("+"),
        ChangeKind::Change => paint.warn("~"),
        ChangeKind::Keep | ChangeKind::Remove => paint.bad("-"),
    }
}

fn schedule(text: &mut String, change: &ScheduleChange, paint: Paint) {
    let (kind, of, fields) = match change {
        ScheduleChange::Create(of) => (ChangeKind::Add, of, &[][..]),
        ScheduleChange::Update(of, fields) => (ChangeKind::Change, of, fields.as_slice()),
        ScheduleChange::Delete(of) => (ChangeKind::Remove, of, &[][..]),
        ScheduleChange::Blocked(of) => {
            let why = format!("is in the way: it starts {}, and stays as it is", of.target_arn);
            let _ = writeln!(text, "    {} {}  {why}", paint.bad("!"), of.name);
            return;
        }
    };
    let about = if fields.is_empty() { format!("  {}", in_words(of)) } else { String::new() };
    let _ = writeln!(text, "    {} {}{about}", sign(kind, paint), of.name);
    for field in fields {
        let _ = writeln!(text, "        {}", line(field, None));
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

/// A field that changes; a number of retention that nobody says is the deployment's.
fn line(field: &Field, deployed: Option<&Policy>) -> String {
    if is_retention(field) {
        let number = |said: &Option<String>| kept::number(&field.name, said.as_deref(), deployed);
        return format!("{}: {} → {}", field.name, number(&field.was), number(&field.is));
    }
    match (&field.was, &field.is) {
        (Some(was), Some(is)) => format!("{}: {was} → {is}", field.name),
        (None, Some(is)) => format!("{}: {is} (new)", field.name),
        (Some(was), None) => format!("{}: {was} → nothing", field.name),
        (None, None) => field.name.clone(),
    }
}

fn setting(text: &mut String, compared: &Compared, change: &SettingsChange, of: &[&Field], paint: Paint) {
    let sign = sign(change.kind, paint);
    let deployed = compared.deployed.as_ref();
    let Some(id) = &change.database else {
        for field in of {
            let _ = writeln!(text, "    {sign} the plan's {}", line(field, deployed));
        }
        return;
    };
    let settings = &compared.wanted.settings;
    let parsed = DatabaseId::parse(id).ok();
    let protection = parsed.as_ref().and_then(|id| settings.databases.get(id));
    let kept = parsed.as_ref().and_then(|id| settings.kept.get(id));
    let own = kept.map(|kept| kept::in_words(Some(&kept.retention), deployed)).unwrap_or_default();
    let (about, only_retention) = match change.kind {
        ChangeKind::Add => match protection {
            Some(protection) => (protected(protection, deployed), true),
            None => {
                (format!("there is no such instance; its backups are kept by its own rules: {own}"), true)
            }
        },
        ChangeKind::Change => (String::new(), false),
        ChangeKind::Keep => {
            (format!("is protected no more; its backups are kept by its own rules still: {own}"), true)
        }
        ChangeKind::Remove if of.iter().any(|field| is_retention(field)) => {
            ("its own rules are dropped: its backups are kept by those of the deployment".to_owned(), true)
        }
        ChangeKind::Remove => {
            ("its backups stay, by the rules of the deployment, as they did".to_owned(), true)
        }
    };
    let _ = writeln!(text, "{}", format!("    {sign} {id}  {about}").trim_end());
    for field in of.iter().filter(|field| !only_retention || is_retention(field)) {
        let _ = writeln!(text, "        {}", line(field, deployed));
    }
}

fn is_retention(field: &Field) -> bool {
    field.name.starts_with("retention.")
}

fn protected(protection: &Protection, deployed: Option<&Policy>) -> String {
    let kept = kept::in_words(protection.retention.as_ref(), deployed);
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
    let blocked = of(|change| matches!(change, ScheduleChange::Blocked(_)));
    let blocked = if blocked > 0 { format!(", {blocked} that cannot be made") } else { String::new() };
    let databases = compared.changes.settings.iter().filter(|change| change.database.is_some()).count();
    format!(
        "Schedules: {made} to make, {changed} to change, {deleted} to delete{blocked}. Settings: of {}.",
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
                ScheduleChange::Blocked(of) => ("blocked", of, &[][..]),
            };
            json!({"change": word, "name": of.name, "expression": of.expression, "input": of.input, "fields": fields(changed)})
        })
        .collect();
    let word = |kind| match kind {
        ChangeKind::Add => "add",
        ChangeKind::Change => "change",
        ChangeKind::Keep => "keep",
        ChangeKind::Remove => "remove",
    };
    let settings: Vec<Value> = compared
        .changes
        .settings
        .iter()
        .map(|change| json!({"change": word(change.kind), "database": change.database, "fields": fields(&change.fields)}))
        .collect();
    let alone: Vec<&str> =
        compared.changes.left_alone.iter().map(|schedule| schedule.name.as_str()).collect();
    json!({
        "plan": compared.wanted.settings.name, "replaces": compared.other(), "group": group, "matches": matches,
        "schedules": schedules, "settings": settings, "kept": compared.wanted.settings.kept,
        "deployed": compared.deployed, "leftAlone": alone,
    })
}
