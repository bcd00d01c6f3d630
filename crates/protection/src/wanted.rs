//! A plan and the databases that are there, into the schedules and the settings that it wants.

use std::collections::BTreeMap;

use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::protection::{Kept, Protection, ProtectionPlan, ScheduledBackup, VERSION};
use holdfast_core::request::Tier;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::cadence::expressions;
use crate::file::{Entry, PlanFile, Selector};
use crate::node::Fault;

/// Longest name of a schedule (EventBridge Scheduler API Reference, `CreateSchedule`).
const LONGEST_NAME: usize = 64;

/// How often a start is tried again, and for how long: a backup that begins an hour late is one of its time still.
pub const ATTEMPTS: i32 = 10;
/// Seconds after which a start that could not be delivered is given up, and goes to the dead letters.
pub const MAX_AGE_SECONDS: i32 = 3600;

/// An instance, as RDS lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its identifier.
    pub id: DatabaseId,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Why it cannot be backed up by itself, when it cannot: a member of a cluster, or a temporary instance.
    pub unfit: Option<String>,
}

/// What schedules refer to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wiring {
    /// The Region of the databases.
    pub region: Region,
    /// The backup workflow.
    pub state_machine_arn: String,
    /// The role that starts it.
    pub role_arn: String,
    /// Where starts go that could not be delivered.
    pub dead_letters_arn: String,
}

/// A schedule, as far as a plan decides about it; what it leaves open is empty in a wanted one.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its name, within the plan's group.
    pub name: String,
    /// `cron(...)`.
    pub expression: String,
    /// `UTC`.
    pub timezone: String,
    /// Minutes after each time within which it starts; none: at once.
    pub window_minutes: Option<i32>,
    /// Whether it starts anything.
    pub enabled: bool,
    /// For people.
    pub description: String,
    /// When it ends, which no plan says.
    pub ends: Option<String>,
    /// What it starts.
    pub target_arn: String,
    /// By which role.
    pub role_arn: String,
    /// With what; `None` when it is no JSON.
    pub input: Option<Value>,
    /// Where starts go that could not be delivered.
    pub dead_letters_arn: Option<String>,
    /// How often a start is tried again.
    pub attempts: Option<i32>,
    /// Seconds after which it is given up.
    pub max_age_seconds: Option<i32>,
}

/// What a plan wants of this account.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Its schedules, by name.
    pub schedules: BTreeMap<String, Schedule>,
    /// What is stored.
    pub settings: ProtectionPlan,
    /// The workflow that its schedules start: what starts anything else is not the plan's.
    pub workflow: String,
    /// Which databases each entry means, in the order of the file.
    pub matches: Vec<(Selector, Vec<DatabaseId>)>,
}

/// The name of a database's schedule of a tier: `production-prod-db-daily`; a long one is cut and ends in a digest.
pub fn schedule_name(environment: &str, database: &DatabaseId, tier: Tier) -> String {
    let name = format!("{environment}-{database}-{}", tier.as_str());
    if name.len() <= LONGEST_NAME {
        return name;
    }
    let digest: String = Sha256::digest(&name).iter().take(5).map(|byte| format!("{byte:02x}")).collect();
    let end = format!("-{digest}-{}", tier.as_str());
    format!("{}{end}", name[..LONGEST_NAME - end.len()].trim_end_matches('-'))
}

/// Finds the databases of every entry, and what each is to have. `stored` is what has been applied before.
///
/// # Errors
/// Entries that mean no database, or one that another means as well, or one that cannot be backed up or is to be
/// forgotten.
pub fn wanted(
    plan: &PlanFile,
    found: &[Found],
    wiring: &Wiring,
    stored: Option<&ProtectionPlan>,
) -> Result<Wanted, Vec<Fault>> {
    let (matches, mut faults) = matches(plan, found, wiring);
    let mut all = Wanted {
        schedules: BTreeMap::new(),
        settings: ProtectionPlan {
            version: VERSION,
            name: plan.name.clone(),
            databases: BTreeMap::new(),
            kept: BTreeMap::new(),
        },
        workflow: wiring.state_machine_arn.clone(),
        matches: Vec::new(),
    };
    for (entry, databases) in plan.entries.iter().zip(&matches) {
        for database in databases {
            if let Err(why) = protect(&mut all, plan, entry, database, wiring) {
                faults.push(Fault { place: entry.place, message: format!("{database}: {why}") });
            }
        }
    }
    for (id, place) in plan.forget.iter().filter(|(id, _)| all.settings.databases.contains_key(id)) {
        let message = format!("forget: {id} is protected: an entry means it by its tags; say one of both");
        faults.push(Fault { place: *place, message });
    }
    if !faults.is_empty() {
        faults.sort();
        return Err(faults);
    }
    all.settings.kept = kept(plan, stored, &all.settings);
    all.matches = plan.entries.iter().map(|entry| entry.selector.clone()).zip(matches).collect();
    Ok(all)
}

