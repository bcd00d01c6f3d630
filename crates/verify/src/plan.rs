//! What is to be done: read from the catalog once, then handed to as many hands as there are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use holdfast_core::validation::{Check, Coverage, NotChecked, ObjectManifest};
use serde::{Deserialize, Serialize};

use crate::catalog;
use crate::connection::ConnectError;
use crate::ending::{Ending, INSTANCE};
use crate::instance::{self, Databases, Facts};
use crate::job::{Planned, Unit};
use crate::session::{Limits, Session, Trouble, patiently};
use crate::{
    Options, Target, assertions, collations, constraints, content, extensions, foreign_keys, freshness,
    indexes, isolation, leftovers, pack, sequences, storage, uniqueness,
};

/// Name of the check of the catalog.
pub(crate) const SCHEMA: &str = "schema";

/// What is said of a check that came too late.
pub(crate) const TIME_BUDGET: &str = "time budget";

/// What every family plans with.
pub(crate) struct Scope<'a> {
    /// The database.
    pub database: &'a str,
    /// The server.
    pub facts: &'a Facts,
    /// What was asked for.
    pub options: &'a Options,
    /// The schema, quoted, in which `amcheck` can be called.
    pub amcheck: Option<&'a str>,
}

/// Everything that was found out before the work, and the work. It can be kept and handed on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The algorithm of the fingerprints.
    pub algorithm: String,
    /// The server.
    pub facts: Facts,
    /// Checks that planning has answered already.
    pub checks: Vec<Check>,
    /// Checks whose answer is the sum of their jobs.
    pub open: Vec<OpenCheck>,
    /// The databases that were looked at.
    pub databases: BTreeMap<String, DatabasePlan>,
    /// Databases that allow no connection.
    pub closed: Vec<String>,
    /// Whether the list of databases is known at all.
    pub listed: bool,
    /// What is not looked at.
    pub not_checked: Vec<NotChecked>,
    /// The work.
    pub units: Vec<Unit>,
}

/// A check that is being worked on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenCheck {
    /// Its name.
    pub name: String,
    /// Its database.
    pub scope: String,
    /// What planning alone found.
    pub ending: Ending,
    /// How long planning took, in milliseconds.
    pub duration_ms: u64,
}

/// One database as its catalog has it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabasePlan {
    /// Objects by identity; `None` when the catalog could not be read.
    pub objects: Option<BTreeMap<String, ObjectManifest>>,
}

impl Plan {
    /// Tables by database whose rows are read by more than one statement.
    pub fn read_in_pieces(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut pieces: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for unit in &self.units {
            for job in unit.jobs.iter().filter(|job| job.check == content::CHECK) {
                *pieces.entry((&unit.database, &job.object)).or_default() += 1;
            }
        }
        let mut tables: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for ((database, table), _) in pieces.into_iter().filter(|(_, pieces)| *pieces > 1) {
            tables.entry(database.to_owned()).or_default().insert(table.to_owned());
        }
        tables
    }
}

/// Looks at the server and plans.
///
/// # Errors
/// When it cannot be connected to; every later trouble becomes the result of a check. A server that goes away is waited
/// for once it has let us in: before, that is the caller's to do.
pub(crate) async fn make(target: &Target, options: &Options) -> Result<Plan, ConnectError> {
    let limits = Limits::new(options);
    let mut session = Session::open_maintenance(target, limits).await?;
    let facts = patiently!(session, "the server", instance::facts(&mut session))
        .map_err(|trouble| ConnectError::Refused(trouble.message()))?;
    let mut planner = Planner {
        target,
        options,
        limits,
        jobs: BTreeMap::new(),
        plan: Plan {
            algorithm: crate::ALGORITHM.into(),
            facts,
            checks: vec![],
            open: vec![],
            databases: BTreeMap::new(),
            closed: vec![],
            listed: false,
            not_checked: vec![],
            units: vec![],
        },
    };
    planner.instance(&mut session).await;
    drop(session);
    planner.unasked_assertions();
    planner.unfound_freshness();
    let mut plan = planner.plan;
    plan.units = pack::units(planner.jobs, options.chunk_bytes);
    Ok(plan)
}

/// Planned jobs by database.
pub(crate) type Jobs = BTreeMap<String, Vec<crate::job::Job>>;

struct Planner<'a> {
    target: &'a Target,
    options: &'a Options,
    limits: Limits,
    plan: Plan,
    jobs: Jobs,
}

