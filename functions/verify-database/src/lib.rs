//! `verify-database`: make it so that a database that was brought back is proven where it is.
//!
//! It is looked at as it stands, in its own network, by a user of its own: nothing is set up in it, changed or removed.
//! What came from a backup that was found VALID must be what that backup was, object by object and row by row.
//!
//! After a swap it also makes the smoke checks ([`smoke`]): it is the function that reaches the databases' network.

use std::time::Duration;

use holdfast_core::ErrorKind;
use holdfast_core::Result;
use holdfast_core::answer::{Answer, Progress};
use holdfast_core::ids::OperationId;
use holdfast_core::login::credentials;
use holdfast_core::operation::{RecoveryPoint, RestorePlan, RestoreResult, SmokeResult, ValidationResult};
use holdfast_core::polling::wait_seconds;
use holdfast_core::ports::{Documents, Logins};
use holdfast_core::rds::{Creation, Endpoint, Server};
use holdfast_core::request::RestoreRequest;
use holdfast_core::validation::{Check, CheckResult, Manifest, NotChecked, Verdict};
use holdfast_proving::{Kept, MAX_FAILED_LOGINS, Planned, Prover, Units, options};
use holdfast_verify::{ConnectError, Options};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

mod smoke;
mod web;

pub use smoke::{SmokeCarry, SmokeInput};

/// What the state machine asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Input {
    /// Prove what came back.
    Verify(Box<VerifyInput>),
    /// Look whether what uses the database does with the one that was swapped in.
    Smoke(Box<SmokeInput>),
}

/// What is to be proven.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerifyInput {
    /// The operation.
    pub operation_id: OperationId,
    /// What was asked for.
    pub request: Box<RestoreRequest>,
    /// What was planned.
    pub plan: Box<RestorePlan>,
    /// What came back.
    pub restore: Box<RestoreResult>,
    /// Which poll this is, from 1.
    pub poll: u32,
    /// What the last answer asked to be handed back.
    #[serde(default)]
    pub carry: Option<Carry>,
}

/// What one poll hands to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Carry {
    /// How often the server could not be logged in to since something was done.
    #[serde(default)]
    pub failed_logins: u32,
}

/// What it ends with.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum Output {
    /// What came back is looked at.
    Verified {
        /// What the record keeps.
        validation: Box<ValidationResult>,
    },
    /// What uses it was looked at.
    Smoked {
        /// Whether every check passed.
        passed: bool,
        /// Each of them.
        smoke_checks: Vec<SmokeResult>,
    },
}

/// What the function works with.
pub struct Ports<'a, L, D, P> {
    /// Secrets and tokens.
    pub logins: &'a L,
    /// The metadata bucket.
    pub documents: &'a D,
    /// The proof itself.
    pub prover: &'a P,
    /// Bound for what one invocation checks, under Lambda's 15 minutes.
    pub budget: Duration,
    /// Now.
    pub now: Timestamp,
}

/// Does the next thing.
///
/// # Errors
/// What a call met. A database that is bad, or that nobody can log in to, is not an error of this function: it is its
/// answer.
pub async fn handle(
    ports: &Ports<'_, impl Logins, impl Documents, impl Prover>,
    input: Input,
) -> Result<Answer<Output>> {
    match input {
        Input::Verify(input) => verify(ports, *input).await,
        Input::Smoke(input) => smoke::step(ports, &input).await,
    }
}

async fn verify(
    ports: &Ports<'_, impl Logins, impl Documents, impl Prover>,
    input: VerifyInput,
) -> Result<Answer<Output>> {
    let key = input.operation_id.validation_key();
    if let Some(kept) = ports.documents.get::<Kept>(&key).await? {
        return Ok(ended(&kept));
    }
    Look { ports, input }.step().await
}

/// One call.
struct Look<'a, L, D, P> {
    ports: &'a Ports<'a, L, D, P>,
    input: VerifyInput,
}

