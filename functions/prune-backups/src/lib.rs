//! `prune-backups`: says which backups are to be deleted, and deletes them when that is asked for.
//!
//! The decision is `holdfast_core::retention`'s. Here the facts are gathered for it ([`facts`]), and it is carried out
//! one deletion at a time, each after the same decision on facts that are looked up afresh ([`delete`]). The plan is
//! written down before the first deletion, again after every few of them, and with what became of all.
//!
//! The applied protection plan says how many backups its databases keep, and which Regions have copies of them; the
//! settings of the deployment hold for everything that it does not name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use holdfast_core::answer::Progress;
use holdfast_core::health::NamedCause;
use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::ports::{Documents, Rds, Store};
use holdfast_core::protection::{self, ProtectionPlan};
use holdfast_core::retention::{
    Action, Backup, Deletion, DeletionResult, Forecast, Plan, Policies, Policy, Problem, forecast,
};
use holdfast_core::{Error, Result, regions};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

mod delete;
mod facts;

use facts::{Facts, Sight};

/// Backups and deletions in an answer; the document has them all. A thousand are half a megabyte.
const MAX_ANSWERED: usize = 1000;

/// What is asked. The daily run asks for nothing: everything is as it was deployed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Input {
    /// Whether to delete. Without it this is the daily run, which does what it was deployed to do and fails when
    /// something could not be looked at or done.
    pub action: Option<Action>,
    /// Only these databases.
    #[serde(default)]
    pub databases: Vec<String>,
    /// Only these Regions, else the home Region, the target Regions of the deployment, those of the protection plan, and
    /// every other that a backup was copied to.
    #[serde(default)]
    pub regions: Vec<String>,
    /// Other numbers than the deployed ones, and than those of the protection plan.
    pub policy: Option<Value>,
    /// The snapshots, by Region, whose deletion somebody has agreed to: no other is deleted. Without it, every one that no
    /// rule keeps.
    pub agreed: Option<BTreeMap<String, BTreeSet<String>>>,
}

/// How the function was deployed.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The home Region, and the target Regions.
    pub regions: Vec<Region>,
    /// The rules.
    pub policy: Policy,
    /// What the daily run does.
    pub daily: Action,
}

/// What the function works with.
#[derive(Debug)]
pub struct Ports<'a, R, S, D> {
    /// RDS.
    pub rds: &'a R,
    /// The state table.
    pub store: &'a S,
    /// The metadata bucket.
    pub documents: &'a D,
    /// How it was deployed.
    pub settings: &'a Settings,
    /// The time.
    pub now: Timestamp,
    /// When the invocation is ended, where that is known.
    pub ends: Option<Instant>,
}

/// The plan, and a line for the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// What is kept, what is deleted, and why.
    #[serde(flatten)]
    pub plan: Plan,
    /// For the log.
    pub progress: Progress,
}

/// What was asked, read.
struct Asked {
    databases: BTreeSet<String>,
    regions: Vec<Region>,
    /// Every Region that may hold a backup or a copy.
    known: Vec<Region>,
    policies: Policies,
    action: Action,
    agreed: Option<BTreeMap<Region, BTreeSet<String>>>,
}

impl Asked {
    fn read(
        input: &Input,
        settings: &Settings,
        applied: Option<&ProtectionPlan>,
        noted: &[Region],
    ) -> Result<Self> {
        let databases = input.databases.iter().map(|id| Ok(DatabaseId::parse(id)?.to_string()));
        let mut regions =
            input.regions.iter().map(|region| Region::parse(region)).collect::<Result<Vec<Region>>>()?;
        regions.sort();
        regions.dedup();
        let mut known = settings.regions.clone();
        for region in applied.into_iter().flat_map(ProtectionPlan::regions).chain(noted) {
            if !known.contains(region) {
                known.push(region.clone());
            }
        }
        if regions.is_empty() {
            regions.clone_from(&known);
        }
        let mut policies =
            applied.map_or_else(|| Ok(settings.policy.into()), |plan| plan.policies(settings.policy))?;
        if let Some(change) = &input.policy {
            policies = policies.changed_by(change)?;
        }
        let agreed = input.agreed.as_ref().map(|agreed| {
            agreed
                .iter()
                .map(|(region, ids)| Ok((Region::parse(region)?, ids.clone())))
                .collect::<Result<_>>()
        });
        Ok(Asked {
            agreed: agreed.transpose()?,
            databases: databases.collect::<Result<BTreeSet<String>>>()?,
            regions,
            known,
            policies,
            action: input.action.unwrap_or(settings.daily),
        })
    }

