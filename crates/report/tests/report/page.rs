//! The page as text.

use std::path::Path;

use holdfast_report::{Error, html};
use serde_json::{Value, json};

use crate::samples;

fn page(report: &Value) -> String {
    html(report).expect("a page")
}

/// What stands between `start` and the next `end`.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let after = page.split_once(start).unwrap_or_else(|| panic!("no {start} in {page}")).1;
    after.split_once(end).expect("an end").0
}

#[test]
fn the_verdict_is_the_first_thing_said() {
    let said = |report: Value| between(&page(&report), "<h1>", "</h1>").to_owned();
    assert_eq!(said(samples::valid()), "VALID");
    assert_eq!(said(samples::invalid()), "INVALID");
    assert_eq!(said(samples::inconclusive()), "INCONCLUSIVE");
    assert_eq!(said(samples::partial()), "VALID");
    assert_eq!(said(samples::not_run()), "NOT RUN");
    assert_eq!(said(samples::failed()), "NO VERDICT");
    for (name, report) in samples::all() {
        let page = page(&report);
        let before = page.split_once("<h1>").expect("a heading").0;
        assert!(!["<h2", "<h3", "<section", "<table"].iter().any(|tag| before.contains(tag)), "{name}");
    }
}

#[test]
fn a_page_is_one_file_that_asks_for_nothing() {
    for (name, report) in samples::all() {
        let page = page(&report);
        for outward in [
            "http://", "https://", "src=\"", "href", "url(", "@import", "<script", "<link", "<img", "<iframe",
        ] {
            assert!(!page.contains(outward), "the page of {name} has {outward}");
        }
    }
}

#[test]
fn long_lists_are_cut_and_say_so() {
    let page = page(&samples::invalid());
    assert_eq!(page.matches("and 93 more in the JSON").count(), 3);
    let wrong = between(&page, "id=\"wrong\"", "</section>");
    assert_eq!(wrong.matches("<li><b>").count(), 21);
    assert!(wrong.contains("public.order_lines_000") && !wrong.contains("public.order_lines_007"));
    let left = between(&page, "id=\"not-checked\"", "</section>");
    assert!(left.contains("public.logs_06") && !left.contains("public.logs_07"));
    assert!(left.contains("and 5 more in the JSON"), "{left}");
    // What could not be finished is told apart from what is wrong.
    let unfinished = between(&page, "id=\"unfinished\"", "</section>");
    assert!(unfinished.contains("canceling statement") && !wrong.contains("canceling statement"));
}

#[test]
fn what_was_not_checked_is_said_and_never_guessed() {
    let left = |report: &Value| between(&page(report), "id=\"not-checked\"", "</section>").to_owned();
    assert!(left(&samples::valid()).contains("Nothing was left out"));
    let inconclusive = left(&samples::inconclusive());
    for said in [
        "sequences",
        "there was no time left",
        "amcheck cannot be had",
        "switched off by the input",
        "all of it",
    ] {
        assert!(inconclusive.contains(said), "{said}");
    }
    assert!(!inconclusive.contains("Nothing was left out"));
    assert!(left(&samples::not_run()).contains("Everything: nothing of this backup was restored"));
    assert!(left(&samples::failed()).contains("Everything: nothing of this backup was restored"));
    // A report of an older version does not say.
    let mut older = samples::valid();
    older["validationDetails"].as_object_mut().unwrap().remove("notChecked");
    assert!(left(&older).contains("does not say what was left out"));
    assert!(!left(&older).contains("Nothing was left out"));
}

#[test]
fn a_copy_says_whether_it_was_restored_and_what_that_showed() {
    let copies = |report: &Value| between(&page(report), "id=\"copies\"", "</section>").to_owned();
    assert_eq!(copies(&samples::valid()).matches("restored, equal").count(), 2);
    // One that is not what the backup is stands above everything, with what differs and what to do.
    let page = page(&samples::copy_invalid());
    assert!(page.contains("The copy in us-west-2 is INVALID"));
    assert!(page.contains("3 fewer than 100,000") && page.contains("docs/runbooks/a-copy-is-not-proven.md"));
    assert!(copies(&samples::copy_invalid()).contains("✗ INVALID"));
    // One that nobody restored is among what was not checked.
    let left = between(&page, "id=\"not-checked\"", "</section>");
    assert!(left.contains("eu-west-1") && left.contains("copyShare, is 0.5"), "{left}");
    assert!(!left.contains("us-west-2") && !left.contains("Nothing was left out"), "{left}");
}

#[test]
fn nothing_of_the_manifest_but_numbers_is_published() {
    let page = page(&samples::valid());
    for private in [
        "5e884898da28047151d0e56f8dc62927",
        "9f86d081884c7d65",
        "6b86b273ff34fce1",
        "numeric(10,2)",
        "int4: value",
        "select 1 where false",
    ] {
        assert!(!page.contains(private), "{private}");
    }
    assert!(
        page.contains("2 databases (analytics, shop), 26 tables, 2,257,682 rows, 2 objects of the catalog")
    );
}