/// Whose rules stay though nothing is protected there. That a database was not found, or lost a tag, says nothing of
/// its backups: nobody has agreed to their going sooner. Only `forget` says that.
fn kept(
    plan: &PlanFile,
    stored: Option<&ProtectionPlan>,
    wanted: &ProtectionPlan,
) -> BTreeMap<DatabaseId, Kept> {
    let before = stored.map(ProtectionPlan::retentions).unwrap_or_default();
    let mut all: BTreeMap<DatabaseId, Kept> =
        before.into_iter().map(|(id, retention)| (id.clone(), Kept { retention })).collect();
    for entry in &plan.entries {
        let Selector::Id(id) = &entry.selector else { continue };
        // The file speaks of it by name: that is what it is to be, instance or none.
        match entry.settings.retention {
            Some(retention) => drop(all.insert(id.clone(), Kept { retention })),
            None => drop(all.remove(id)),
        }
    }
    let forgotten = |id: &DatabaseId| plan.forget.iter().any(|(other, _)| other == id);
    all.retain(|id, _| !wanted.databases.contains_key(id) && !forgotten(id));
    all
}

/// The databases of each entry. One that is named by its id is no other entry's.
fn matches(plan: &PlanFile, found: &[Found], wiring: &Wiring) -> (Vec<Vec<DatabaseId>>, Vec<Fault>) {
    let named: Vec<&DatabaseId> = plan
        .entries
        .iter()
        .filter_map(|entry| match &entry.selector {
            Selector::Id(id) => Some(id),
            Selector::Tags(_) => None,
        })
        .collect();
    let mut taken: BTreeMap<&DatabaseId, &Entry> = BTreeMap::new();
    let (mut all, mut faults) = (Vec::new(), Vec::new());
    for entry in &plan.entries {
        let mut fault = |message: String| faults.push(Fault { place: entry.place, message });
        let mut databases = Vec::new();
        for instance in found {
            let meant = match &entry.selector {
                Selector::Id(id) => *id == instance.id,
                Selector::Tags(tags) => {
                    let carries = tags.iter().all(|(key, value)| instance.tags.get(key) == Some(value));
                    carries && instance.unfit.is_none() && !named.contains(&&instance.id)
                }
            };
            if !meant {
                continue;
            }
            if let Some(why) = &instance.unfit {
                fault(format!("{}: {why}", instance.id));
            } else if let Some(other) = taken.insert(&instance.id, entry) {
                fault(format!(
                    "{}: {} is meant by {} in line {} as well; name it by its id, or tell the tags apart",
                    entry.selector, instance.id, other.selector, other.place.line
                ));
            }
            databases.push(instance.id.clone());
        }
        if databases.is_empty() && !entry.allow_empty {
            let what = match &entry.selector {
                Selector::Id(_) => "there is no such DB instance",
                Selector::Tags(_) => "no DB instance carries them all",
            };
            fault(format!("{}: {what} in {}; allowEmpty: true lets it pass", entry.selector, wiring.region));
        }
        databases.sort();
        all.push(databases);
    }
    (all, faults)
}

/// Adds what one database is to have.
fn protect(
    all: &mut Wanted,
    plan: &PlanFile,
    entry: &Entry,
    database: &DatabaseId,
    wiring: &Wiring,
) -> Result<(), String> {
    let settings = &entry.settings;
    settings.request(database.as_str(), Tier::Daily, Some(&wiring.region))?;
    let expressions = expressions(database, &settings.schedules).map_err(|meeting| {
        format!("its {} and {} backups come at the same time", meeting.tier.as_str(), meeting.with.as_str())
    })?;
    let mut schedules = BTreeMap::new();
    for (tier, cron) in expressions {
        let schedule = Schedule {
            name: schedule_name(&settings.environment, database, tier),
            expression: cron.to_string(),
            timezone: "UTC".to_owned(),
            window_minutes: i32::try_from(settings.window_minutes).ok(),
            enabled: true,
            description: format!(
                "{} backup of {database}, by the protection plan {}",
                tier.as_str(),
                plan.name
            ),
            ends: None,
            target_arn: wiring.state_machine_arn.clone(),
            role_arn: wiring.role_arn.clone(),
            input: Some(settings.input(database.as_str(), tier)),
            dead_letters_arn: Some(wiring.dead_letters_arn.clone()),
            attempts: Some(ATTEMPTS),
            max_age_seconds: Some(MAX_AGE_SECONDS),
        };
        let (name, expression) = (schedule.name.clone(), schedule.expression.clone());
        schedules.insert(tier, ScheduledBackup { name, expression, window_minutes: settings.window_minutes });
        all.schedules.insert(schedule.name.clone(), schedule);
    }
    let protection = Protection {
        environment: settings.environment.clone(),
        importance: settings.importance,
        objectives: settings.objectives,
        schedules,
        targets: settings.targets.clone(),
        validation: settings.validation.clone(),
        retention: settings.retention,
        notifications: settings.notifications.clone(),
    };
    all.settings.databases.insert(database.clone(), protection);
    Ok(())
}