    /// The rules of the databases that are asked about, where they have rules of their own.
    fn own_policies(&self) -> BTreeMap<String, Policy> {
        let asked = |database: &String| self.databases.is_empty() || self.databases.contains(database);
        self.policies
            .by_database
            .iter()
            .filter(|(id, _)| asked(id))
            .map(|(id, own)| (id.clone(), *own))
            .collect()
    }

    fn is_about(&self, backup: &Backup) -> bool {
        self.databases.is_empty() || self.databases.contains(&backup.database)
    }
}

/// Plans, and carries the plan out when that is asked for.
///
/// # Errors
/// `InvalidInput`; what the metadata bucket answers, a protection plan that cannot be read among it, as nothing is to be
/// deleted by the wrong rules; in the daily run, the first thing that could not be looked at or done, after everything
/// else was.
pub async fn handle(ports: &Ports<'_, impl Rds, impl Store, impl Documents>, input: Input) -> Result<Output> {
    let applied: Option<ProtectionPlan> = ports.documents.get(protection::KEY).await?;
    let applied = applied.map(ProtectionPlan::checked).transpose()?;
    let noted = regions::noted(ports.documents).await?;
    let asked = Asked::read(&input, ports.settings, applied.as_ref(), &noted)?;
    let facts = Facts { rds: ports.rds, store: ports.store, now: ports.now, policies: &asked.policies };
    let seen = facts.look(&asked.regions, &asked.known).await;
    let about: Vec<Backup> =
        seen.backups(&asked.regions).into_iter().filter(|backup| asked.is_about(backup)).collect();
    let decision = facts.decide(&seen, about, None).await;
    let (backups, totals) = Plan::list(&decision);
    let mut plan = Plan {
        planned_at: ports.now,
        action: asked.action,
        policy: asked.policies.default,
        own_policies: asked.own_policies(),
        totals,
        backups,
        omitted: 0,
        deletions: vec![],
        quotas: vec![],
        problems: vec![],
        document_key: format!("retention/{}.json", ports.now.strftime("%Y-%m-%d-%H%M%S%9f")),
    };
    let mut errors = seen.errors(&asked.regions);
    errors.extend(quotas(ports, &asked, &seen, &mut plan).await);
    let problem = |(region, error): &(Region, Error)| Problem {
        region: region.clone(),
        error: NamedCause::from(error),
    };
    plan.problems = errors.iter().map(problem).collect();
    let mut failed = errors.into_iter().next().map(|(_, error)| error);
    ports.documents.put(&plan.document_key, &plan).await?;
    if asked.action == Action::Delete && (!decision.delete.is_empty() || asked.agreed.is_some()) {
        let run = delete::Run { ports, facts: &facts, asked: &asked, applied: applied.as_ref() };
        let error = run.carry_out(&seen, &decision, &mut plan).await;
        failed = failed.or(error);
        ports.documents.put(&plan.document_key, &plan).await?;
    }
    if let (None, Some(error)) = (input.action, failed) {
        return Err(Error::new(error.kind, format!("{}; the plan is {}", error.message, plan.document_key)));
    }
    let progress = Progress::new("prune", None, message(&plan));
    Ok(Output { plan: plan.bounded(MAX_ANSWERED), progress })
}

/// Adds when the quota of each Region is reached. Not to know it is a problem, and no reason not to go on.
async fn quotas(
    ports: &Ports<'_, impl Rds, impl Store, impl Documents>,
    asked: &Asked,
    seen: &Sight,
    plan: &mut Plan,
) -> Vec<(Region, Error)> {
    let mut errors = Vec::new();
    for region in &asked.regions {
        match ports.rds.snapshot_quota(region).await {
            Ok(Some(quota)) => {
                let there = seen.backups(std::slice::from_ref(region));
                let ours: Vec<Backup> = there.into_iter().filter(Backup::is_ours).collect();
                let daily = ports.settings.daily;
                plan.quotas.push(forecast(region, quota, &ours, &asked.policies, daily, ports.now));
            }
            // RDS does not say.
            Ok(None) => {}
            Err(error) => errors.push((region.clone(), error)),
        }
    }
    errors
}

fn message(plan: &Plan) -> String {
    let of = |wanted: &[DeletionResult]| {
        plan.deletions.iter().filter(|Deletion { result, .. }| wanted.contains(result)).count()
    };
    let mut message = format!("{} to keep, {} to delete", plan.totals.keep, plan.totals.delete);
    if plan.action == Action::Delete {
        let gone = of(&[DeletionResult::Deleted, DeletionResult::Gone]);
        message += &format!(": {gone} deleted, {} not", plan.deletions.len() - gone);
    }
    let warnings = plan.quotas.iter().filter_map(|Forecast { warning, .. }| warning.as_deref());
    let problems = plan.problems.iter().map(|problem| problem.error.cause.as_str());
    for more in warnings.chain(problems) {
        message += "; ";
        message += more;
    }
    message
}
