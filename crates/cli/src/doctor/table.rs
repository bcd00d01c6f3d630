//! A diagnosis as text: what would fail first, and at the end what is in order.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use holdfast_core::doctor::{Check, Diagnosis, Finding, InOrder, Severity};

use crate::paint::Paint;
use crate::render::count;

/// Everything that was found, ending with a newline.
pub(super) fn text(all: &[Diagnosis], paint: Paint) -> String {
    let mut text = String::new();
    for diagnosis in all {
        let mut title = format!("{} in {}", diagnosis.database_id, diagnosis.region);
        if !diagnosis.target_regions.is_empty() {
            let targets: Vec<&str> = diagnosis.target_regions.iter().map(|region| region.as_str()).collect();
            let _ = write!(title, ", copied to {}", targets.join(", "));
        }
        let _ = writeln!(text, "{}\n", paint.bold(&title));
        for finding in &diagnosis.findings {
            self::finding(&mut text, finding, paint);
        }
        in_order(&mut text, &diagnosis.in_order, paint);
        text.push('\n');
    }
    let _ = writeln!(text, "{}", conclusion(all, paint));
    text
}

fn finding(text: &mut String, finding: &Finding, paint: Paint) {
    let word = match finding.severity {
        Severity::FailsOnTheDay => paint.bad("FAILS      "),
        Severity::Warning => paint.warn("WARNING    "),
        Severity::NotChecked => paint.warn("NOT CHECKED"),
    };
    let Finding { check, region, subject, what, advice, .. } = finding;
    let _ = writeln!(text, "  {word}  {check:<19}  {region:<14}  {subject}", region = region.as_str());
    let _ = writeln!(text, "    {}.", sentence(what));
    let _ = writeln!(text, "    {}\n", paint.dim(&format!("To do: {advice}.")));
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// How many of each check are in order, and how much room there is.
fn in_order(text: &mut String, all: &[InOrder], paint: Paint) {
    if all.is_empty() {
        return;
    }
    let mut counts: BTreeMap<Check, usize> = BTreeMap::new();
    for one in all {
        *counts.entry(one.check).or_default() += 1;
    }
    let words: Vec<String> = counts
        .iter()
        .map(|(check, count)| if *count == 1 { check.to_string() } else { format!("{check} ({count})") })
        .collect();
    let _ = writeln!(text, "  {}", paint.good(&format!("In order: {}", words.join(", "))));
    let rooms = [Check::SnapshotQuota, Check::InstanceQuota, Check::StorageQuota];
    for one in all.iter().filter(|one| rooms.contains(&one.check)) {
        let line = format!("{:<14}  {}: {}", one.region.as_str(), one.subject, one.how);
        let _ = writeln!(text, "  {}", paint.dim(&line));
    }
}

fn conclusion(all: &[Diagnosis], paint: Paint) -> String {
    let of = |severity: Severity| {
        all.iter().flat_map(|one| &one.findings).filter(|finding| finding.severity == severity).count() as u64
    };
    let (fails, warns, unknown) =
        (of(Severity::FailsOnTheDay), of(Severity::Warning), of(Severity::NotChecked));
    let looked = format!("{} looked at", count(all.len() as u64, "database"));
    if fails + warns + unknown == 0 {
        return paint.good(&format!("{looked}: everything is in order."));
    }
    let line = format!(
        "{looked}: {fails} would fail on the day, {}, {unknown} not checked.",
        count(warns, "warning")
    );
    if fails > 0 { paint.bad(&line) } else { paint.warn(&line) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample(findings: serde_json::Value) -> Diagnosis {
        let quota = |how: &str| json!({"check": "snapshot-quota", "region": "us-east-1", "subject": "manual snapshots", "how": how});
        let key = |region: &str| json!({"check": "key", "region": region, "subject": "alias/holdfast", "how": "Enabled"});
        let all = json!({"databaseId": "prod-db", "region": "us-east-1", "targetRegions": ["us-west-2"],
                         "findings": findings,
                         "inOrder": [quota("3 of 100 used, room for 97"), key("us-east-1"), key("us-west-2")]});
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn each_finding_says_what_where_and_what_to_do() {
        let findings = json!([
            {"check": "key", "severity": "FAILS_ON_THE_DAY", "region": "us-west-2", "subject": "alias/holdfast",
             "what": "copies to us-west-2 fail: the key is Disabled", "advice": "enable the key"},
            {"check": "schedule", "severity": "NOT_CHECKED", "region": "us-east-1", "subject": "prod-db",
             "what": "not known: AccessDenied", "advice": "ask again"}]);
        assert_eq!(
            text(&[sample(findings)], Paint::PLAIN),
            "prod-db in us-east-1, copied to us-west-2

  FAILS        key                  us-west-2       alias/holdfast
    Copies to us-west-2 fail: the key is Disabled.
    To do: enable the key.

  NOT CHECKED  schedule             us-east-1       prod-db
    Not known: AccessDenied.
    To do: ask again.

  In order: snapshot-quota, key (2)
  us-east-1       manual snapshots: 3 of 100 used, room for 97

1 database looked at: 1 would fail on the day, 0 warnings, 1 not checked.
"
        );
    }

    #[test]
    fn nothing_found_is_said_and_the_exit_code_is_that_of_the_worst() {
        let text = text(&[sample(json!([]))], Paint::PLAIN);
        assert!(text.ends_with("\n1 database looked at: everything is in order.\n"), "{text}");
        let code = crate::exit::of_severity;
        assert_eq!((code(None), code(Some(Severity::FailsOnTheDay))), (0, 1));
        assert_eq!((code(Some(Severity::Warning)), code(Some(Severity::NotChecked))), (3, 3));
    }

    #[test]
    fn every_check_is_explained() {
        let page = include_str!("../../../../docs/doctor.md");
        for check in Check::ALL {
            assert!(page.contains(&format!("| `{check}` |")), "docs/doctor.md has no line for {check}");
        }
    }
}
