//! The status as text.

use std::fmt::Write as _;

use holdfast_core::status::{ENOUGH, MeasuredBy, Recovery, Replication, Status, total};
use jiff::Timestamp;

use crate::paint::Paint;
use crate::render::{count, duration};

/// How every database stands, and all together when there is more than one; ends with a newline.
pub(super) fn text(all: &[Status], now: Timestamp, paint: Paint) -> String {
    let mut text = String::new();
    for status in all {
        one(&mut text, status, now, paint);
        text.push('\n');
    }
    if all.len() > 1 {
        let sum = total(all);
        let _ = writeln!(
            text,
            "{} of {} hold their objectives. {}, {} in the last 24 h, {} in other Regions.",
            sum.held,
            count(sum.databases as u64, "database"),
            count(sum.backups.total as u64, "backup"),
            sum.backups.last_24_hours,
            count(sum.backups.cross_region as u64, "copy").replace("copys", "copies"),
        );
    }
    text
}

fn one(text: &mut String, status: &Status, now: Timestamp, paint: Paint) {
    let importance = format!("{:?}", status.importance).to_lowercase();
    let title = format!("{} in {} ({importance})", status.database_id, status.region);
    let _ = writeln!(text, "{}\n", paint.bold(&title));
    let backups = &status.backups;
    let copies = count(backups.cross_region as u64, "copy").replace("copys", "copies");
    let all = backups.total + backups.cross_region;
    line(
        text,
        "backups",
        &format!(
            "{}, {} VALID, {} in the last 24 h; {copies} in other Regions; {} of {all} encrypted",
            backups.total, backups.valid, backups.last_24_hours, backups.encrypted
        ),
    );
    line(text, "newest, oldest", &format!("{}, {}", ago(backups.newest, now), ago(backups.oldest, now)));
    for replication in &status.replication {
        line(text, "copied to", &copied(replication, now));
    }
    recovery(text, status, now, paint);
    compliance(text, status, paint);
    for unseen in &status.unseen {
        let said = format!("  NOT SEEN  {}: {}", unseen.region, unseen.error.cause);
        let _ = writeln!(text, "{}", paint.bad(&said));
    }
}

fn line(text: &mut String, name: &str, what: &str) {
    let _ = writeln!(text, "  {name:<16}  {what}");
}

fn ago(time: Option<Timestamp>, now: Timestamp) -> String {
    time.map_or_else(
        || "none".to_owned(),
        |time| format!("{} ago", duration(now.duration_since(time).as_secs_f64().max(0.0))),
    )
}

fn copied(replication: &Replication, now: Timestamp) -> String {
    let Replication { region, copies, newest, behind_seconds, .. } = replication;
    let Some(copies) = copies else { return format!("{region}: not known") };
    let Some(newest) = newest else { return format!("{region}: {copies}, none of them VALID") };
    let behind = match behind_seconds {
        Some(seconds) if *seconds > 0.0 => format!("{} behind the newest backup", duration(*seconds)),
        Some(_) => "as new as the newest backup".to_owned(),
        None => "no VALID backup at home to hold it against".to_owned(),
    };
    format!("{region}: {copies}, newest VALID {}, {behind}", ago(Some(*newest), now))
}

fn mark(held: Option<bool>, paint: Paint) -> String {
    match held {
        Some(true) => paint.good("✔"),
        Some(false) => paint.bad("✘"),
        None => paint.warn("?"),
    }
}

fn recovery(text: &mut String, status: &Status, now: Timestamp, paint: Paint) {
    let Recovery { point, time, last_validated } = &status.recovery;
    let said = |seconds: Option<f64>| seconds.map_or_else(|| "none".to_owned(), duration);
    let allowed = duration(status.objectives.rpo_seconds as f64);
    let lost = match point.seconds {
        Some(seconds) => format!("{} would be lost now", duration(seconds)),
        None => "everything would be lost now".to_owned(),
    };
    let by = format!(
        "newest VALID backup: {}, log: {}",
        said(point.by_backup_seconds),
        said(point.by_log_seconds)
    );
    line(text, "recovery point", &format!("{} {lost}, {allowed} allowed ({by})", mark(point.held, paint)));
    let allowed = duration(status.objectives.rto_seconds as f64);
    let took = match (time.seconds, time.measured_by) {
        (Some(seconds), Some(MeasuredBy::Restore)) => {
            format!("{} by the restore of {}", duration(seconds), ago(time.measured_at, now))
        }
        (Some(seconds), Some(MeasuredBy::Validation)) => {
            format!(
                "{} at least, by the validation of {}; no restore was measured",
                duration(seconds),
                ago(time.measured_at, now)
            )
        }
        (None, _) | (_, None) => "never measured".to_owned(),
    };
    line(text, "recovery time", &format!("{} {took}, {allowed} allowed", mark(time.held, paint)));
    line(text, "last validated", &ago(*last_validated, now));
}

fn compliance(text: &mut String, status: &Status, paint: Paint) {
    let score = &status.compliance;
    let words = format!("{} of 100", score.score);
    let words = if score.is_enough() {
        paint.good(&words)
    } else {
        paint.bad(&format!("{words}: less than {ENOUGH}"))
    };
    line(text, "compliance", &words);
    for part in &score.parts {
        let name = serde_json::to_value(part.name).unwrap_or_default();
        let name = name.as_str().unwrap_or_default().to_owned();
        let _ = writeln!(text, "    {} {:>3}  {name:<15}  {}", mark(part.held, paint), part.weight, part.why);
    }
}