impl<L: Logins, D: Documents, P: Prover> Look<'_, L, D, P> {
    async fn step(&self) -> Result<Answer<Output>> {
        let VerifyInput { plan, restore, .. } = &self.input;
        let server = match server(self.ports.logins, plan, &restore.endpoint).await? {
            Ok(server) => server,
            Err(reason) => return self.refuse(reason).await,
        };
        let (same_as, not_checked) = match self.same_as().await? {
            Ok(found) => found,
            Err(reason) => return self.refuse(reason).await,
        };
        let options = Options {
            same_as,
            expect_isolated: false,
            snapshot_time: self.input.plan.recovery_point.time().map(|time| time.to_string()),
            ..options(
                &self.input.request.validation,
                self.ports.budget,
                self.input.plan.wanted.settings.allocated_gib,
            )
        };
        self.work(&server, &options, not_checked).await
    }

    /// The manifest that the data must equal: of the backup it is from, when that was found VALID. Else what it is not
    /// held against; the inner error says that what must be there is not.
    async fn same_as(&self) -> Result<std::result::Result<(Option<Manifest>, Vec<NotChecked>), String>> {
        let unheld = |reason: &str| NotChecked {
            check: "against-manifest".into(),
            scope: "instance".into(),
            object: None,
            reason: reason.to_owned(),
        };
        let backup = match &self.input.plan.recovery_point {
            RecoveryPoint::Snapshot { backup: Some(backup), verdict: Some(Verdict::Valid), .. } => backup,
            RecoveryPoint::Snapshot { .. } => {
                return Ok(Ok((
                    None,
                    vec![unheld("the snapshot was never found VALID: there is nothing to equal")],
                )));
            }
            RecoveryPoint::PointInTime { .. } => {
                return Ok(Ok((
                    None,
                    vec![unheld("a point in time was never read before: there is nothing to equal")],
                )));
            }
        };
        let key = backup.manifest_key();
        Ok(match self.ports.documents.get(&key).await {
            Ok(Some(manifest)) => Ok((Some(manifest), vec![])),
            Ok(None) => Err(format!("it must equal {backup}, and there is no {key}")),
            Err(error) if error.kind == ErrorKind::UnreadableRecord => {
                Err(format!("it must equal {backup}, and {key} cannot be read: {error}"))
            }
            Err(error) => return Err(error),
        })
    }

    /// Plans, unless that was done, and does what is left, as far as the time goes.
    async fn work(
        &self,
        server: &Server,
        options: &Options,
        not_checked: Vec<NotChecked>,
    ) -> Result<Answer<Output>> {
        let (prover, units) = (self.ports.prover, Units::of(self.ports.documents, &self.input.operation_id));
        let planned = match units.plan().await? {
            Some(planned) => planned,
            None => match prover.plan(server, options).await {
                Ok(plan) => {
                    units
                        .keep_plan(Planned {
                            restore_seconds: Some(self.input.restore.timings.settled_seconds),
                            plan,
                        })
                        .await?
                }
                Err(error) => return self.not_connected(&error).await,
            },
        };
        let all = planned.plan.units.len();
        let done = units.done().await?;
        let left: Vec<u32> =
            planned.plan.units.iter().map(|unit| unit.id).filter(|id| !done.contains(id)).collect();
        if !left.is_empty() {
            let journal = units.journal();
            let progress = match prover.work(server, options, &planned.plan.units, &left, &journal).await {
                Ok(progress) => progress,
                Err(error) => return self.not_connected(&error).await,
            };
            if let Some(error) = journal.into_failure() {
                return Err(error);
            }
            if !progress.left.is_empty() {
                let seconds = if progress.done.is_empty() { wait_seconds(self.input.poll) } else { 1 };
                let message = format!("{} of {all} units are left", progress.left.len());
                return Ok(waiting(seconds, message, &Carry::default()));
            }
        }
        let results = units.results(&units.done().await?).await?;
        let outcome = prover.conclude(&planned.plan, &results, options);
        let (seconds, class) = (planned.restore_seconds, &self.input.restore.class);
        let mut kept = Kept::from_outcome(vec![], outcome, seconds, class);
        kept.add(None, not_checked);
        self.settle(kept).await
    }

    /// A login that fails is tried again for a while, then INCONCLUSIVE: nothing is known of the data.
    async fn not_connected(&self, error: &ConnectError) -> Result<Answer<Output>> {
        let failed_logins = self.input.carry.as_ref().map_or(0, |carry| carry.failed_logins) + 1;
        if !error.is_retryable() || failed_logins >= MAX_FAILED_LOGINS {
            return self.refuse(format!("the restored database could not be checked: {error}")).await;
        }
        Ok(waiting(wait_seconds(failed_logins), format!("no login yet ({error})"), &Carry { failed_logins }))
    }

    async fn refuse(&self, reason: String) -> Result<Answer<Output>> {
        let check = Check {
            name: "login".into(),
            scope: "instance".into(),
            result: CheckResult::Errored,
            reason: Some(reason),
            duration_ms: 0,
            findings: vec![],
        };
        self.settle(Kept::without_data(check)).await
    }

    /// Keeps what was found. Of two attempts at once the first verdict stands.
    async fn settle(&self, found: Kept) -> Result<Answer<Output>> {
        let key = self.input.operation_id.validation_key();
        let kept = match self.ports.documents.create(&key, &found).await? {
            Creation::Created(()) => found,
            Creation::AlreadyThere => self.ports.documents.get(&key).await?.unwrap_or(found),
        };
        Ok(ended(&kept))
    }
}

/// Where a database listens and how it is logged in to; the inner error says why nobody can.
async fn server(
    logins: &impl Logins,
    plan: &RestorePlan,
    endpoint: &Endpoint,
) -> Result<std::result::Result<Server, String>> {
    let Some(login) = &plan.login else {
        return Ok(Err("nobody said how to log in: name it when you restore (holdfast restore --login-secret ARN or --login-user \
                       USER; login in the input), or when you back up (the same of holdfast backup create; baseline in the input)"
            .to_owned()));
    };
    match credentials(logins, login, &plan.wanted.settings.master_username, &plan.region, endpoint).await {
        Ok((user, password)) => Ok(Ok(Server { endpoint: endpoint.clone(), user, password })),
        // The database is there all the same: that it cannot be looked at makes it unproven, not lost.
        Err(error) if never_logs_in(error.kind) => Ok(Err(error.message)),
        Err(error) => Err(error),
    }
}

/// Whether it is the secret, or this role's right to it, that stands in the way.
fn never_logs_in(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::BaselineUnreadable | ErrorKind::AccessDenied | ErrorKind::KeyUnusable)
}

fn waiting(wait_seconds: u32, message: String, carry: &Carry) -> Answer<Output> {
    let progress = Progress::new("validation", None, message);
    Answer::Waiting { wait_seconds, progress, carry: Some(json!(carry)) }
}

fn ended(kept: &Kept) -> Answer<Output> {
    let message = format!("verdict {}", kept.verdict.as_str());
    Answer::Final {
        progress: Progress::new("validation", Some(100), message),
        result: Output::Verified { validation: Box::new(kept.summary()) },
    }
}
