//! What applying a plan would change: schedule by schedule, setting by setting.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::ids::DatabaseId;
use holdfast_core::protection::ProtectionPlan;
use serde_json::Value;

use crate::wanted::{Schedule, Wanted};

/// A field that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// How it is called: `expression`, `input.tier`, `retention.daily`.
    pub name: String,
    /// What it is; none when there is none.
    pub was: Option<String>,
    /// What it will be.
    pub is: Option<String>,
}

/// What becomes of one schedule.
#[derive(Debug, Clone, PartialEq)]
pub enum ScheduleChange {
    /// It is made.
    Create(Schedule),
    /// It is made to be this.
    Update(Schedule, Vec<Field>),
    /// It goes.
    Delete(Schedule),
    /// One of its name is there, this one, and starts something else: it is not the plan's, and stays as it is.
    Blocked(Schedule),
}

impl ScheduleChange {
    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            ScheduleChange::Create(schedule)
            | ScheduleChange::Update(schedule, _)
            | ScheduleChange::Delete(schedule)
            | ScheduleChange::Blocked(schedule) => &schedule.name,
        }
    }
}

/// What becomes of the stored settings of one database, or of the plan itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsChange {
    /// The database; none for the plan itself.
    pub database: Option<String>,
    /// Whether it is there before and after.
    pub kind: ChangeKind,
    /// What changes.
    pub fields: Vec<Field>,
}

/// Whether something comes, changes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It comes.
    Add,
    /// It changes.
    Change,
    /// The database is protected no more, and its own rules of retention stay.
    Keep,
    /// It goes.
    Remove,
}

/// Everything that applying a plan would change.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// Of schedules: what is made and changed first, then what goes, so that no database is without one in between.
    pub schedules: Vec<ScheduleChange>,
    /// Of the stored settings.
    pub settings: Vec<SettingsChange>,
    /// Schedules of the group that start something else than the plan's workflow, and that no plan has: they stay.
    pub left_alone: Vec<Schedule>,
}

impl Changes {
    /// From what is there to what is wanted.
    pub fn between(
        there: &BTreeMap<String, Schedule>,
        stored: Option<&ProtectionPlan>,
        wanted: &Wanted,
    ) -> Self {
        let mut schedules = Vec::new();
        for (name, schedule) in &wanted.schedules {
            match there.get(name) {
                None => schedules.push(ScheduleChange::Create(schedule.clone())),
                Some(was) if was == schedule => {}
                Some(was) if was.target_arn != wanted.workflow => {
                    schedules.push(ScheduleChange::Blocked(was.clone()));
                }
                Some(was) => {
                    schedules.push(ScheduleChange::Update(schedule.clone(), schedule_fields(was, schedule)))
                }
            }
        }
        let gone = there.iter().filter(|(name, _)| !wanted.schedules.contains_key(*name));
        let (gone, left_alone): (Vec<_>, Vec<_>) = gone
            .map(|(_, schedule)| schedule.clone())
            .partition(|schedule| schedule.target_arn == wanted.workflow);
        schedules.extend(gone.into_iter().map(ScheduleChange::Delete));
        Changes { schedules, settings: settings(stored, &wanted.settings), left_alone }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.schedules.is_empty() && self.settings.is_empty()
    }
}

/// A value as a person reads it: texts without quotes.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Every leaf of a JSON value by its path.
fn leaves(path: &str, value: &Value, all: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                leaves(&crate::node::below(path, key), value, all);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (n, value) in items.iter().enumerate() {
                leaves(&format!("{path}[{n}]"), value, all);
            }
        }
        Value::Null => {}
        other => drop(all.insert(path.to_owned(), shown(other))),
    }
}

