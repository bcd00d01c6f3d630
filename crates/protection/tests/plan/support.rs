//! What these tests share.

use std::collections::BTreeMap;

use holdfast_core::ids::{DatabaseId, Region};
use holdfast_protection::{Fault, Found, PlanFile, Settings, Wanted, Wiring, read};
use jiff::Timestamp;

/// The example of the documentation.
pub const EXAMPLE: &str = include_str!("../../../../docs/examples/holdfast.yaml");

pub fn home() -> Region {
    Region::parse("us-east-1").unwrap()
}

/// Friday, noon.
pub fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

pub fn plan(text: &str) -> PlanFile {
    read(text, Some(&home()), now()).unwrap_or_else(|faults| panic!("{}", lines(&faults)))
}

pub fn faults(text: &str) -> Vec<Fault> {
    read(text, Some(&home()), now()).expect_err("it is refused")
}

pub fn lines(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

/// A plan of one database, with these lines in its entry.
pub fn of_prod_db(lines: &str) -> String {
    let mut text =
        "version: 1\nname: shop\ndatabases:\n  - id: prod-db\n    environment: production\n".to_owned();
    if !lines.contains("targets:") {
        text += "    targets: [us-west-2]\n";
    }
    for line in lines.lines() {
        text += &format!("    {line}\n");
    }
    text
}

pub fn settings(lines: &str) -> Settings {
    plan(&of_prod_db(lines)).entries.remove(0).settings
}

pub fn found(id: &str, tags: &[(&str, &str)]) -> Found {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Found { id: DatabaseId::parse(id).unwrap(), tags: tags.collect::<BTreeMap<_, _>>(), unfit: None }
}

pub fn wiring() -> Wiring {
    Wiring {
        region: home(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:backup".into(),
        role_arn: "arn:aws:iam::123456789012:role/schedule".into(),
        dead_letters_arn: "arn:aws:sqs:us-east-1:123456789012:dead".into(),
    }
}

pub fn wanted(text: &str, found: &[Found]) -> Wanted {
    wanted_after(text, found, None)
}

/// The same where another plan was applied before.
pub fn wanted_after(text: &str, found: &[Found], before: Option<&Wanted>) -> Wanted {
    let stored = before.map(|before| &before.settings);
    holdfast_protection::wanted(&plan(text), found, &wiring(), stored)
        .unwrap_or_else(|faults| panic!("{}", lines(&faults)))
}
