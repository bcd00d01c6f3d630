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
            "{} of {} hold their objectives. {}, {} in the last 24 h; {} in other Regions.",
            sum.held,
            count(sum.databases as u64, "database"),
            count(sum.backups.total as u64, "backup"),
            sum.backups.last_24_hours,
            copies(sum.backups.cross_region),
        );
    }
    text
}

/// What to do about a database that is not there, by what there is of it.
fn gone(status: &Status) -> String {
    let (database, region) = (&status.database_id, &status.region);
    let point = &status.recovery.point;
    let (backup, log) = (point.by_backup_seconds, point.by_log_seconds);
    if status.backups.total + status.backups.cross_region == 0 && log.is_none() && status.unseen.is_empty() {
        return format!(
            "There is no DB instance {database} in {region}, and no backup of it was found: is the name right? (holdfast status)"
        );
    }
    let gone = format!("It is gone: there is no DB instance {database} in {region}.");
    match (backup, log) {
        (Some(backup), Some(log)) if log < backup => format!(
            "{gone} holdfast restore {database} --latest brings it back as its log has it, without --latest as its newest proven \
             backup has it."
        ),
        (None, Some(_)) => {
            format!("{gone} holdfast restore {database} --latest brings it back as its log has it.")
        }
        (Some(_), _) => format!("{gone} holdfast restore {database} brings it back."),
        // Nothing proven here: what there is may be unproven, or in another Region.
        (None, None) => format!(
            "{gone} No proven backup is there: holdfast points {database} says what there is, and where."
        ),
    }
}