fn differences(was: &BTreeMap<String, String>, is: &BTreeMap<String, String>) -> Vec<Field> {
    let mut names: Vec<&String> = was.keys().chain(is.keys()).collect();
    names.sort();
    names.dedup();
    let field =
        |name: &String| Field { name: name.clone(), was: was.get(name).cloned(), is: is.get(name).cloned() };
    names.into_iter().map(field).filter(|field| field.was != field.is).collect()
}

fn schedule_leaves(schedule: &Schedule) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let Schedule { expression, timezone, description, target_arn, role_arn, .. } = schedule;
    let state = if schedule.enabled { "ENABLED" } else { "DISABLED" };
    let number = |number: Option<i32>| number.map(|number| number.to_string());
    for (name, value) in [
        ("expression", Some(expression.clone())),
        ("timezone", Some(timezone.clone())),
        ("window minutes", number(schedule.window_minutes)),
        ("state", Some(state.to_owned())),
        ("description", Some(description.clone())),
        ("end", schedule.ends.clone()),
        ("starts", Some(target_arn.clone())),
        ("role", Some(role_arn.clone())),
        ("dead letters", schedule.dead_letters_arn.clone()),
        ("attempts", number(schedule.attempts)),
        ("seconds until it is given up", number(schedule.max_age_seconds)),
    ] {
        all.extend(value.map(|value| (name.to_owned(), value)));
    }
    match &schedule.input {
        Some(input) => leaves("input", input, &mut all),
        None => drop(all.insert("input".to_owned(), "no JSON".to_owned())),
    }
    all
}

fn schedule_fields(was: &Schedule, is: &Schedule) -> Vec<Field> {
    differences(&schedule_leaves(was), &schedule_leaves(is))
}

/// What is stored of a database, leaf by leaf, and whether it is protected; `None` when nothing is.
fn stored_of(plan: &ProtectionPlan, id: &DatabaseId) -> Option<(bool, BTreeMap<String, String>)> {
    let protection = plan.databases.get(id).map(|protection| (true, serde_json::to_value(protection)));
    let kept = || plan.kept.get(id).map(|kept| (false, serde_json::to_value(kept)));
    let (protected, value) = protection.or_else(kept)?;
    let mut all = BTreeMap::new();
    leaves("", &value.unwrap_or_default(), &mut all);
    Some((protected, all))
}

fn settings(stored: Option<&ProtectionPlan>, wanted: &ProtectionPlan) -> Vec<SettingsChange> {
    let mut all = Vec::new();
    let name = |plan: &ProtectionPlan| BTreeMap::from([("name".to_owned(), plan.name.clone())]);
    let fields = differences(&stored.map(name).unwrap_or_default(), &name(wanted));
    if !fields.is_empty() {
        let kind = if stored.is_none() { ChangeKind::Add } else { ChangeKind::Change };
        all.push(SettingsChange { database: None, kind, fields });
    }
    let ids = |plan: &ProtectionPlan| -> BTreeSet<DatabaseId> {
        plan.databases.keys().chain(plan.kept.keys()).cloned().collect()
    };
    let (there, remain) = (stored.map(ids).unwrap_or_default(), ids(wanted));
    for id in remain.iter().chain(there.difference(&remain)) {
        let was = stored.and_then(|stored| stored_of(stored, id));
        let is = stored_of(wanted, id);
        let kind = match (&was, &is) {
            (Some((true, _)), Some((false, _))) => ChangeKind::Keep,
            (_, None) => ChangeKind::Remove,
            (Some((false, _)), Some((true, _))) | (None, _) => ChangeKind::Add,
            (Some(_), Some(_)) => ChangeKind::Change,
        };
        let [was, is] = [was, is].map(|side| side.map(|(_, leaves)| leaves).unwrap_or_default());
        let mut fields = differences(&was, &is);
        if kind == ChangeKind::Keep {
            fields.retain(|field| field.name.starts_with("retention."));
        } else if fields.is_empty() {
            continue;
        }
        all.push(SettingsChange { database: Some(id.to_string()), kind, fields });
    }
    all
}
