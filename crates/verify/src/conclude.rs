//! The sum: what the pieces came to, check by check, and the manifest.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_core::validation::{Check, DatabaseManifest, Manifest, TableManifest};

use crate::ending::{Ending, INSTANCE, count};
use crate::job::{Job, JobResult, Task, UnitResult, Work};
use crate::plan::{Plan, SCHEMA};
use crate::{Options, Outcome, catalog, compare, content, fingerprint, freshness, indexes};

/// Sums up; a unit without a result was not done.
pub(crate) fn conclude(plan: &Plan, results: &BTreeMap<u32, UnitResult>, options: &Options) -> Outcome {
    let mut sums = Sums::default();
    for unit in &plan.units {
        match results.get(&unit.id).filter(|result| result.jobs.len() == unit.jobs.len()) {
            Some(result) => {
                for (job, done) in unit.jobs.iter().zip(&result.jobs) {
                    sums.add(&unit.database, job, done);
                }
            }
            None => unit.jobs.iter().for_each(|job| sums.missing(&unit.database, job)),
        }
    }
    let manifest = manifest(plan, &sums);
    indexes::hold_against_tables(&mut sums, plan);
    let mut checks = plan.checks.clone();
    for open in &plan.open {
        let mut ending = open.ending.clone();
        let mut duration = Duration::from_millis(open.duration_ms);
        let key = (open.name.clone(), open.scope.clone());
        let mut newest = None;
        if let Some(mut sum) = sums.checks.remove(&key) {
            sum.note_missing();
            newest = sum.newest.take();
            ending.merge(std::mem::take(&mut sum.ending));
            duration += sum.duration;
            if open.name == content::CHECK {
                content::describe(&mut ending, plan, &manifest, &open.scope, sum.rows);
            } else if sum.jobs > 0 {
                ending.note(format!("{} looked at", count(sum.objects() as u64, "object", "objects")));
            }
        }
        if open.name == freshness::CHECK {
            freshness::judge(&mut ending, options, &plan.facts, newest.as_deref());
        }
        if open.name == SCHEMA {
            compare::schema(&mut ending, &open.scope, plan, options);
        }
        checks.push(ending.lasting(open.name.clone(), open.scope.clone(), duration));
    }
    checks.extend(compare::missing_databases(plan, options));
    checks.extend(compare::with_references(plan, &manifest, options));
    order(&mut checks);
    Outcome {
        checks,
        manifest,
        databases: plan.databases.keys().cloned().collect(),
        not_checked: plan.not_checked.clone(),
    }
}

/// The instance first, then database by database, assertions last; within these as they were found.
fn order(checks: &mut [Check]) {
    checks.sort_by_key(|check| {
        let assertion = check.name.starts_with("assertion: ");
        let place = if check.scope == INSTANCE { String::new() } else { check.scope.clone() };
        (assertion, if assertion { String::new() } else { place })
    });
}

/// What the jobs of one check of one database add up to.
#[derive(Debug, Default)]
pub(crate) struct CheckSum {
    pub ending: Ending,
    pub duration: Duration,
    pub jobs: u64,
    pub rows: u64,
    pub newest: Option<String>,
    /// Per object: whether all of its pieces are done and clean, and what they add up to.
    pub tables: BTreeMap<String, (bool, Work)>,
    missing: Vec<String>,
}

impl CheckSum {
    fn objects(&self) -> usize {
        self.tables.len()
    }

    fn note_missing(&mut self) {
        let Some(first) = self.missing.first() else { return };
        let all = self.missing.len() as u64 + self.jobs;
        let message = format!("{} of {all} pieces were not done in the time there was", self.missing.len());
        self.ending.unfinished(first.clone(), message);
    }
}

/// All checks' sums, by name and scope.
#[derive(Debug, Default)]
pub(crate) struct Sums {
    pub checks: BTreeMap<(String, String), CheckSum>,
}

impl Sums {
    fn of(&mut self, database: &str, job: &Job) -> &mut CheckSum {
        let scope = if matches!(job.task, Task::Freshness(_)) { INSTANCE } else { database };
        self.checks.entry((job.check.clone(), scope.to_owned())).or_default()
    }

    fn add(&mut self, database: &str, job: &Job, done: &JobResult) {
        let sum = self.of(database, job);
        sum.jobs += 1;
        sum.rows += done.work.rows;
        sum.duration += Duration::from_millis(done.duration_ms);
        sum.ending.merge(done.work.ending.clone());
        sum.newest = sum.newest.take().max(done.work.newest.clone());
        let (clean, work) = sum.tables.entry(job.object.clone()).or_insert_with(|| (true, Work::default()));
        *clean &= done.work.ending.is_clean();
        work.add(Work { ending: Ending::default(), ..done.work.clone() });
    }

    fn missing(&mut self, database: &str, job: &Job) {
        let sum = self.of(database, job);
        sum.missing.push(job.name());
        sum.tables.entry(job.object.clone()).or_insert_with(|| (true, Work::default())).0 = false;
    }
}

/// What the data was. A table that was not read whole and clean is absent.
fn manifest(plan: &Plan, sums: &Sums) -> Manifest {
    let mut columns: BTreeMap<(&str, &str), BTreeMap<String, String>> = BTreeMap::new();
    for unit in &plan.units {
        for job in &unit.jobs {
            if let Task::Content(task) = &job.task
                && task.sample_percent.is_none()
            {
                columns
                    .entry((&unit.database, &job.object))
                    .or_insert_with(|| fingerprint::methods(&task.columns));
            }
        }
    }
    let mut databases = BTreeMap::new();
    for (name, database) in &plan.databases {
        let Some(objects) = &database.objects else { continue };
        let mut tables = BTreeMap::new();
        if let Some(sum) = sums.checks.get(&(content::CHECK.to_owned(), name.clone())) {
            for (table, (clean, work)) in &sum.tables {
                let Some(columns) = columns.get(&(name.as_str(), table.as_str())).filter(|_| *clean) else {
                    continue;
                };
                let table_manifest = TableManifest {
                    rows: work.rows,
                    fingerprint: fingerprint::publish(work.sums),
                    columns: columns.clone(),
                    digest: work.digest.as_ref().map(crate::digest::Digest::publish),
                };
                tables.insert(table.clone(), table_manifest);
            }
        }
        let schema_hash = catalog::hash(objects);
        databases.insert(name.clone(), DatabaseManifest { schema_hash, objects: objects.clone(), tables });
    }
    Manifest {
        algorithm: plan.algorithm.clone(),
        server_version: plan.facts.server_version.clone(),
        taken_at: Some(plan.facts.now.clone()),
        databases,
    }
}
