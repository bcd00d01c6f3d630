//! A restored server in memory: whom it lets in, what there is to do on it, and what it holds.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use holdfast_core::validation::{
    Check, CheckResult, DatabaseManifest, Finding, Manifest, NotChecked, ObjectManifest, TableManifest,
};
use holdfast_proving::{Prover, Server};
use holdfast_verify::{ConnectError, Journal, Options, Outcome, Plan, Progress, Unit, UnitResult};
use secrecy::ExposeSecret;
use serde_json::json;

/// A server; what it does is public to the test that arranges it.
pub struct FakeServer(Mutex<State>);

#[derive(Default)]
pub struct State {
    /// Users and passwords that are let in.
    pub admitted: BTreeMap<String, String>,
    /// So many logins fail, before the rest is judged by the password.
    pub failing_logins: u32,
    /// What a login that fails meets.
    pub refusal: Option<ConnectError>,
    /// Units that a plan has.
    pub units: usize,
    /// Units that one call has time for.
    pub time_for: Option<usize>,
    /// Rows that its table has.
    pub rows: u64,
    /// What else its checks find.
    pub checks: Vec<Check>,
    /// What its checks do not look at.
    pub not_checked: Vec<NotChecked>,
    /// Every login that was let in or not: the host, the user.
    pub logins: Vec<(String, String)>,
    /// The options of every plan, every call that worked, every sum.
    pub options: Vec<Options>,
    pub plans: u32,
    /// Units that were worked through, in order, kept or not.
    pub worked: Vec<u32>,
}

impl FakeServer {
    /// Whole, with 100 rows, in one unit.
    pub fn whole() -> Self {
        let checks = vec![check("content", CheckResult::Passed)];
        FakeServer(Mutex::new(State { units: 1, rows: 100, checks, ..State::default() }))
    }

    pub fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    pub fn get<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.0.lock().unwrap())
    }

    fn log_in(&self, server: &Server) -> Result<(), ConnectError> {
        let mut state = self.0.lock().unwrap();
        state.logins.push((server.endpoint.host.clone(), server.user.clone()));
        if state.failing_logins > 0 {
            state.failing_logins -= 1;
            return Err(state.refusal.clone().unwrap());
        }
        if state.admitted.get(&server.user).map(String::as_str) != Some(server.password.expose_secret()) {
            return Err(ConnectError::WrongCredentials(format!("for user {}", server.user)));
        }
        Ok(())
    }
}

#[async_trait(?Send)]
impl Prover for FakeServer {
    async fn probe(&self, server: &Server) -> Result<(), ConnectError> {
        self.log_in(server)
    }

    async fn plan(&self, server: &Server, options: &Options) -> Result<Plan, ConnectError> {
        self.log_in(server)?;
        let mut state = self.0.lock().unwrap();
        state.plans += 1;
        state.options.push(options.clone());
        Ok(plan(state.units))
    }

    async fn work(
        &self,
        server: &Server,
        options: &Options,
        units: &[Unit],
        ids: &[u32],
        journal: &dyn Journal,
    ) -> Result<Progress, ConnectError> {
        self.log_in(server)?;
        self.set(|state| state.options.push(options.clone()));
        let time_for = self.get(|state| state.time_for);
        let mut progress = Progress::default();
        for (turn, id) in ids.iter().copied().enumerate() {
            assert!(units.iter().any(|unit| unit.id == id), "unit {id} is not of this plan");
            if time_for.is_some_and(|units| turn >= units) || progress.journal_failed.is_some() {
                progress.left.push(id);
                continue;
            }
            self.set(|state| state.worked.push(id));
            match journal.keep(&UnitResult { unit: id, jobs: vec![] }).await {
                Ok(()) => progress.done.push(id),
                Err(reason) => {
                    progress.left.push(id);
                    progress.journal_failed = Some(reason);
                }
            }
        }
        Ok(progress)
    }

    fn conclude(&self, plan: &Plan, results: &BTreeMap<u32, UnitResult>, options: &Options) -> Outcome {
        let mut state = self.0.lock().unwrap();
        state.options.push(options.clone());
        let mut checks = state.checks.clone();
        if results.len() < plan.units.len() {
            checks.push(check("storage", CheckResult::Errored));
        }
        let holds = manifest(state.rows);
        if let Some(was) = &options.same_as {
            let result = if *was == holds { CheckResult::Passed } else { CheckResult::Failed };
            checks.push(check("against-manifest", result));
        }
        Outcome {
            checks,
            manifest: holds,
            databases: vec!["shop".into()],
            not_checked: state.not_checked.clone(),
        }
    }
}

/// A plan with so many units, as it would be read from the bucket.
fn plan(units: usize) -> Plan {
    let units: Vec<_> =
        (0..units).map(|id| json!({"id": id, "database": "shop", "bytes": 1 << 20, "jobs": []})).collect();
    serde_json::from_value(json!({
        "algorithm": "test",
        "facts": {"serverVersion": "15.4", "version": 150_004, "checksums": true, "hidesDamage": false,
            "blockSize": 8192, "now": "2026-11-20T06:00:00Z"},
        "checks": [], "open": [], "databases": {}, "closed": [], "listed": true, "notChecked": [], "units": units,
    }))
    .unwrap()
}

pub fn check(name: &str, result: CheckResult) -> Check {
    let finding = Finding { object: "public.orders".into(), message: "rows are missing".into() };
    Check {
        name: name.into(),
        scope: "shop".into(),
        result,
        reason: None,
        duration_ms: 3,
        findings: if result == CheckResult::Failed { vec![finding] } else { vec![] },
    }
}

/// One database with one table of so many rows.
pub fn manifest(rows: u64) -> Manifest {
    let table = TableManifest { rows, fingerprint: "ab".into(), ..TableManifest::default() };
    let object = ObjectManifest { hash: "ef".into(), definition: BTreeMap::new() };
    let database = DatabaseManifest {
        schema_hash: "cd".into(),
        objects: [("table public.orders".to_owned(), object)].into(),
        tables: [("public.orders".to_owned(), table)].into(),
    };
    Manifest {
        algorithm: "test".into(),
        server_version: "15.4".into(),
        taken_at: None,
        databases: [("shop".to_owned(), database)].into(),
    }
}