impl<'a> Planner<'a> {
    async fn instance(&mut self, session: &mut Session<'_>) {
        if self.options.expect_isolated {
            let since = Instant::now();
            let ending = self
                .unless_late(async || {
                    match patiently!(session, isolation::CHECK, isolation::check(session)) {
                        Ok(ending) => ending,
                        Err(trouble) => Ending::trouble(&trouble),
                    }
                })
                .await;
            self.plan.checks.push(ending.into_check(isolation::CHECK, INSTANCE, since));
        }
        let since = Instant::now();
        let databases = match patiently!(session, "inventory", instance::databases(session)) {
            Ok(databases) => databases,
            Err(trouble) => {
                let ending = Ending::trouble(&trouble);
                self.plan.checks.push(ending.into_check("inventory", INSTANCE, since));
                return;
            }
        };
        self.plan.listed = true;
        self.plan.closed.clone_from(&databases.closed);
        self.leftovers(session).await;
        let (mut counted, mut unopened) = (Vec::new(), Vec::new());
        for name in &databases.names {
            match self.open(name, &databases).await {
                Ok(mut session) => match patiently!(session, name, instance::table_count(&mut session)) {
                    Ok(tables) => {
                        counted.push((name.clone(), tables));
                        self.database(&mut session, name, tables).await;
                    }
                    Err(trouble) => self.not_run(name, &trouble.message(), &mut unopened),
                },
                Err(reason) => self.not_run(name, &reason, &mut unopened),
            }
        }
        let ending = instance::inventory(&databases, &counted, &unopened);
        // It comes second, wherever it was found out.
        let place = usize::from(self.options.expect_isolated);
        self.plan.checks.insert(place, ending.into_check("inventory", INSTANCE, since));
    }

    async fn leftovers(&mut self, session: &mut Session<'_>) {
        if self.options.checks.leftovers == Coverage::Off {
            return self.off(leftovers::CHECK, INSTANCE);
        }
        let since = Instant::now();
        let mut planned = Planned::default();
        let (options, facts) = (self.options, &self.plan.facts);
        planned.ending = self
            .unless_late(async || {
                let found = leftovers::check(session, options, facts).await;
                planned.not_checked = found.not_checked;
                found.ending
            })
            .await;
        self.plan.not_checked.extend(planned.not_checked_of(leftovers::CHECK, INSTANCE));
        self.plan.checks.push(planned.ending.into_check(leftovers::CHECK, INSTANCE, since));
    }