fn one(text: &mut String, status: &Status, now: Timestamp, paint: Paint) {
    let importance = format!("{:?}", status.importance).to_lowercase();
    let title = format!("{} in {} ({importance})", status.database_id, status.region);
    let _ = writeln!(text, "{}\n", paint.bold(&title));
    if status.exists == Some(false) {
        let gone = format!("✘ {}", gone(status));
        let _ = writeln!(text, "  {}\n", paint.bad(&gone));
    }
    let backups = &status.backups;
    let all = backups.total + backups.cross_region;
    line(
        text,
        "backups",
        &format!(
            "{}, {} VALID, {} in the last 24 h; {} in other Regions; {} of {all} encrypted",
            backups.total,
            backups.valid,
            backups.last_24_hours,
            copies(backups.cross_region),
            backups.encrypted
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

fn copies(number: usize) -> String {
    if number == 1 { "1 copy".to_owned() } else { format!("{number} copies") }
}

fn line(text: &mut String, name: &str, what: &str) {
    let _ = writeln!(text, "  {name:<16}  {what}");
}

fn ago(time: Option<Timestamp>, now: Timestamp) -> String {
    time.map_or_else(
        || "none".to_owned(),
        |time| format!("{} ago", long(now.duration_since(time).as_secs_f64().max(0.0))),
    )
}

/// A time of which hours say nothing any more in days: nobody divides 168 by 24 in their head at night.
fn long(seconds: f64) -> String {
    let hours = (seconds / 3600.0) as u64;
    if hours < 48 { duration(seconds) } else { format!("{} days {} h", hours / 24, hours % 24) }
}

fn copied(replication: &Replication, now: Timestamp) -> String {
    let Replication { region, copies, newest, behind_seconds, .. } = replication;
    let Some(copies) = copies else { return format!("{region}: not known") };
    let Some(newest) = newest else { return format!("{region}: {copies}, none of them VALID") };
    let behind = match behind_seconds {
        Some(seconds) if *seconds > 0.0 => format!("{} behind the newest backup", long(*seconds)),
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
    let said = |seconds: Option<f64>| seconds.map_or_else(|| "none".to_owned(), long);
    let allowed = duration(status.objectives.rpo_seconds as f64);
    let lost = match point.seconds {
        Some(seconds) => format!("{} would be lost now", long(seconds)),
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-11-20T12:00:00Z";

    fn sample(change: impl FnOnce(&mut Value)) -> Status {
        let mut status = json!({
            "databaseId": "prod-db", "region": "us-east-1", "importance": "standard",
            "objectives": {"rtoSeconds": 3600, "rpoSeconds": 900},
            "backups": {"total": 3, "last24Hours": 2, "valid": 2, "crossRegion": 1, "encrypted": 4,
                        "oldest": "2026-11-13T12:00:00Z", "newest": "2026-11-20T06:00:00Z"},
            "replication": [{"region": "us-west-2", "copies": 1, "newest": "2026-11-20T00:00:00Z",
                             "ageSeconds": 43200.0, "behindSeconds": 21600.0},
                            {"region": "eu-west-1", "copies": null, "newest": null, "ageSeconds": null,
                             "behindSeconds": null}],
            "recovery": {"point": {"byBackupSeconds": 21600.0, "byLogSeconds": 120.0, "seconds": 120.0, "held": true},
                         "time": {"seconds": 1800.0, "measuredBy": "RESTORE", "measuredAt": "2026-11-19T12:00:00Z",
                                  "held": true},
                         "lastValidated": "2026-11-20T06:30:00Z"},
            "compliance": {"score": 75, "parts": [
                {"name": "proven-backup", "weight": 25, "held": true, "why": "in time"},
                {"name": "retention", "weight": 5, "held": false, "why": "2 VALID backups are there, 3 are wanted"},
                {"name": "not-public", "weight": 10, "held": null, "why": "not seen"}]},
            "unseen": [{"region": "eu-west-1", "error": {"name": "Holdfast.AccessDenied", "cause": "no"}}]});
        change(&mut status);
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn a_database_shows_what_it_has_and_what_that_is_worth() {
        let shown = text(&[sample(|_| ())], NOW.parse().unwrap(), Paint::PLAIN);
        assert_eq!(
            shown,
            "prod-db in us-east-1 (standard)

  backups           3, 2 VALID, 2 in the last 24 h; 1 copy in other Regions; 4 of 4 encrypted
  newest, oldest    6 h 00 min ago, 7 days 0 h ago
  copied to         us-west-2: 1, newest VALID 12 h 00 min ago, 6 h 00 min behind the newest backup
  copied to         eu-west-1: not known
  recovery point    ✔ 2 min 00 s would be lost now, 15 min 00 s allowed (newest VALID backup: 6 h 00 min, log: 2 min 00 s)
  recovery time     ✔ 30 min 00 s by the restore of 24 h 00 min ago, 1 h 00 min allowed
  last validated    5 h 30 min ago
  compliance        75 of 100: less than 80
    ✔  25  proven-backup    in time
    ✘   5  retention        2 VALID backups are there, 3 are wanted
    ?  10  not-public       not seen
  NOT SEEN  eu-west-1: no

"
        );
    }

    #[test]
    fn a_database_that_is_gone_is_said_to_be_before_anything_else() {
        let gone = sample(|status| status["exists"] = json!(false));
        let shown = text(&[gone], NOW.parse().unwrap(), Paint::PLAIN);
        assert!(shown.starts_with("prod-db in us-east-1 (standard)\n\n  ✘ It is gone: there is no DB instance prod-db in us-east-1."), "{shown}");
    }

    #[test]
    fn what_brings_a_database_back_is_what_loses_least() {
        let gone = |backup: Value, log: Value| {
            gone(&sample(|status| {
                status["exists"] = json!(false);
                status["unseen"] = json!([]);
                status["recovery"]["point"] =
                    json!({"byBackupSeconds": backup, "byLogSeconds": log, "seconds": null, "held": null});
            }))
        };
        assert!(
            gone(json!(60.0), json!(4.0))
                .contains("holdfast restore prod-db --latest brings it back as its log has it, without")
        );
        assert!(
            gone(Value::Null, json!(4.0))
                .ends_with("holdfast restore prod-db --latest brings it back as its log has it.")
        );
        let unproven = gone(Value::Null, Value::Null);
        assert!(unproven.contains("holdfast points prod-db says what there is"), "{unproven}");
        assert!(!unproven.contains("brings it back"), "{unproven}");
        for log in [json!(90.0), Value::Null] {
            assert!(gone(json!(60.0), log).ends_with("holdfast restore prod-db brings it back."));
        }
    }

    #[test]
    fn a_name_that_nothing_is_known_of_is_not_said_to_be_gone() {
        let nothing = |unseen: Value| {
            gone(&sample(|status| {
                status["exists"] = json!(false);
                status["unseen"] = unseen;
                status["backups"]["total"] = json!(0);
                status["backups"]["crossRegion"] = json!(0);
                status["recovery"]["point"] =
                    json!({"byBackupSeconds": null, "byLogSeconds": null, "seconds": null, "held": null});
            }))
        };
        assert!(
            nothing(json!([])).ends_with("no backup of it was found: is the name right? (holdfast status)")
        );
        // What could not be looked at may be where its backups are.
        let unseen =
            json!([{"region": "eu-west-1", "error": {"name": "Holdfast.AccessDenied", "cause": "no"}}]);
        assert!(nothing(unseen).starts_with("It is gone"));
    }

    #[test]
    fn what_was_never_measured_is_said() {
        let show = |time: Value| {
            let status = sample(|status| {
                status["recovery"]["time"] = time;
                status["recovery"]["point"] = json!({"byBackupSeconds": null, "byLogSeconds": null,
                                                     "seconds": null, "held": false});
            });
            text(&[status.clone(), status], NOW.parse().unwrap(), Paint::PLAIN)
        };
        let never = json!({"seconds": null, "measuredBy": null, "measuredAt": null, "held": null});
        let shown = show(never);
        assert!(shown.contains("recovery time     ? never measured, 1 h 00 min allowed\n"), "{shown}");
        assert!(shown.contains("✘ everything would be lost now, 15 min 00 s allowed"), "{shown}");
        assert!(shown.ends_with("0 of 2 databases hold their objectives. 6 backups, 4 in the last 24 h; 2 copies in other Regions.\n"), "{shown}");
        let bound = json!({"seconds": 600.0, "measuredBy": "VALIDATION", "measuredAt": NOW, "held": null});
        assert!(show(bound).contains("? 10 min 00 s at least, by the validation of"));
    }

    #[test]
    fn every_part_of_the_score_is_explained_with_its_weight() {
        let page = include_str!("../../../../docs/status.md");
        for (name, weight) in holdfast_core::status::WEIGHTS {
            let line = format!("| `{}` | {weight} |", serde_json::to_value(name).unwrap().as_str().unwrap());
            assert!(page.contains(&line), "docs/status.md has no line {line}");
        }
    }
}
