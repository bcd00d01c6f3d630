//! What was proven, for people and for programs: the verdict first.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use holdfast_core::validation::{Check, CheckResult, NotChecked, Verdict, verdict};
use holdfast_verify::{Options, Target};
use serde_json::{Value, json};

use super::server::place;
use super::work::{Proof, size};
use crate::paint::Paint;
use crate::render::{self, count, duration, row};
use crate::summary::Validation;

/// Objects named per reason; more are counted.
const OBJECTS_SHOWN: usize = 5;

/// What became of the manifest.
pub enum Written {
    /// Nobody asked.
    Unasked,
    /// It is there.
    To(String),
    /// The verdict did not allow it.
    Not,
}

/// What the proof itself does not know.
pub struct Around<'a> {
    /// The server.
    pub target: &'a Target,
    /// What was asked for.
    pub options: &'a Options,
    /// The manifest it was held against.
    pub against: &'a Option<PathBuf>,
    /// What became of the new one.
    pub written: Written,
}

/// Everything, for a program.
pub fn json(proof: &Proof, around: &Around<'_>) -> Value {
    let outcome = &proof.outcome;
    let issues: Vec<String> = outcome.checks.iter().filter_map(Check::issue).collect();
    json!({
        "verdict": verdict(&outcome.checks),
        "server": {
            "host": around.target.host,
            "port": around.target.port,
            "version": outcome.manifest.server_version,
            "time": outcome.manifest.taken_at,
        },
        "databases": outcome.databases,
        "tables": outcome.manifest.table_count(),
        "rows": outcome.manifest.row_count(),
        "issues": issues,
        "checks": outcome.checks,
        "notChecked": outcome.not_checked,
        "against": around.against,
        "manifest": match &around.written {
            Written::To(path) => Some(path),
            Written::Unasked | Written::Not => None,
        },
        "timings": {
            "planningSeconds": proof.planning.as_secs_f64(),
            "workingSeconds": proof.working.as_secs_f64(),
        },
    })
}

/// Everything, for a person; ends with a newline.
pub fn text(proof: &Proof, around: &Around<'_>, paint: Paint) -> String {
    let outcome = &proof.outcome;
    let verdict = verdict(&outcome.checks);
    // The same shape as the record's, so that both are shown alike.
    let validation: Validation = serde_json::from_value(json(proof, around)).unwrap_or_default();
    let mut text = String::new();
    let _ = writeln!(text, "{}\n", headline(&outcome.checks, verdict, around, paint));
    let version = &outcome.manifest.server_version;
    row(&mut text, "Server", &format!("{}, PostgreSQL {version}", place(around.target)));
    row(&mut text, "Verdict", &render::verdict_line(&validation, paint));
    if let (Some(path), Some(manifest)) = (around.against, &around.options.same_as) {
        let taken = manifest.taken_at.as_deref().map(render::moment).unwrap_or_default();
        let of = [taken, format!("PostgreSQL {}", manifest.server_version)];
        let of: Vec<String> = of.into_iter().filter(|fact| !fact.is_empty()).collect();
        row(&mut text, "Against", &format!("{}  ({})", path.display(), of.join(", ")));
    }
    match &around.written {
        Written::Unasked => {}
        Written::To(path) => row(&mut text, "Manifest", &format!("written to {path}")),
        Written::Not => {
            row(&mut text, "Manifest", &format!("not written: the verdict is {}", verdict.as_str()))
        }
    }
    text.push_str(&render::checks(&validation, paint));
    text.push_str(&not_checked(&outcome.not_checked, paint));
    text.push('\n');
    row(&mut text, "Time", &time(proof, around));
    text
}

fn headline(checks: &[Check], verdict: Verdict, around: &Around<'_>, paint: Paint) -> String {
    let server = place(around.target);
    let all = count(checks.len() as u64, "check");
    let with = |result| checks.iter().filter(|check| check.result == result).count();
    let failed = with(CheckResult::Failed);
    match verdict {
        Verdict::Valid if around.options.same_as.is_some() => paint
            .good(&format!("✔ {server} is sound and holds exactly what the manifest says: {all} passed.")),
        Verdict::Valid => paint.good(&format!("✔ {server} is sound: {all} passed.")),
        Verdict::Invalid => {
            paint.bad(&format!("✘ {server} is not what it should be: {failed} of {all} failed."))
        }
        Verdict::Inconclusive | Verdict::NotRun => {
            let open = with(CheckResult::Errored) + with(CheckResult::NotRun);
            paint.warn(&format!("▲ {server} is not proven: {open} of {all} could not be finished."))
        }
    }
}

/// What was not looked at: objects with the same reason together.
fn not_checked(list: &[NotChecked], paint: Paint) -> String {
    let mut text = String::new();
    if list.is_empty() {
        return text;
    }
    let mut groups: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
    for not in list {
        groups.entry((&not.check, &not.scope, &not.reason)).or_default().extend(not.object.as_deref());
    }
    let _ = writeln!(text, "\n  {}", paint.bold("Not checked"));
    for ((check, scope, reason), objects) in groups {
        let shown = objects.iter().take(OBJECTS_SHOWN).copied().collect::<Vec<_>>().join(", ");
        let objects = match objects.len().saturating_sub(OBJECTS_SHOWN) {
            _ if objects.is_empty() => String::new(),
            0 => format!(" {shown}:"),
            more => format!(" {shown} and {more} more:"),
        };
        let _ =
            writeln!(text, "    {} {} of {scope}:{objects} {reason}", paint.warn("-"), render::words(check));
    }
    text
}

fn time(proof: &Proof, around: &Around<'_>) -> String {
    let (planning, working) = (proof.planning.as_secs_f64(), proof.working.as_secs_f64());
    let rate = if working > 0.0 { proof.bytes as f64 / working } else { 0.0 };
    format!(
        "{}  (catalogs {}, work {}: {} over {}, {}/s)",
        duration(planning + working),
        duration(planning),
        duration(working),
        size(proof.bytes),
        count(around.options.connections as u64, "connection"),
        size(rate as u64)
    )
}
