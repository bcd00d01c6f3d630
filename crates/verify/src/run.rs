//! The order of things: the instance, then one database after the other, then the assertions.

use std::collections::BTreeMap;
use std::time::Instant;

use holdfast_core::validation::{Assertion, Check, DatabaseManifest, Manifest};

use crate::catalog::Objects;
use crate::connection::ConnectError;
use crate::ending::{Ending, INSTANCE};
use crate::instance::{self, Databases};
use crate::session::{Limits, Session, Trouble};
use crate::{ALGORITHM, Options, Outcome, Target, assertions, catalog, compare, content, integrity};

/// Checks of every database, in their order.
const SCHEMA: &str = "schema";
const CONTENT: &str = "content";
const FOREIGN_KEYS: &str = "foreign-keys";
const INDEXES: &str = "indexes";
const SEQUENCES: &str = "sequences";

/// What is said of a check that came too late.
const TIME_BUDGET: &str = "time budget";

pub(crate) async fn run(target: &Target, options: &Options) -> Result<Outcome, ConnectError> {
    let limits = Limits::new(options);
    let mut session = Session::open_maintenance(target, limits).await?;
    let mut run = Run::new(target, options, limits);
    if options.expect_isolated {
        let since = Instant::now();
        let ending = run.unless_late(async || instance::isolation(&mut session).await).await;
        run.checks.push(ending.into_check("isolation", INSTANCE, since));
    }
    let server_version = server_version(&mut session).await;
    let mut opened = run.inventory(&mut session).await;
    drop(session);

    for name in run.names.clone() {
        match opened.remove(&name) {
            Some(Ok(tables)) => run.database(&name, tables).await,
            Some(Err(reason)) => run.not_run(&name, &reason),
            None => run.not_run(&name, TIME_BUDGET),
        }
    }
    run.missing_databases();
    run.unasked_assertions();
    Ok(run.into_outcome(server_version))
}

async fn server_version(session: &mut Session<'_>) -> String {
    session.next_check();
    match session.query_one("SELECT current_setting('server_version')").await {
        Ok(row) => row.get(0),
        Err(_) => "unknown".into(),
    }
}

/// Per database: its tables, or why it could not be opened.
type Opened = BTreeMap<String, Result<u64, String>>;

struct Run<'a> {
    target: &'a Target,
    options: &'a Options,
    limits: Limits,
    names: Vec<String>,
    /// Databases that allow no connection.
    closed: Vec<String>,
    /// Whether the list of databases is known at all.
    listed: bool,
    checks: Vec<Check>,
    /// By position of the assertion, so that they end up together at the end.
    assertion_checks: BTreeMap<usize, Vec<Check>>,
    databases: BTreeMap<String, DatabaseManifest>,
}

impl<'a> Run<'a> {
    fn new(target: &'a Target, options: &'a Options, limits: Limits) -> Self {
        Run {
            target,
            options,
            limits,
            names: Vec::new(),
            closed: Vec::new(),
            listed: false,
            checks: Vec::new(),
            assertion_checks: BTreeMap::new(),
            databases: BTreeMap::new(),
        }
    }

    /// Does the work unless the time budget is used up.
    async fn unless_late(&self, work: impl AsyncFnOnce() -> Ending) -> Ending {
        if self.limits.used_up() { Ending::not_run(TIME_BUDGET) } else { work().await }
    }

    /// Lists and opens the databases, and files the check.
    async fn inventory(&mut self, session: &mut Session<'_>) -> Opened {
        let since = Instant::now();
        session.next_check();
        let mut opened = Opened::new();
        let ending = match instance::databases(session).await {
            Ok(databases) => {
                self.listed = true;
                self.names.clone_from(&databases.names);
                self.closed.clone_from(&databases.closed);
                opened = self.open_all(&databases).await;
                let counted: Vec<(String, u64)> = opened
                    .iter()
                    .filter_map(|(name, tables)| tables.as_ref().ok().map(|tables| (name.clone(), *tables)))
                    .collect();
                let unopened: Vec<(String, String)> = opened
                    .iter()
                    .filter_map(|(name, tables)| tables.as_ref().err().map(|why| (name.clone(), why.clone())))
                    .collect();
                instance::inventory(&databases, &counted, &unopened)
            }
            Err(Trouble::Budget) => Ending::not_run(TIME_BUDGET),
            Err(trouble) => Ending::trouble(&trouble),
        };
        self.checks.push(ending.into_check("inventory", INSTANCE, since));
        opened
    }

    async fn open_all(&self, databases: &Databases) -> Opened {
        let mut opened = Opened::new();
        for name in &databases.names {
            let tables = if databases.denied.contains(name) {
                Err("this user has no right to connect to it".to_owned())
            } else {
                match Session::open(self.target, self.limits, name).await {
                    Ok(mut session) => instance::table_count(&mut session).await.map_err(|why| why.message()),
                    Err(error) => Err(error.to_string()),
                }
            };
            opened.insert(name.clone(), tables);
        }
        opened
    }

