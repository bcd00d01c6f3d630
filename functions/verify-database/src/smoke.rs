//! Whether what uses the database does with the one that was swapped in: addresses that must answer, statements that must
//! hold. Asked again until all do, or until it has lasted too long.

use std::time::Duration;

use holdfast_core::Result;
use holdfast_core::answer::{Answer, Progress};
use holdfast_core::ids::OperationId;
use holdfast_core::operation::{RestorePlan, SmokeResult, SwapResult, seconds_between};
use holdfast_core::ports::{Documents, Logins};
use holdfast_core::request::{RestoreRequest, SmokeChecks};
use holdfast_core::validation::{Check, CheckResult, CheckSettings};
use holdfast_proving::Prover;
use holdfast_verify::{Memory, Options};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Output, Ports, server, web};

/// Seconds between two tries.
const PAUSE_SECONDS: u32 = 5;

/// Bound for all statements of one try.
const BUDGET: Duration = Duration::from_secs(60);

/// What the state machine asks.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SmokeInput {
    /// The operation.
    pub operation_id: OperationId,
    /// What was asked for.
    pub request: Box<RestoreRequest>,
    /// What was planned.
    pub plan: Box<RestorePlan>,
    /// What was swapped in.
    pub swap: Box<SwapResult>,
    /// What the last answer asked to be handed back.
    #[serde(default)]
    pub carry: Option<SmokeCarry>,
}

/// What one poll hands to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SmokeCarry {
    /// When it was tried first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// Tries every check once.
pub(crate) async fn step(
    ports: &Ports<'_, impl Logins, impl Documents, impl Prover>,
    input: &SmokeInput,
) -> Result<Answer<Output>> {
    let nothing = SmokeChecks::default();
    let wanted = input.request.swap.as_ref().map_or(&nothing, |swap| &swap.smoke_checks);
    let mut smoke_checks = web::ask(&wanted.http).await;
    if !wanted.sql.is_empty() {
        smoke_checks.extend(sql(ports, input, wanted).await?);
    }
    let failed: Vec<String> = smoke_checks
        .iter()
        .filter(|check| !check.passed)
        .map(|check| format!("{}: {}", check.name, check.reason.as_deref().unwrap_or("it did not pass")))
        .collect();
    let since = input.carry.as_ref().and_then(|carry| carry.since).unwrap_or(ports.now);
    if !failed.is_empty() && seconds_between(since, ports.now) < f64::from(wanted.within_seconds) {
        let progress = Progress::new("smoke", None, format!("not yet: {}", failed.join("; ")));
        let carry = Some(json!(SmokeCarry { since: Some(since) }));
        return Ok(Answer::Waiting { wait_seconds: PAUSE_SECONDS, progress, carry });
    }
    let passed = failed.is_empty();
    let message = match passed {
        true => format!("{} of {} passed", smoke_checks.len(), smoke_checks.len()),
        false => failed.join("; "),
    };
    Ok(Answer::Final {
        progress: Progress::new("smoke", Some(100), message),
        result: Output::Smoked { passed, smoke_checks },
    })
}

/// The statements, asked as the validation asks the team's own: one read-only transaction each.
async fn sql(
    ports: &Ports<'_, impl Logins, impl Documents, impl Prover>,
    input: &SmokeInput,
    wanted: &SmokeChecks,
) -> Result<Vec<SmokeResult>> {
    let all = |reason: &str| {
        let failed = |name: &str| SmokeResult {
            name: name.to_owned(),
            passed: false,
            reason: Some(reason.to_owned()),
        };
        wanted.sql.iter().map(|assertion| failed(&assertion.name)).collect()
    };
    let Some(endpoint) = &input.swap.endpoint else { return Ok(all("nobody says where it listens")) };
    let server = match server(ports.logins, &input.plan, endpoint).await? {
        Ok(server) => server,
        Err(reason) => return Ok(all(&reason)),
    };
    let options = Options {
        checks: CheckSettings::none(),
        assertions: wanted.sql.clone(),
        expect_isolated: false,
        connections: 1,
        statement_timeout: BUDGET / 2,
        time_budget: BUDGET,
        ..Options::default()
    };
    let plan = match ports.prover.plan(&server, &options).await {
        Ok(plan) => plan,
        Err(error) => return Ok(all(&format!("no login: {error}"))),
    };
    let ids: Vec<u32> = plan.units.iter().map(|unit| unit.id).collect();
    let memory = Memory::default();
    if let Err(error) = ports.prover.work(&server, &options, &plan.units, &ids, &memory).await {
        return Ok(all(&format!("no login: {error}")));
    }
    let checks = ports.prover.conclude(&plan, &memory.into_results(), &options).checks;
    Ok(wanted.sql.iter().map(|assertion| of_checks(&assertion.name, &checks)).collect())
}

/// What the checks say of one statement: in every database in which it was asked it must have passed.
fn of_checks(name: &str, checks: &[Check]) -> SmokeResult {
    let its: Vec<&Check> = checks.iter().filter(|check| check.name == format!("assertion: {name}")).collect();
    let wrong = its.iter().find(|check| check.result != CheckResult::Passed);
    let reason = match (wrong, its.is_empty()) {
        (None, false) => None,
        (None, true) => Some("it was asked nowhere".to_owned()),
        (Some(check), _) => {
            let found = check.findings.first().map(|finding| finding.message.clone());
            Some(found.or_else(|| check.reason.clone()).unwrap_or_else(|| "it did not pass".to_owned()))
        }
    };
    SmokeResult { name: name.to_owned(), passed: reason.is_none(), reason }
}
