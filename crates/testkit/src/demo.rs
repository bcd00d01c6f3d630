//! One backup, told to a newcomer: made, proven and copied, or, with damage ordered, refused.

use std::path::Path;
use std::time::Instant;

use holdfast_cli::{
    backup::{
        self, Output,
        create::{Outcome, follow, now, report},
    },
    cloud::Cloud,
    paint::Paint,
    render::{count, duration},
    request::{self, Flags, TargetRegion},
    screen::Screen,
    summary::{Status, Summary, Verdict},
};
use holdfast_core::ids::{DatabaseId, OperationId, Region, RunId};
use serde_json::json;

use crate::{
    Error, Result, Settings, Stack,
    clients::{self, HOME_REGION},
    deploy::{Outputs, TARGET_REGIONS},
    http,
    seed::{self, Seeded},
};

/// What can be done to the demo's snapshot, each with the check that must name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Damage {
    /// Bytes in some pages of a table.
    #[value(alias = "1")]
    Heap,
    /// An index whose order is wrong under checksums that are right.
    Index,
    /// Some rows are gone, properly.
    Rows,
    /// A column has another type, an index and a policy are gone.
    Schema,
    /// Rows refer to others that are not there, and the catalog calls the key valid.
    Fk,
}

impl Damage {
    /// What a person is told.
    fn words(self) -> &'static str {
        match self {
            Damage::Heap => "bytes in three pages of a table change",
            Damage::Index => "an index gets out of order, under checksums that fit",
            Damage::Rows => "three rows are deleted, properly",
            Damage::Schema => "a column gets another type, an index and a policy are dropped",
            Damage::Fk => "orders lose their customers behind the foreign key's back",
        }
    }

    /// The effect ordered of the local RDS.
    fn effect(self) -> serde_json::Value {
        let database = seed::USER_DATABASES[0].0;
        match self {
            Damage::Heap => json!({"type": "damage", "kind": "flipHeapBytes"}),
            Damage::Index => json!({"type": "damage", "kind": "flipIndexBytes", "keepChecksum": true,
                "database": database, "relation": "public.customers_email_key"}),
            Damage::Rows => json!({"type": "damage", "kind": "deleteRows", "rows": 3,
                "database": database, "relation": "public.audit_log"}),
            Damage::Schema => json!({"type": "damage", "kind": "runSql", "database": database,
                "sql": "alter table products alter column price type numeric(14, 2); \
                        drop index customers_tags; drop policy own_team on secrets_by_team"}),
            Damage::Fk => json!({"type": "damage", "kind": "orphanRows", "rows": 3,
                "database": database, "relation": "public.orders_2025_h1"}),
        }
    }

    /// The check that must refuse it, and what it must name.
    fn named(self) -> (&'static str, &'static str) {
        match self {
            Damage::Heap => ("content", "invalid page"),
            Damage::Index => ("indexes", "customers_email_key"),
            Damage::Rows => ("against-baseline", "public.audit_log"),
            Damage::Schema => ("against-baseline", "price"),
            Damage::Fk => ("foreign-keys", "customer"),
        }
    }
}

/// Runs the demo; the answer is the exit code: 0 when it showed what it promised.
///
/// # Errors
/// When the stage could not be set.
pub async fn run(damage: Option<Damage>) -> Result<u8> {
    let paint = Paint::for_stdout();
    let title =
        if damage.is_some() { "a damaged snapshot is refused" } else { "a backup that proves itself" };
    println!("{}\n", paint.bold(&format!("Holdfast demo: {title}")));

    let (stack, outputs, seeded) = stage(paint).await?;
    let run_id = now();
    let operation = operation_id(&run_id)?;
    if let Some(damage) = damage {
        order_damage(&stack, &operation, damage).await?;
        step(paint, "Damage", &format!("ordered: {}, after the snapshot was taken", damage.words()));
    }
    let cloud = Cloud::new(
        &clients::config(&stack.settings.cloud_endpoint(), HOME_REGION),
        outputs.state_table.clone(),
    );
    let targets = TARGET_REGIONS.join(" and ");
    step(paint, "Backup", &format!("{} (run {run_id}), with copies to {targets}", seed::DATABASE));
    println!();
    let execution = backup::create::start(
        &cloud.sfn,
        &outputs.backup_state_machine_arn,
        &input(&run_id, &seeded.reader_secret)?,
    )
    .await?;
    let outcome = follow(&cloud, &execution, Screen::for_stdout()).await;
    report(&outcome, "backup", &execution, &outputs.state_table, Output::Table);
    println!();
    if matches!(outcome, Outcome::Detached { .. }) {
        return Ok(holdfast_cli::exit::DETACHED);
    }
    let kept = kept_promise(&outcome, damage);
    closing(paint, kept, damage.is_some(), operation.as_str());
    if kept && damage.is_none() {
        next(&seeded, &stack.settings);
    }
    println!("  Stop it:  {}", stack.settings.make("down"));
    Ok(u8::from(!kept))
}

