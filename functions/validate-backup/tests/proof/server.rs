//! A restored server in memory: it knows the password that was set on its instance, what there is to do on it, and
//! what its checks find.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use holdfast_core::validation::{
    Check, CheckResult, DatabaseManifest, Finding, Manifest, NotChecked, ObjectManifest, TableManifest,
};
use holdfast_fakes::FakeRds;
use holdfast_proving::{Prover, Server};
use holdfast_verify::{ConnectError, Journal, Options, Outcome, Plan, Progress, Unit, UnitResult};
use secrecy::ExposeSecret;
use serde_json::json;

/// What happens outside at some moment.
type Meanwhile = Box<dyn FnOnce() + Send>;

pub struct FakeServer {
    rds: Arc<FakeRds>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    refusal: Option<ConnectError>,
    checks: Vec<Check>,
    not_checked: Vec<NotChecked>,
    logins: u32,
    /// Bytes of each unit that a plan has.
    units: Vec<u64>,
    plans: Vec<Options>,
    works: Vec<Options>,
    proofs: Vec<Options>,
    /// Units that were worked through, in order, kept or not.
    worked: Vec<u32>,
    time_for: Option<usize>,
    dies_after: Option<usize>,
    while_planning: Option<Meanwhile>,
    while_working: Option<Meanwhile>,
}

impl FakeServer {
    /// A server whose data is whole, and little.
    pub fn whole(rds: Arc<FakeRds>) -> Self {
        let checks = vec![check("content", CheckResult::Passed)];
        let state = State { checks, units: vec![1 << 20], ..State::default() };
        FakeServer { rds, state: Mutex::new(state) }
    }

    /// Every login ends like this, or is judged by the password again.
    pub fn refuse(&self, refusal: impl Into<Option<ConnectError>>) {
        self.state.lock().unwrap().refusal = refusal.into();
    }

    /// What the checks find.
    pub fn finds(&self, checks: Vec<Check>) {
        self.state.lock().unwrap().checks = checks;
    }

    /// What the checks do not look at.
    pub fn does_not_check(&self, not_checked: Vec<NotChecked>) {
        self.state.lock().unwrap().not_checked = not_checked;
    }

    /// What a plan comes to: so many units that read so many bytes each.
    pub fn has_units(&self, number: usize, bytes: u64) {
        self.state.lock().unwrap().units = vec![bytes; number];
    }

    /// One call has time for so many units.
    pub fn time_for(&self, units: impl Into<Option<usize>>) {
        self.state.lock().unwrap().time_for = units.into();
    }

    /// The function dies after so many units of a call, in the middle of the next.
    pub fn dies_after(&self, units: impl Into<Option<usize>>) {
        self.state.lock().unwrap().dies_after = units.into();
    }

    pub fn while_planning(&self, happens: impl FnOnce() + Send + 'static) {
        self.state.lock().unwrap().while_planning = Some(Box::new(happens));
    }

    pub fn while_working(&self, happens: impl FnOnce() + Send + 'static) {
        self.state.lock().unwrap().while_working = Some(Box::new(happens));
    }

    /// Logins that were let in, or not.
    pub fn logins(&self) -> u32 {
        self.state.lock().unwrap().logins
    }

    /// The options of every plan that was made.
    pub fn plans(&self) -> Vec<Options> {
        self.state.lock().unwrap().plans.clone()
    }

    /// The options of every call that worked.
    pub fn works(&self) -> Vec<Options> {
        self.state.lock().unwrap().works.clone()
    }

    /// The options of every sum that was drawn.
    pub fn proofs(&self) -> Vec<Options> {
        self.state.lock().unwrap().proofs.clone()
    }

    /// Every unit that was worked through, as often as it was.
    pub fn worked(&self) -> Vec<u32> {
        let mut units = self.state.lock().unwrap().worked.clone();
        units.sort_unstable();
        units
    }

    fn log_in(&self, server: &Server) -> Result<(), ConnectError> {
        let mut state = self.state.lock().unwrap();
        state.logins += 1;
        if let Some(refusal) = &state.refusal {
            return Err(refusal.clone());
        }
        let id = server.endpoint.host.split('.').next().unwrap();
        if self.rds.password_now(id).as_deref() != Some(server.password.expose_secret()) {
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
        let mut state = self.state.lock().unwrap();
        state.plans.push(options.clone());
        if let Some(happens) = state.while_planning.take() {
            happens();
        }
        Ok(plan(&state.units))
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
        let (time_for, dies_after, happens) = {
            let mut state = self.state.lock().unwrap();
            state.works.push(options.clone());
            (state.time_for, state.dies_after, state.while_working.take())
        };
        if let Some(happens) = happens {
            happens();
        }
        let mut progress = Progress::default();
        for (turn, id) in ids.iter().copied().enumerate() {
            assert!(units.iter().any(|unit| unit.id == id), "unit {id} is not of this plan");
            if time_for.is_some_and(|units| turn >= units) || progress.journal_failed.is_some() {
                progress.left.push(id);
                continue;
            }
            if dies_after == Some(turn) {
                std::future::pending::<()>().await;
            }
            self.state.lock().unwrap().worked.push(id);
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
        let mut state = self.state.lock().unwrap();
        state.proofs.push(options.clone());
        let mut checks = state.checks.clone();
        let undone = plan.units.iter().filter(|unit| !results.contains_key(&unit.id)).count();
        if undone > 0 {
            checks.push(Check {
                reason: Some(format!("{undone} units were not done")),
                ..check("storage", CheckResult::Errored)
            });
        }
        Outcome {
            checks,
            manifest: manifest(),
            databases: vec!["shop".into()],
            not_checked: state.not_checked.clone(),
        }
    }
}

/// A plan with units of these sizes, as it would be read from the bucket.
pub fn plan(units: &[u64]) -> Plan {
    let units: Vec<_> = units
        .iter()
        .enumerate()
        .map(|(id, bytes)| json!({"id": id, "database": "shop", "bytes": bytes, "jobs": []}))
        .collect();
    serde_json::from_value(json!({
        "algorithm": "test",
        "facts": {"serverVersion": "15.4", "version": 150_004, "checksums": true, "hidesDamage": false,
            "blockSize": 8192, "now": "2026-11-20T06:00:00Z"},
        "checks": [], "open": [], "databases": {}, "closed": [], "listed": true, "notChecked": [], "units": units,
    }))
    .unwrap()
}

pub fn check(name: &str, result: CheckResult) -> Check {
    let finding = Finding { object: "public.orders".into(), message: "page 7 is damaged".into() };
    Check {
        name: name.into(),
        scope: "shop".into(),
        result,
        reason: None,
        duration_ms: 3,
        findings: if result == CheckResult::Failed { vec![finding] } else { vec![] },
    }
}

/// One database with one table of 100 rows.
pub fn manifest() -> Manifest {
    let table = TableManifest { rows: 100, fingerprint: "ab".into(), ..TableManifest::default() };
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
