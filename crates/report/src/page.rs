//! The page: what it says, in the order in which it is asked for at three in the morning.

use askama::Template;
use holdfast_core::error::ErrorKind;
use holdfast_core::operation::{Phase, ReplicaStatus};
use holdfast_core::validation::{CheckResult, Verdict};

use crate::document::Report;
use crate::findings::{self, LONGEST_NAME, LONGEST_REASON, Left, Trouble};
use crate::sections::{self, Comparison, Copy, Fact, PhaseRow};
use crate::words::{count, cut, duration, moment};

/// Longest cause of a failure, in characters.
const LONGEST_CAUSE: usize = 500;

/// The template's data.
#[derive(Template)]
#[template(path = "report.html")]
pub(crate) struct Page {
    banner: Banner,
    subject: Vec<String>,
    attention: Vec<Attention>,
    troubles: Vec<Troubles>,
    left_out: Vec<Left>,
    left_out_sentence: &'static str,
    checked: Vec<Row>,
    amount: String,
    compared: Vec<Comparison>,
    restore: Option<String>,
    phases: Vec<PhaseRow>,
    total: String,
    copies: Vec<Copy>,
    identity: Vec<Fact>,
    request: Vec<Fact>,
    again: Vec<Fact>,
    title: String,
    version: &'static str,
}

/// The verdict: a word, a sign, and what it means.
struct Banner {
    word: &'static str,
    sign: &'static str,
    class: &'static str,
    meaning: String,
}

/// Something about the operation, beside the data, that a person should know or do.
struct Attention {
    what: String,
    text: String,
    /// A page of this repository that says what to do.
    guide: Option<String>,
}

/// The checks that ended in one way.
struct Troubles {
    id: &'static str,
    heading: &'static str,
    class: &'static str,
    troubles: Vec<Trouble>,
}

/// One check.
struct Row {
    check: String,
    scope: String,
    result: &'static str,
    sign: &'static str,
    class: &'static str,
    amount: String,
    time: String,
}

