//! `holdfast points`: what a database can be brought back to, where, and for how long.

use clap::Args;
use holdfast_core::retention::{Entry, Fate, Plan, Proof};
use serde_json::{Value, json};

use super::{Where, ask, table};
use crate::backup::Output;
use crate::cloud::Cloud;
use crate::paint::Paint;
use crate::{Error, exit};

/// Show the backups of a database: from when, where, whether they can be restored and are proven, why they are kept, and until when.
#[derive(Debug, Args)]
pub struct Points {
    /// The database.
    database: String,
    #[command(flatten)]
    at: Where,
    /// How it is written.
    #[arg(long, value_enum, default_value = "table")]
    output: Output,
}

/// What a point is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It can be restored, and is proven.
    Proven,
    /// It can be restored, and nobody knows what would come back.
    Unproven,
    /// It can be restored, and was found to be wrong.
    Refused,
    /// It is not complete: being made, or failed.
    NotThere,
}

impl Use {
    pub(super) fn of(point: &Entry) -> Use {
        if !point.is_available() {
            return Use::NotThere;
        }
        match point.verdict {
            Proof::Valid => Use::Proven,
            Proof::Inconclusive | Proof::Unproven | Proof::Unknown => Use::Unproven,
            Proof::Invalid => Use::Refused,
        }
    }
}

/// The backups of Holdfast's in a plan, the newest first. One that no rule keeps any more is one as long as it is there.
pub(super) fn points(plan: &Plan) -> Vec<&Entry> {
    let mut points: Vec<&Entry> = plan.backups.iter().filter(|entry| entry.ours).collect();
    points.sort_by(|one, other| (other.taken_at, &one.region).cmp(&(one.taken_at, &other.region)));
    points
}

/// Runs the verb; the answer is the exit code.
///
/// # Errors
/// `Usage` when the function refused the input; `Aws` when it could not be asked.
pub async fn run(args: Points, table: String) -> Result<u8, Error> {
    let cloud = Cloud::from_env(table).await;
    let input = json!({"action": "plan", "databases": [args.database], "regions": args.at.regions});
    let plan = ask(&cloud, &args.at.function, &input).await?;
    match args.output {
        Output::Table => {
            print!("{}", table::points(&args.at.of(&args.database), &plan, Paint::for_stdout()))
        }
        Output::Json => println!("{:#}", document(&plan)),
    }
    Ok(code(&plan))
}

/// The exit code: whoever asks in a script whether there is anything to go back to gets a no for what nobody would go back to.
fn code(plan: &Plan) -> u8 {
    let has = |wanted: Use| points(plan).into_iter().any(|point| Use::of(point) == wanted);
    if has(Use::Proven) {
        // Where something could not be seen, there may be a newer one.
        if plan.problems.is_empty() { exit::SUCCEEDED } else { exit::PARTIAL }
    } else if has(Use::Unproven) {
        exit::PARTIAL
    } else {
        exit::FAILED
    }
}

fn document(plan: &Plan) -> Value {
    let point = |entry: &Entry| {
        let mut point = json!(entry);
        point["available"] = json!(entry.is_available());
        point["waitsForPrune"] = json!(entry.fate == Fate::Delete);
        point
    };
    json!({
        "points": points(plan).into_iter().map(point).collect::<Vec<_>>(),
        "problems": plan.problems,
        "omitted": plan.omitted,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A plan with a backup of each verdict and reason.
    pub(crate) fn plan(backups: &[(&str, &str, &str)], problems: &Value) -> Plan {
        let entry = |(verdict, fate, code): &(&str, &str, &str)| {
            json!({"region": "us-east-1", "databaseId": "prod-db", "snapshotId": "holdfast-x",
                   "takenAt": "2026-11-20T06:00:00Z", "verdict": verdict, "tier": "daily", "ours": *code != "not-ours",
                   "fate": fate, "reasons": [{"code": code, "text": code}]})
        };
        serde_json::from_value(json!({
            "plannedAt": "2026-11-20T12:00:00Z", "action": "plan",
            "policy": {"daily": 7, "weekly": 4, "monthly": 12, "yearly": 7, "minimum": 3, "inspectionDays": 7},
            "totals": {"keep": 0, "delete": 0, "notOurs": 0}, "documentKey": "retention/p.json", "omitted": 2,
            "backups": backups.iter().map(entry).collect::<Vec<_>>(), "quotas": [], "problems": problems}))
        .unwrap()
    }

    #[test]
    fn only_a_proven_backup_that_is_there_is_a_yes() {
        let code_of = |backups: &[(&str, &str, &str)]| code(&plan(backups, &json!([])));
        assert_eq!(code_of(&[("VALID", "KEEP", "newest-valid")]), exit::SUCCEEDED);
        // It is there until it is pruned.
        assert_eq!(code_of(&[("VALID", "DELETE", "no-slot")]), exit::SUCCEEDED);
        for unproven in ["UNPROVEN", "INCONCLUSIVE", "UNKNOWN"] {
            assert_eq!(code_of(&[(unproven, "KEEP", "minimum"), ("INVALID", "KEEP", "inspection")]), 3);
        }
        for nothing in [
            &[] as &[(&str, &str, &str)],
            &[("INVALID", "KEEP", "inspection")],
            &[("VALID", "KEEP", "not-available"), ("UNPROVEN", "KEEP", "not-available")],
            &[("VALID", "KEEP", "not-ours")],
        ] {
            assert_eq!(code_of(nothing), exit::FAILED, "{nothing:?}");
        }
    }

    #[test]
    fn what_could_not_be_looked_at_makes_a_yes_partial_and_no_yes_of_a_no() {
        let problems = json!([{"region": "eu-west-1", "name": "Holdfast.AccessDenied", "cause": "no"}]);
        assert_eq!(code(&plan(&[("VALID", "KEEP", "newest-valid")], &problems)), exit::PARTIAL);
        assert_eq!(code(&plan(&[("INVALID", "KEEP", "inspection")], &problems)), exit::FAILED);
    }

    #[test]
    fn json_has_what_the_table_has() {
        let problems = json!([{"region": "eu-west-1", "name": "Holdfast.AccessDenied", "cause": "no"}]);
        let backups = [("VALID", "DELETE", "no-slot"), ("UNPROVEN", "KEEP", "not-available")];
        let said = document(&plan(&backups, &problems));
        assert_eq!((&said["problems"], &said["omitted"]), (&problems, &json!(2)));
        let marks = |number: usize| {
            let point = &said["points"][number];
            (point["verdict"].clone(), point["available"].clone(), point["waitsForPrune"].clone())
        };
        assert_eq!(marks(0), (json!("VALID"), json!(true), json!(true)));
        assert_eq!(marks(1), (json!("UNPROVEN"), json!(false), json!(false)));
    }
}
