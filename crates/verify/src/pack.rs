//! Jobs packed into units: small ones together, large ones alone.

use std::collections::BTreeMap;

use crate::job::{Job, Unit};

/// Jobs in one unit at most: what a unit came to has to fit into one document.
const JOBS_PER_UNIT: usize = 40;

/// Bytes that a job costs beside what it reads: a transaction, some catalog look-ups.
const OVERHEAD_BYTES: u64 = 256 * 1024;

/// Packs the jobs of each database in their order, each unit up to `bytes`, and puts the largest units first, so that
/// the last to end is a small one.
pub(crate) fn units(jobs: BTreeMap<String, Vec<Job>>, bytes: u64) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (database, jobs) in jobs {
        let mut current = empty(&database);
        for job in jobs {
            let cost = job.bytes + OVERHEAD_BYTES;
            let full = current.bytes + cost > bytes || current.jobs.len() >= JOBS_PER_UNIT;
            if full && !current.jobs.is_empty() {
                units.push(std::mem::replace(&mut current, empty(&database)));
            }
            current.bytes += cost;
            current.jobs.push(job);
        }
        if !current.jobs.is_empty() {
            units.push(current);
        }
    }
    units.sort_by_key(|unit| std::cmp::Reverse(unit.bytes));
    for (id, unit) in (0..).zip(&mut units) {
        unit.id = id;
    }
    units
}

fn empty(database: &str) -> Unit {
    Unit { id: 0, database: database.to_owned(), bytes: 0, jobs: vec![] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Task;

    fn job(object: &str, bytes: u64) -> Job {
        Job {
            check: "freshness".into(),
            object: object.into(),
            bytes,
            task: Task::Assertion(crate::assertions::Task {
                assertion: serde_json::from_value(
                    serde_json::json!({"name": "a", "sql": "", "expect": "true"}),
                )
                .unwrap(),
            }),
        }
    }

    #[test]
    fn small_jobs_share_a_unit_and_large_ones_come_first() {
        let jobs: Vec<Job> = [("a", 10), ("b", 20), ("c", 1 << 30), ("d", 5)].map(|(n, b)| job(n, b)).into();
        let units = units(BTreeMap::from([("shop".to_owned(), jobs)]), 1 << 28);
        let names: Vec<Vec<&str>> =
            units.iter().map(|unit| unit.jobs.iter().map(|job| &*job.object).collect()).collect();
        assert_eq!(names, [vec!["c"], vec!["a", "b"], vec!["d"]]);
        assert_eq!(units.iter().map(|unit| unit.id).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn a_unit_stays_small_enough_to_be_kept() {
        let jobs: Vec<Job> = (0..100).map(|n| job(&n.to_string(), 0)).collect();
        let units = units(BTreeMap::from([("shop".to_owned(), jobs)]), u64::MAX);
        assert!(units.iter().all(|unit| unit.jobs.len() <= JOBS_PER_UNIT));
        assert_eq!(units.iter().map(|unit| unit.jobs.len()).sum::<usize>(), 100);
    }
}