impl Page {
    pub fn of(report: &Report) -> Self {
        let banner = banner(report);
        let left_out = findings::left_out(report);
        let place = report.report.html_key.as_ref().unwrap_or(&report.report.key);
        let taken = report.snapshot.as_ref().and_then(|snapshot| snapshot.created_at);
        let mut subject = vec![format!("database {}", report.database_id)];
        subject.push(match taken {
            Some(time) => format!("data of {}", moment(time)),
            None => format!("run {}", report.run_id),
        });
        subject.extend(report.snapshot.as_ref().map(|snapshot| snapshot.region.to_string()));
        subject.push(format!("operation {}", report.status.as_str()));
        Page {
            title: format!("{}: {} ({place})", banner.word, report.database_id),
            banner,
            subject,
            attention: attention(report),
            troubles: troubles(report),
            left_out_sentence: left_out_sentence(report, &left_out),
            left_out,
            checked: report.checks().iter().map(Row::of).collect(),
            amount: amount(report),
            compared: sections::compared(report),
            restore: report.restore_seconds().map(duration),
            phases: sections::phases(report),
            total: report.timings.total_seconds.map_or_else(|| "not known".to_owned(), duration),
            copies: sections::copies(report),
            identity: sections::identity(report),
            request: sections::request(report),
            again: sections::again(report),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

impl Row {
    fn of(check: &holdfast_core::validation::Check) -> Self {
        let (result, sign, class) = match check.result {
            CheckResult::Passed => ("passed", "✓", "good"),
            CheckResult::Failed => ("FAILED", "✗", "bad"),
            CheckResult::Errored => ("not finished", "!", "open"),
            CheckResult::NotRun => ("not run", "–", "open"),
        };
        Row {
            check: cut(&check.name, LONGEST_NAME),
            scope: cut(&check.scope, LONGEST_NAME),
            result,
            sign,
            class,
            amount: cut(check.reason.as_deref().unwrap_or_default(), LONGEST_REASON),
            time: if check.result == CheckResult::NotRun {
                String::new()
            } else {
                duration(check.duration_ms as f64 / 1000.0)
            },
        }
    }
}

fn banner(report: &Report) -> Banner {
    let checks = report.checks();
    let all = count(checks.len() as u64, "check");
    let of = |results: &[CheckResult]| checks.iter().filter(|check| results.contains(&check.result)).count();
    match report.verdict() {
        Some(Verdict::Valid) => Banner {
            word: "VALID",
            sign: "✓",
            class: "good",
            meaning: "This backup restores. Every check that was asked for ran on a restored copy of it, and passed."
                .to_owned(),
        },
        Some(Verdict::Invalid) => Banner {
            word: "INVALID",
            sign: "✗",
            class: "bad",
            meaning: format!(
                "Do not rely on this backup. It was restored, and {} of {all} found something wrong. What is wrong in a \
                 snapshot is often wrong in the database itself: look there too.",
                of(&[CheckResult::Failed])
            ),
        },
        Some(Verdict::Inconclusive) => Banner {
            word: "INCONCLUSIVE",
            sign: "?",
            class: "open",
            meaning: format!(
                "Nothing is proven. No check found damage, but {} of {all} could not be finished or never started.",
                of(&[CheckResult::Errored, CheckResult::NotRun])
            ),
        },
        Some(Verdict::NotRun) => Banner {
            word: "NOT RUN",
            sign: "–",
            class: "open",
            meaning: "Whether this backup restores is not known: the request switched validation off.".to_owned(),
        },
        None => Banner {
            word: "NO VERDICT",
            sign: "?",
            class: "open",
            meaning: "Whether this backup restores is not known: the operation ended before anybody could say."
                .to_owned(),
        },
    }
}

/// What is wrong, then what could not be finished; neither is shown when there is nothing.
fn troubles(report: &Report) -> Vec<Troubles> {
    let ended = |result| findings::troubles(report, result);
    let failed = ended(CheckResult::Failed);
    let errored = ended(CheckResult::Errored);
    let wrong = Troubles { id: "wrong", heading: "What is wrong", class: "bad", troubles: failed };
    let unfinished = Troubles {
        id: "unfinished",
        heading: "What could not be finished",
        class: "open",
        troubles: errored,
    };
    [wrong, unfinished].into_iter().filter(|section| !section.troubles.is_empty()).collect()
}

/// What went wrong around the data: the failure, missing copies, what is left behind.
fn attention(report: &Report) -> Vec<Attention> {
    let mut attention = Vec::new();
    if let Some(failure) = &report.failure {
        attention.push(refusal(report).unwrap_or_else(|| Attention {
            what: "The operation failed".to_owned(),
            text: format!("{}: {}", failure.name, cut(&failure.cause, LONGEST_CAUSE)),
            guide: Some(guide_of(&failure.name, "docs/runbooks/a-backup-failed.md")),
        }));
    }
    if report.validation.is_none() && report.validation_details.is_some() {
        attention.push(Attention {
            what: "Not recorded".to_owned(),
            text: "The validation came to its end, and the operation ended before its verdict was recorded."
                .to_owned(),
            guide: None,
        });
    }
    for (region, copy) in &report.replicas {
        if copy.status != ReplicaStatus::Available {
            let cause = copy.error.as_ref().map_or_else(
                || "the report does not say why".to_owned(),
                |error| format!("{}: {}", error.name, cut(&error.cause, LONGEST_CAUSE)),
            );
            let guide = Some("docs/runbooks/a-region-is-missing.md".to_owned());
            attention.push(Attention { what: format!("No copy in {region}"), text: cause, guide });
        }
        if let Some(found) = copy.validation.as_ref().filter(|found| found.verdict != Verdict::Valid) {
            let what = match found.verdict {
                Verdict::Invalid => format!("The copy in {region} is INVALID"),
                Verdict::Valid | Verdict::Inconclusive | Verdict::NotRun => {
                    format!("The copy in {region} is not proven")
                }
            };
            let text = cut(&found.issues.join("; "), LONGEST_CAUSE);
            attention.push(Attention {
                what,
                text,
                guide: Some("docs/runbooks/a-copy-is-not-proven.md".to_owned()),
            });
        }
    }
    for leftover in &report.leftovers {
        attention.push(Attention {
            what: "Left behind".to_owned(),
            text: cut(leftover, LONGEST_CAUSE),
            guide: None,
        });
    }
    if report.status == Phase::Partial && attention.is_empty() {
        attention.push(Attention {
            what: "Not complete".to_owned(),
            text: "The operation ended as PARTIAL, and the report does not say what is missing.".to_owned(),
            guide: Some("docs/runbooks/a-region-is-missing.md".to_owned()),
        });
    }
    attention
}

/// A refusal's cause repeats the findings, which are told in full below: here only what it means.
fn refusal(report: &Report) -> Option<Attention> {
    let failure = report.failure.as_ref()?;
    let (kind, guide) = match report.verdict()? {
        Verdict::Invalid => (ErrorKind::ValidationFailed, "docs/runbooks/a-validation-is-invalid.md"),
        Verdict::Inconclusive => (ErrorKind::ValidationInconclusive, "docs/errors/ValidationInconclusive.md"),
        Verdict::Valid | Verdict::NotRun => return None,
    };
    let copied = if report.replicas.is_empty() { " It was not copied to any Region." } else { "" };
    (failure.name == kind.name()).then(|| Attention {
        what: "The backup is refused".to_owned(),
        text: format!("The operation ended with {}. The snapshot is kept.{copied}", failure.name),
        guide: Some(guide.to_owned()),
    })
}

/// The page of an error of ours; another's has none.
fn guide_of(name: &str, otherwise: &str) -> String {
    match ErrorKind::from_name(name) {
        Some(kind) => format!("docs/errors/{}.md", kind.name().trim_start_matches("Holdfast.")),
        None => otherwise.to_owned(),
    }
}

/// What is said above the list of what was left out: silence is not taken for completeness.
fn left_out_sentence(report: &Report, left_out: &[Left]) -> &'static str {
    match (report.verdict(), report.not_checked_is_whole(), left_out.is_empty()) {
        (None | Some(Verdict::NotRun), _, _) => {
            "Everything: nothing of this backup was restored and looked at."
        }
        (_, true, true) => "Nothing was left out: every check ran, and looked at everything that it is for.",
        (_, true, false) => "",
        (_, false, true) => "This report does not say what was left out.",
        (_, false, false) => "This report does not say whether this is all that was left out.",
    }
}

/// `2 databases (analytics, shop), 14 tables, 345,678 rows, 312 objects of the catalog`.
fn amount(report: &Report) -> String {
    let Some(validation) = &report.validation else { return String::new() };
    if validation.databases.is_empty() {
        return String::new();
    }
    let mut facts = vec![
        format!(
            "{} ({})",
            count(validation.databases.len() as u64, "database"),
            cut(&validation.databases.join(", "), LONGEST_REASON)
        ),
        count(validation.tables, "table"),
        count(validation.rows, "row"),
    ];
    facts.extend(report.objects().map(|objects| count(objects, "object") + " of the catalog"));
    facts.join(", ")
}