#[test]
fn a_person_finds_what_surrounds_the_verdict() {
    let page = page(&samples::valid());
    let facts = [
        ("timings", "12 min 22 s"),
        ("timings", "2026-11-20 06:03:34 UTC"),
        ("timings", "48 min 09 s"),
        (
            "copies",
            "arn:aws:rds:eu-west-1:123456789012:snapshot:holdfast-prod-db-20261120t060000z-3f9a1c2b7d",
        ),
        ("copies", "key/0f3c2a1b-8c5d-4e6f-9a7b-1c2d3e4f5a6b"),
        ("compared", "as in the last validated backup"),
        ("compared", "19 tables stood still and are equal"),
        ("compared", "not compared: no manifest of it was given"),
        ("copies", "arn:aws:rds:us-east-1:123456789012:snapshot:holdfast-prod-db"),
        ("identity", "arn:aws:states:us-east-1:123456789012:execution"),
        ("identity", "2026-11-20 06:00:04 UTC"),
        ("identity", "db.t4g.medium, PostgreSQL 15.4"),
        ("request", "Team = payments"),
        ("request", "all, in full; data at most 10 min 00 s older than the snapshot"),
        ("again", "holdfast backup report prod-db-20261120t060000z-3f9a1c2b7d --html report.html"),
        ("again", "s3://holdfast-metadata-123456789012/reports/prod-db-20261120t060000z-3f9a1c2b7d.json"),
    ];
    for (section, fact) in facts {
        let text = between(&page, &format!("id=\"{section}\""), "</section>");
        assert!(text.contains(fact), "{section} has no {fact}: {text}");
    }
}

#[test]
fn what_needs_a_person_comes_with_a_guide_that_is_there() {
    let mut guides = 0;
    for (name, report) in samples::all() {
        let page = page(&report);
        for text in page.split("What to do: <code>").skip(1) {
            let guide = text.split_once("</code>").expect("an end").0;
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(guide);
            assert!(path.is_file(), "{name}: {guide} is not there");
            guides += 1;
        }
    }
    assert!(guides >= 5, "only {guides} guides");
    let attention = |report: Value| between(&page(&report), "id=\"attention\"", "</section>").to_owned();
    assert!(attention(samples::partial()).contains("No copy in eu-west-1"));
    assert!(attention(samples::partial()).contains("is Disabled; it must be Enabled"));
    assert!(attention(samples::partial()).contains("is deleting"));
    assert!(attention(samples::failed()).contains("there is no instance prod-db"));
    assert!(attention(samples::invalid()).contains("It was not copied to any Region"));
    assert!(!page(&samples::valid()).contains("id=\"attention\""));
    assert!(page(&samples::invalid()).contains("– not started"));
}

#[test]
fn a_report_that_lies_or_lacks_something_has_no_page() {
    let mut lies = samples::invalid();
    lies["validation"]["verdict"] = json!("VALID");
    assert!(matches!(html(&lies), Err(Error::Contradiction { said: "VALID", follows: "INVALID" })));
    lies["validationDetails"]["verdict"] = json!("VALID");
    lies["validation"]["verdict"] = json!("INVALID");
    assert!(matches!(html(&lies), Err(Error::Contradiction { .. })));
    for member in ["leftovers", "failure", "replicas", "validation", "validationDetails", "status"] {
        let mut lacks = samples::valid();
        lacks.as_object_mut().unwrap().remove(member);
        let Err(Error::Unreadable { cause, .. }) = html(&lacks) else { panic!("a page without {member}") };
        assert!(cause.contains(member), "{cause}");
    }
    let mut unknown = samples::valid();
    unknown["validationDetails"]["checks"][1]["result"] = json!("splendid");
    let Err(error) = html(&unknown) else { panic!("a page with a result that nobody knows") };
    assert!(error.to_string().contains("validationDetails.checks[1].result"), "{error}");
}

#[test]
fn a_verdict_that_was_not_recorded_any_more_is_still_shown() {
    let mut report = samples::invalid();
    report["validation"] = Value::Null;
    let page = page(&report);
    assert!(page.contains("<h1>INVALID</h1>"));
    assert!(page.contains("before its verdict was recorded"));
}

#[test]
fn what_nobody_can_see_is_spelled_out_in_the_page() {
    let page = page(&samples::hostile());
    assert!(page.contains("‹U+202E›txt.exe‹U+2066›"));
    assert!(!page.contains(['\u{202e}', '\u{2066}']));
}

#[test]
fn the_banner_counts_what_it_speaks_of() {
    let said = |report: &Value, wrong: usize, what: &str| {
        let checks = report["validationDetails"]["checks"].as_array().expect("checks").len();
        let sentence = format!("{wrong} of {checks} checks {what}");
        assert!(page(report).contains(&sentence), "{sentence}");
    };
    said(&samples::invalid(), 3, "found something wrong");
    // One could not be finished, one never started.
    said(&samples::inconclusive(), 2, "could not be finished or never started");
}