    async fn open(&self, name: &str, databases: &Databases) -> Result<Session<'a>, String> {
        if databases.denied.iter().any(|denied| denied == name) {
            return Err("this user has no right to connect to it".into());
        }
        if self.limits.used_up() {
            return Err(TIME_BUDGET.into());
        }
        Session::open_patiently(self.target, self.limits, name).await.map_err(|error| error.to_string())
    }

    /// Does the work unless the time budget is used up.
    async fn unless_late(&self, work: impl AsyncFnOnce() -> Ending) -> Ending {
        if self.limits.used_up() { Ending::not_run(TIME_BUDGET) } else { work().await }
    }

    /// A database that cannot be looked at: every check of it is not run.
    fn not_run(&mut self, name: &str, reason: &str, unopened: &mut Vec<(String, String)>) {
        unopened.push((name.to_owned(), reason.to_owned()));
        self.plan.databases.insert(name.to_owned(), DatabasePlan::default());
        let mut checks: Vec<&str> = vec![SCHEMA];
        checks.extend(families(self.options).into_iter().filter(|(_, on)| *on).map(|(check, _)| check));
        for check in checks {
            self.plan.checks.push(Ending::not_run(reason).into_check(check, name, Instant::now()));
        }
        for assertion in &self.options.assertions {
            if assertion.database.as_deref().is_none_or(|database| database == name) {
                let check = assertions::check_name(assertion);
                self.plan.checks.push(Ending::not_run(reason).into_check(check, name, Instant::now()));
            }
        }
    }

    fn off(&mut self, check: &str, scope: &str) {
        self.plan.not_checked.push(NotChecked {
            check: check.into(),
            scope: scope.into(),
            object: None,
            reason: "switched off by the input".into(),
        });
    }

    /// Plans every check of one database.
    async fn database(&mut self, session: &mut Session<'_>, name: &str, tables: u64) {
        let since = Instant::now();
        let mut objects = None;
        // The catalog is the manifest's, so it is read even when the check is off; and when it cannot be, that is said.
        let ending = self
            .unless_late(async || match patiently!(session, SCHEMA, catalog::read(session)) {
                Ok(read) => {
                    let ending = catalog::unreadable(&read);
                    objects = Some(read);
                    ending
                }
                Err(trouble) => Ending::trouble(&trouble),
            })
            .await;
        self.plan.databases.insert(name.to_owned(), DatabasePlan { objects });
        if self.options.checks.schema == Coverage::Off && ending.is_clean() {
            self.off(SCHEMA, name);
        } else {
            self.file(SCHEMA, name, Planned { ending, ..Planned::default() }, since);
        }
        // After the catalog was read: this one may add to it.
        let amcheck = extensions::amcheck(session, self.options).await;
        let facts = self.plan.facts.clone();
        let scope =
            Scope { database: name, facts: &facts, options: self.options, amcheck: amcheck.as_deref().ok() };
        for (check, on) in families(self.options) {
            if !on {
                self.off(check, name);
                continue;
            }
            let since = Instant::now();
            let planned = if self.limits.used_up() {
                Err(Trouble::Budget)
            } else {
                patiently!(session, check, family(check, session, &scope))
            };
            let planned = planned.unwrap_or_else(|trouble| Planned {
                ending: Ending::trouble(&trouble),
                ..Planned::default()
            });
            self.file(check, name, planned, since);
        }
        if let Err(reason) = &amcheck {
            self.plan.not_checked.push(NotChecked {
                check: storage::CHECK.into(),
                scope: name.into(),
                object: None,
                reason: format!("amcheck cannot be had: {reason}"),
            });
        }
        self.freshness(session, &scope).await;
        for assertion in &self.options.assertions {
            if assertions::asks(assertion, name, tables) {
                let planned = assertions::plan(assertion);
                self.file(&assertions::check_name(assertion), name, planned, Instant::now());
            }
        }
    }

    async fn freshness(&mut self, session: &mut Session<'_>, scope: &Scope<'_>) {
        let name = scope.database;
        let Some(freshness) = &self.options.checks.freshness else { return };
        if !freshness.all_columns().iter().any(|column| column.database == name) {
            return;
        }
        let since = Instant::now();
        let planned = patiently!(session, freshness::CHECK, freshness::plan(session, scope, freshness))
            .unwrap_or_else(|trouble| Planned { ending: Ending::trouble(&trouble), ..Planned::default() });
        // One check for the whole instance: the newest of all columns counts.
        self.file_as(freshness::CHECK, INSTANCE, name, planned, since);
    }

    fn file(&mut self, check: &str, database: &str, planned: Planned, since: Instant) {
        self.file_as(check, database, database, planned, since);
    }

    fn file_as(&mut self, check: &str, scope: &str, database: &str, planned: Planned, since: Instant) {
        self.plan.not_checked.extend(planned.not_checked_of(check, scope));
        let duration_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        match self.plan.open.iter_mut().find(|open| open.name == check && open.scope == scope) {
            Some(open) => {
                open.ending.merge(planned.ending);
                open.duration_ms += duration_ms;
            }
            None => self.plan.open.push(OpenCheck {
                name: check.into(),
                scope: scope.into(),
                ending: planned.ending,
                duration_ms,
            }),
        }
        self.jobs.entry(database.to_owned()).or_default().extend(planned.jobs);
    }

    /// An assertion that found no database to be asked in is not one that holds.
    fn unasked_assertions(&mut self) {
        for assertion in &self.options.assertions {
            let name = assertions::check_name(assertion);
            let asked = self.plan.open.iter().any(|open| open.name == name)
                || self.plan.checks.iter().any(|check| check.name == name);
            if !asked {
                let (scope, ending) = assertions::unasked(assertion, self.plan.listed);
                self.plan.checks.push(ending.into_check(name, scope, Instant::now()));
            }
        }
    }

    /// A column of a database that is not there is not fresh.
    fn unfound_freshness(&mut self) {
        let Some(freshness) = &self.options.checks.freshness else { return };
        let mut ending = Ending::default();
        for column in &freshness.all_columns() {
            match self.plan.databases.get(&column.database) {
                None => ending.wrong(
                    &column.database,
                    "the database that should show how new the data is, is not there",
                ),
                Some(DatabasePlan { objects: None, .. }) => {
                    ending.unfinished(&column.database, "could not be asked how new the data is");
                }
                Some(_) => {}
            }
        }
        let planned = Planned { ending, ..Planned::default() };
        self.file_as(freshness::CHECK, INSTANCE, "", planned, Instant::now());
    }
}

/// The checks of every database that are planned alike, in their order, and whether each is wanted.
fn families(options: &Options) -> [(&'static str, bool); 10] {
    let checks = &options.checks;
    let on = |coverage: Coverage| coverage != Coverage::Off;
    [
        (content::CHECK, on(checks.content)),
        (storage::CHECK, on(checks.storage)),
        (indexes::CHECK, on(checks.indexes)),
        (uniqueness::CHECK, on(checks.uniqueness)),
        (foreign_keys::CHECK, on(checks.foreign_keys)),
        (constraints::CHECK, on(checks.constraints)),
        (sequences::CHECK, on(checks.sequences)),
        (collations::CHECK, on(checks.collations)),
        (leftovers::CHECK, on(checks.leftovers)),
        (isolation::CHECK, options.expect_isolated),
    ]
}

async fn family(check: &str, session: &mut Session<'_>, scope: &Scope<'_>) -> Result<Planned, Trouble> {
    match check {
        content::CHECK => content::plan(session, scope).await,
        storage::CHECK => storage::plan(session, scope).await,
        indexes::CHECK => indexes::plan(session, scope).await,
        uniqueness::CHECK => uniqueness::plan(session, scope).await,
        foreign_keys::CHECK => foreign_keys::plan(session, scope).await,
        constraints::CHECK => constraints::plan(session, scope).await,
        sequences::CHECK => sequences::plan(session, scope).await,
        collations::CHECK => collations::plan(session, scope).await,
        leftovers::CHECK => leftovers::plan(session, scope).await,
        isolation::CHECK => isolation::plan(session).await,
        other => Err(Trouble::Other(format!("{other} is no check"))),
    }
}