/// The local cloud, the database, the templates: only what is not there yet.
async fn stage(paint: Paint) -> Result<(Stack, Outputs, Seeded)> {
    let settings = Settings::lasting()?;
    let begun = Instant::now();
    let (stack, how) = match Stack::attach(&settings).await {
        Some(stack) => (stack, "already running".to_owned()),
        None => (Stack::start(settings).await?, format!("started in {}", since(begun))),
    };
    step(paint, "Local cloud", &format!("{}, {how}", stack.settings.cloud_endpoint()));

    let begun = Instant::now();
    let seeded = seed::seed(&stack).await?;
    let how =
        if seeded.was_there { "already there".to_owned() } else { format!("created in {}", since(begun)) };
    let facts = format!(
        "{} in {HOME_REGION}, PostgreSQL {}, {}, {how}",
        seed::DATABASE,
        seeded.version,
        count(seeded.rows, "row")
    );
    step(paint, "Database", &facts);

    let begun = Instant::now();
    let outputs = stack.deploy().await?;
    stack.write_env(&outputs)?;
    step(paint, "Deployment", &format!("template.yaml and infra/region.yaml, in {}", since(begun)));
    Ok((stack, outputs, seeded))
}

fn step(paint: Paint, name: &str, text: &str) {
    println!("  {} {text}", paint.bold(&format!("{name:<11}")));
}

fn since(begun: Instant) -> String {
    duration(begun.elapsed().as_secs_f64())
}

fn input(run_id: &str, reader_secret: &str) -> Result<serde_json::Value> {
    let flags = Flags {
        database: seed::DATABASE.to_owned(),
        run_id: Some(run_id.to_owned()),
        target_regions: TARGET_REGIONS
            .iter()
            .map(|region| TargetRegion {
                region: (*region).to_owned(),
                kms_key_id: "alias/holdfast".to_owned(),
            })
            .collect(),
        tags: vec![("Environment".to_owned(), "demo".to_owned())],
        copy_share: Some(1.0),
        ..Flags::default()
    };
    // What the source holds is read first, so that the restored copy is held against it row by row.
    let thorough = json!({"baseline": {"secretArn": reader_secret, "depth": "full"}, "validation": {"assertions": [{
        "name": "orders have lines",
        "database": seed::USER_DATABASES[0].0,
        "sql": "select id from orders o where not exists (select 1 from order_lines l where l.order_id = o.id)",
        "expect": "zero rows"
    }]}});
    Ok(request::build(Some(&thorough.to_string()), &flags, run_id)?)
}

fn operation_id(run_id: &str) -> Result<OperationId> {
    let named = || -> holdfast_core::Result<OperationId> {
        Ok(OperationId::derive(
            &Region::parse(HOME_REGION)?,
            &DatabaseId::parse(seed::DATABASE)?,
            &RunId::parse(run_id)?,
        ))
    };
    named().map_err(|error| Error::new(error.message))
}

async fn order_damage(stack: &Stack, operation: &OperationId, damage: Damage) -> Result<()> {
    let fault = json!({
        "action": "CreateDBSnapshot", "resource": operation.snapshot_id(), "times": 1, "effect": damage.effect()
    });
    http::post(stack.settings.rds_port(), "/_local/faults", &fault.to_string()).await?;
    Ok(())
}

/// A sound backup must succeed whole; a damaged one must be refused for what is wrong with it, and not copied.
fn kept_promise(outcome: &Outcome, damage: Option<Damage>) -> bool {
    match (outcome, damage) {
        (Outcome::Ended { summary, .. }, Some(damage)) => refused(summary, damage),
        (Outcome::Ended { summary, .. }, None) => {
            summary.status == Status::Succeeded && verdict(summary) == Some(Verdict::Valid)
        }
        (Outcome::NoSummary { .. } | Outcome::Detached { .. }, _) => false,
    }
}

fn refused(summary: &Summary, damage: Damage) -> bool {
    let (check, object) = damage.named();
    let issues =
        summary.validation.as_ref().map(|validation| validation.issues.as_slice()).unwrap_or_default();
    summary.status == Status::Failed
        && verdict(summary) == Some(Verdict::Invalid)
        && issues.iter().any(|issue| issue.starts_with(check) && issue.contains(object))
        && summary.replicas.values().all(|copy| copy.status != "AVAILABLE")
}