#[test]
fn a_row_of_a_check_says_how_it_ended() {
    let rows = |report: &Value| between(&page(report), "id=\"checked\"", "</section>").to_owned();
    let invalid = rows(&samples::invalid());
    assert_eq!(invalid.matches("✗").count(), 3, "{invalid}");
    assert_eq!(invalid.matches("FAILED").count(), 3);
    // What never started took no time, not none.
    let inconclusive = rows(&samples::inconclusive());
    let never = inconclusive.split("<tr").find(|row| row.contains("not run")).expect("a row");
    assert!(!never.contains("0 ms"), "{never}");
}

#[test]
fn a_section_without_anything_in_it_is_not_there() {
    for section in ["id=\"wrong\"", "id=\"unfinished\""] {
        assert!(!page(&samples::valid()).contains(section), "{section}");
    }
    assert!(
        !page(&samples::not_run()).contains("not compared"),
        "nothing was restored to be held against anything"
    );
}

#[test]
fn another_failure_is_not_taken_for_a_refusal() {
    let mut report = samples::invalid();
    report["failure"] = json!({"name": "Holdfast.DeadlineExceeded", "cause": "12 hours", "leftovers": []});
    let attention = between(&page(&report), "id=\"attention\"", "</section>").to_owned();
    assert!(attention.contains("The operation failed") && attention.contains("12 hours"), "{attention}");
    assert!(!attention.contains("The backup is refused"));
}

#[test]
fn partial_without_a_reason_is_told_to_have_none() {
    let mut report = samples::valid();
    report["status"] = json!("PARTIAL");
    let attention = between(&page(&report), "id=\"attention\"", "</section>").to_owned();
    assert!(attention.contains("does not say what is missing"), "{attention}");
}

#[test]
fn a_list_that_may_be_cut_is_not_taken_for_all() {
    let mut report = samples::inconclusive();
    report["validationDetails"] = Value::Null;
    report["validation"]["notChecked"] =
        json!([{"check": "content", "scope": "shop", "object": "public.a", "reason": "sampled"}]);
    let left = between(&page(&report), "id=\"not-checked\"", "</section>").to_owned();
    assert!(left.contains("does not say whether this is all"), "{left}");
}

#[test]
fn a_whole_check_and_single_objects_are_two_entries() {
    let mut report = samples::valid();
    report["validationDetails"]["notChecked"] = json!([
        {"check": "content", "scope": "shop", "reason": "for one reason"},
        {"check": "content", "scope": "shop", "object": "public.a", "reason": "for one reason"},
    ]);
    let left = between(&page(&report), "id=\"not-checked\"", "</section>").to_owned();
    assert_eq!(left.matches("for one reason").count(), 2, "{left}");
}

#[test]
fn a_comparison_says_how_it_ended_or_why_there_was_none() {
    let compared = |report: &Value| between(&page(report), "id=\"compared\"", "</section>").to_owned();
    // The details alone know the checks: the verdict is theirs.
    let mut failed = samples::invalid();
    for check in failed["validationDetails"]["checks"].as_array_mut().unwrap() {
        if check["name"] == "against-baseline" {
            check["result"] = json!("failed");
        }
    }
    assert!(compared(&failed).contains("FAILED, schema equal"), "{}", compared(&failed));
    let without = |baseline: Value| {
        let mut report = samples::valid();
        let checks = report["validationDetails"]["checks"].as_array_mut().unwrap();
        checks.retain(|check| check["name"] != "against-baseline");
        report["baseline"] = baseline;
        compared(&report)
    };
    let reason = json!({"name": "Holdfast.BaselineUnreadable", "cause": "wrong credentials"});
    let unreadable = json!({"status": "UNREADABLE", "depth": "full", "reason": reason});
    assert!(without(unreadable).contains("the source could not be read: wrong credentials"));
    let taken = json!({"status": "TAKEN", "depth": "full"});
    assert!(without(taken).contains("the baseline was taken and not used"));
    assert!(without(json!({"status": "NOT_ASKED"})).contains("no baseline of the source was asked for"));
}

#[test]
fn what_was_asked_for_less_or_more_is_said() {
    let request = |report: &Value| between(&page(report), "id=\"request\"", "</section>").to_owned();
    let mut report = samples::valid();
    let validation = &mut report["request"]["validation"];
    validation["checks"]["storage"] = json!("off");
    validation["checks"]["content"] = json!({"samplePercent": 5.0});
    validation["checks"]["digest"] = json!("cryptographic");
    validation["allowMissingTables"] = json!(["shop.public.old"]);
    for said in ["storage off", "content 5 % of the pages", "cryptographic digests", "shop.public.old"] {
        assert!(request(&report).contains(said), "{said}: {}", request(&report));
    }
    assert!(request(&samples::not_run()).contains("switched off"));
}

#[test]
fn a_copy_that_failed_and_a_snapshot_in_clear_are_said_so() {
    let partial = page(&samples::partial());
    assert!(between(&partial, "id=\"copies\"", "</section>").contains("✗ NO COPY"));
    let mut clear = samples::valid();
    clear["snapshot"]["encrypted"] = json!(false);
    assert!(between(&page(&clear), "id=\"identity\"", "</section>").contains("NOT encrypted"));
}
