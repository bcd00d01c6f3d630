//! A restored server in memory: it knows the password that was set on its instance, and what its checks find.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use holdfast_core::validation::{Check, CheckResult, DatabaseManifest, Finding, Manifest, TableManifest};
use holdfast_fakes::FakeRds;
use holdfast_verify::{ConnectError, Options, Outcome};
use secrecy::ExposeSecret;
use validate_backup::{Prover, Server};

/// What happens outside while the checks run.
type Meanwhile = Box<dyn FnOnce() + Send>;

pub struct FakeServer {
    rds: Arc<FakeRds>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    refusal: Option<ConnectError>,
    checks: Vec<Check>,
    logins: u32,
    proofs: Vec<Options>,
    meanwhile: Option<Meanwhile>,
}

impl FakeServer {
    /// A server whose data is whole.
    pub fn whole(rds: Arc<FakeRds>) -> Self {
        let state = State { checks: vec![check("content", CheckResult::Passed)], ..State::default() };
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

    pub fn meanwhile(&self, happens: impl FnOnce() + Send + 'static) {
        self.state.lock().unwrap().meanwhile = Some(Box::new(happens));
    }

    /// Logins that were let in, or not.
    pub fn logins(&self) -> u32 {
        self.state.lock().unwrap().logins
    }

    /// The options of every proof that was run.
    pub fn proofs(&self) -> Vec<Options> {
        self.state.lock().unwrap().proofs.clone()
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

#[async_trait]
impl Prover for FakeServer {
    async fn probe(&self, server: &Server) -> Result<(), ConnectError> {
        self.log_in(server)
    }

    async fn prove(&self, server: &Server, options: &Options) -> Result<Outcome, ConnectError> {
        self.log_in(server)?;
        let mut state = self.state.lock().unwrap();
        state.proofs.push(options.clone());
        if let Some(happens) = state.meanwhile.take() {
            happens();
        }
        Ok(Outcome { checks: state.checks.clone(), manifest: manifest(), databases: vec!["shop".into()] })
    }
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
    let table = TableManifest { rows: 100, fingerprint: "ab".into() };
    let database = DatabaseManifest {
        schema_hash: "cd".into(),
        objects: [("table public.orders".to_owned(), "ef".to_owned())].into(),
        tables: [("public.orders".to_owned(), table)].into(),
    };
    Manifest {
        algorithm: "test".into(),
        server_version: "15.4".into(),
        databases: [("shop".to_owned(), database)].into(),
    }
}