fn verdict(summary: &Summary) -> Option<Verdict> {
    summary.validation.as_ref().map(|validation| validation.verdict)
}

fn closing(paint: Paint, kept: bool, damaged: bool, operation: &str) {
    match (kept, damaged) {
        (true, true) => println!(
            "{}",
            paint.good("Refused, as promised: a damaged backup is never called good, and never copied.")
        ),
        (true, false) => {}
        (false, true) => {
            println!("{}", paint.bad("This backup was damaged and should have been refused for it."))
        }
        (false, false) => println!("{}", paint.bad("This backup should have succeeded.")),
    }
    println!("  The local cloud still runs. Look again:");
    println!("    set -a; . .local/env; set +a");
    println!("    target/debug/holdfast backup describe {operation}");
    println!("    target/debug/holdfast backup report {operation} --html report.html");
}

/// What to try next, in the order of a bad day.
fn next(seeded: &Seeded, settings: &Settings) {
    let database = seed::DATABASE;
    println!("  Log in, and delete something (docs/local.md has more):");
    println!("    {}", psql(seeded, settings));
    println!("  Bring the database back, beside the one that is there, and see what there is to go back to:");
    println!("    target/debug/holdfast restore {database} --target {database}-2");
    println!("    target/debug/holdfast pitr {database}");
    println!("    target/debug/holdfast points {database}");
    println!(
        "  Or give what comes back the database's own place; then look how the database stands, and what would fail:"
    );
    println!("    target/debug/holdfast restore {database} --latest --swap");
    println!("    target/debug/holdfast status {database}");
    println!("    target/debug/holdfast doctor {database}");
    println!("  Another backup, with the login that proves what is restored from it:");
    println!("    target/debug/holdfast backup create {database} --login-secret {}", seeded.reader_secret);
}

/// How a person logs in: the password and the certificate authority lie in the stack's folder.
fn psql(seeded: &Seeded, settings: &Settings) -> String {
    let (host, port) = seeded.endpoint.split_once(':').unwrap_or((&seeded.endpoint, "5432"));
    let (password, ca) = (settings.dir().join(format!("{}.password", seed::DATABASE)), settings.ca_file());
    format!(
        "PGPASSWORD=$(cat '{}') psql \"host={host} port={port} user={} dbname={} sslmode=verify-full sslrootcert='{}'\"",
        near(&password),
        seed::MASTER_USER,
        seed::USER_DATABASES[0].0,
        near(&ca),
    )
}

/// A path as it is typed from here.
fn near(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(value: serde_json::Value) -> Outcome {
        Outcome::Ended {
            summary: Box::new(serde_json::from_value(value.clone()).unwrap()),
            json: value,
            transitions: 1,
        }
    }

    #[test]
    fn a_sound_backup_keeps_the_promise_only_whole_and_proven() {
        let sound = json!({"status": "SUCCEEDED", "validation": {"verdict": "VALID"}});
        assert!(
            kept_promise(&ended(sound.clone()), None) && !kept_promise(&ended(sound), Some(Damage::Rows))
        );
        assert!(!kept_promise(
            &ended(json!({"status": "PARTIAL", "validation": {"verdict": "VALID"}})),
            None
        ));
        assert!(!kept_promise(&ended(json!({"status": "SUCCEEDED", "validation": null})), None));
        let detached = Outcome::Detached { execution: String::new(), operation_id: None, why: None };
        assert!(!kept_promise(&detached, None));
    }

    #[test]
    fn a_damaged_backup_keeps_the_promise_only_when_it_is_refused_as_unsound() {
        let named = ["against-baseline of instance failed: shop.public.audit_log: holds 4997 rows"];
        let refused = json!({"status": "FAILED", "validation": {"verdict": "INVALID", "issues": named}});
        assert!(kept_promise(&ended(refused), Some(Damage::Rows)));
        let other_reason = ["inventory of instance failed: nothing to validate"];
        for other in [
            json!({"status": "FAILED", "validation": {"verdict": "INVALID", "issues": other_reason}}),
            json!({"status": "FAILED", "validation": {"verdict": "INCONCLUSIVE", "issues": named}}),
            json!({"status": "FAILED", "validation": null}),
            json!({"status": "FAILED", "validation": {"verdict": "INVALID", "issues": named},
                   "replicas": {"us-west-2": {"status": "AVAILABLE"}}}),
        ] {
            assert!(!kept_promise(&ended(other.clone()), Some(Damage::Rows)), "{other}");
        }
    }
}