    /// Every check of one database.
    async fn database(&mut self, name: &str, tables: u64) {
        let mut session = match Session::open(self.target, self.limits, name).await {
            Ok(session) => session,
            Err(error) => return self.not_run(name, &error.to_string()),
        };
        let since = Instant::now();
        let mut objects = None;
        let ending = self
            .unless_late(async || {
                let (ending, read) = schema(&mut session, self.options).await;
                objects = read;
                ending
            })
            .await;
        self.push(SCHEMA, name, ending, since);

        let since = Instant::now();
        let mut tables_read = content::Tables::new();
        session.next_check();
        let ending = self
            .unless_late(async || {
                let (ending, read) = content::check(&mut session).await;
                tables_read = read;
                ending
            })
            .await;
        self.push(CONTENT, name, ending, since);
        if let Some(objects) = objects {
            let schema_hash = catalog::hash(&objects);
            self.databases
                .insert(name.to_owned(), DatabaseManifest { schema_hash, objects, tables: tables_read });
        }

        let since = Instant::now();
        session.next_check();
        let ending = self.unless_late(async || integrity::foreign_keys(&mut session).await).await;
        self.push(FOREIGN_KEYS, name, ending, since);
        let since = Instant::now();
        session.next_check();
        let ending = self.unless_late(async || integrity::indexes(&mut session).await).await;
        self.push(INDEXES, name, ending, since);
        let since = Instant::now();
        session.next_check();
        let ending = self.unless_late(async || integrity::sequences(&mut session).await).await;
        self.push(SEQUENCES, name, ending, since);

        for (position, assertion) in self.options.assertions.iter().enumerate() {
            if asks(assertion, name, tables) {
                let since = Instant::now();
                session.next_check();
                let ending =
                    self.unless_late(async || assertions::check(&mut session, assertion).await).await;
                self.push_assertion(position, name, ending, since);
            }
        }
    }

    fn push(&mut self, check: &str, scope: &str, ending: Ending, since: Instant) {
        self.checks.push(ending.into_check(check, scope, since));
    }

    fn push_assertion(&mut self, position: usize, scope: &str, ending: Ending, since: Instant) {
        let name = format!("assertion: {}", self.options.assertions[position].name);
        self.assertion_checks.entry(position).or_default().push(ending.into_check(name, scope, since));
    }

    /// Files every check of a database as not run.
    fn not_run(&mut self, name: &str, reason: &str) {
        for check in [SCHEMA, CONTENT, FOREIGN_KEYS, INDEXES, SEQUENCES] {
            self.push(check, name, Ending::not_run(reason), Instant::now());
        }
        for (position, assertion) in self.options.assertions.iter().enumerate() {
            if assertion.database.as_deref().is_none_or(|database| database == name) {
                self.push_assertion(position, name, Ending::not_run(reason), Instant::now());
            }
        }
    }

    /// Databases that the last validated backup had and that are not there.
    fn missing_databases(&mut self) {
        let options = self.options;
        let Some(reference) = options.reference.as_ref().filter(|_| self.listed) else { return };
        if reference.algorithm != ALGORITHM {
            return;
        }
        for (name, before) in &reference.databases {
            if self.names.contains(name) {
                continue;
            }
            let mut ending = Ending::default();
            if self.closed.contains(name) {
                ending.unfinished(name, "the database allows no connection now and cannot be compared");
            } else {
                let allowed = &options.allow_missing_tables;
                compare::compare_missing_database(&mut ending, name, &before.objects, allowed);
            }
            self.push(SCHEMA, name, ending, Instant::now());
        }
    }

    /// An assertion that found no database to be asked in is not one that holds.
    fn unasked_assertions(&mut self) {
        for (position, assertion) in self.options.assertions.iter().enumerate() {
            if self.assertion_checks.contains_key(&position) {
                continue;
            }
            let (scope, ending) = match &assertion.database {
                Some(database) if self.listed => {
                    let mut ending = Ending::default();
                    ending.wrong(&assertion.name, format!("the database {database} is not on this instance"));
                    (database.as_str(), ending)
                }
                Some(database) => (database.as_str(), Ending::not_run("the databases could not be listed")),
                None => (INSTANCE, Ending::not_run("no database with tables to ask it in")),
            };
            self.push_assertion(position, scope, ending, Instant::now());
        }
    }

    fn into_outcome(mut self, server_version: String) -> Outcome {
        self.checks.extend(std::mem::take(&mut self.assertion_checks).into_values().flatten());
        let manifest = Manifest { algorithm: ALGORITHM.into(), server_version, databases: self.databases };
        Outcome { checks: self.checks, manifest, databases: self.names }
    }
}

/// Whether an assertion is asked in this database: the one it names, else every one with tables.
///
/// Every server has a `postgres` without any; there, what an assertion speaks of is never found.
fn asks(assertion: &Assertion, database: &str, tables: u64) -> bool {
    match &assertion.database {
        Some(named) => named == database,
        None => tables > 0,
    }
}

async fn schema(session: &mut Session<'_>, options: &Options) -> (Ending, Option<Objects>) {
    session.next_check();
    let objects = match catalog::read(session).await {
        Ok(objects) => objects,
        Err(trouble) => return (Ending::trouble(&trouble), None),
    };
    let mut ending = Ending::default();
    ending.note(format!("{} objects, hash {}", objects.len(), catalog::hash(&objects)));
    match &options.reference {
        None => ending.note("no earlier validated backup to compare with"),
        Some(reference) if reference.algorithm != ALGORITHM => {
            ending.note(format!("not comparable with the last validated backup ({})", reference.algorithm));
        }
        Some(reference) => match reference.databases.get(session.database()) {
            None => ending.note("the last validated backup did not have this database"),
            Some(before) => {
                let allowed = &options.allow_missing_tables;
                compare::compare(&mut ending, session.database(), &before.objects, &objects, allowed);
            }
        },
    }
    (ending, Some(objects))
}
