//! What is refused, where, and whether an editor says so as well.

use holdfast_core::ids::Region;
use holdfast_protection::read;

use crate::example::{as_json, validator};
use crate::support::{faults, lines, now, of_prod_db};

/// Whether the schema knows it, or only who reads the whole.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Editor {
    Refuses,
    CannotKnow,
}
use Editor::{CannotKnow, Refuses};

/// Lines of the entry of `prod-db`, which begin in line 7 and column 5 (6 when they name targets themselves); where
/// the fault is; what is said of it.
const BAD: &[(&str, (u64, u64), &str, Editor)] = &[
    ("importence: low", (7, 5), "databases[0].importence: unknown key; known here: ", Refuses),
    ("importance: huge", (7, 17), "importance: \"huge\" is not one of critical, standard, low", Refuses),
    (
        "objectives: {rto: 30m, rto_: 1}",
        (7, 28),
        "objectives.rto_: unknown key; known here: rto, rpo",
        Refuses,
    ),
    (
        "objectives: {rto: 30}",
        (7, 23),
        "objectives.rto: 30 is not a duration such as 45s, 30m, 4h or 1d",
        Refuses,
    ),
    ("objectives: {rpo: 0m}", (7, 23), "rpo: \"0m\" is not a duration", CannotKnow),
    ("objectives: {rto: 400d}", (7, 23), "and at most 366d", CannotKnow),
    ("window: 90s", (7, 13), "window: \"90s\" is not from 1m to 1440m", CannotKnow),
    ("window: 25h", (7, 13), "not from 1m to 1440m", CannotKnow),
    (
        "window: 6h",
        (7, 13),
        "window: 360 minutes are not over when the daily backup comes again, after 360",
        CannotKnow,
    ),
    ("deadline: 31h", (7, 15), "not from 1m to 1800m", CannotKnow),
    ("schedules: 6h", (7, 16), "schedules: \"6h\" is not a mapping", Refuses),
    (
        "schedules: {hourly: 1h}",
        (7, 17),
        "schedules.hourly: unknown key; known here: daily, weekly, monthly, yearly",
        Refuses,
    ),
    ("schedules: {daily: 5h}", (7, 24), "\"5h\" is not one of 1h, 2h, 3h, 4h, 6h, 8h, 12h, 24h", Refuses),
    ("schedules: {daily: {every: 90m}}", (7, 32), "\"90m\" is not one of", Refuses),
    (
        "schedules: {daily: {every: 6h, at: 3pm}}",
        (7, 40),
        "\"3pm\" is not a time of day (UTC) such as \"03:00\"",
        Refuses,
    ),
    ("schedules: {weekly: {on: sun}}", (7, 30), "\"sun\" is not one of sunday, monday", Refuses),
    ("schedules: {weekly: 7d}", (7, 25), "\"7d\" is not a mapping or none", Refuses),
    ("schedules: {monthly: {on: 31}}", (7, 31), "31 is not a day from 1 to 28", Refuses),
    (
        "schedules: {yearly: {on: '02-29'}}",
        (7, 30),
        "\"02-29\" is not a month and a day that every year has",
        CannotKnow,
    ),
    ("schedules: {weekly: {cron: every sunday}}", (7, 32), "is not a cron expression of six fields", Refuses),
    (
        "schedules: {weekly: {cron: '0 3 * * SUN *'}}",
        (7, 32),
        "of day and weekday exactly one must be ?",
        CannotKnow,
    ),
    ("schedules: {weekly: {cron: '0 25 ? * SUN *'}}", (7, 32), "\"25\" is no hour", CannotKnow),
    ("schedules: {weekly: {cron: '0 3 ? * SUN *', at: '03:00'}}", (7, 53), "it says everything", Refuses),
    (
        "schedules: {daily: {cron: '0/30 * * * ? *'}}",
        (7, 31),
        "comes after 30 minutes again; 60 are the least",
        CannotKnow,
    ),
    ("schedules: {yearly: {cron: '0 3 30 2 ? *'}}", (7, 25), "cron(0 3 30 2 ? *) never comes", CannotKnow),
    ("schedules: {yearly: {cron: '0 3 1 1 ? 2020'}}", (7, 25), "never comes", CannotKnow),
    (
        "schedules:\n  daily: {every: 6h, at: '03:00'}\n  weekly: {on: sunday, at: '03:00'}",
        (9, 15),
        "schedules.weekly: it comes at the same time as the daily backup (as on 2024-01-07 03:00)",
        CannotKnow,
    ),
    ("schedules: {daily: none}", (4, 5), "schedules: there is none, and so no backup", CannotKnow),
    (
        "targets: []\nschedules: {weekly: {}}",
        (7, 25),
        "schedules.weekly: what is kept so long needs a copy in another Region",
        CannotKnow,
    ),
    ("targets: moon", (6, 14), "targets: \"moon\" is not a list", Refuses),
    ("targets: [moon]", (6, 15), "targets[0]: \"moon\" is not a Region code such as us-west-2", Refuses),
    ("targets: [{region: us-west}]", (6, 24), "\"us-west\" is not a Region code", Refuses),
    ("targets: [{key: alias/holdfast}]", (6, 15), "targets[0].region: it is missing", Refuses),
    ("targets: [us-west-2, us-west-2]", (6, 26), "targets[1]: us-west-2 is named twice", CannotKnow),
    (
        "targets: [eu-west-1, us-east-1]",
        (6, 26),
        "us-east-1 is the Region of the databases themselves",
        CannotKnow,
    ),
    ("targets: [{region: us-west-2, key: ''}]", (4, 5), "targetRegions.kmsKeyId", Refuses),
    ("validation: {enabledd: true}", (7, 18), "databases[0].validation.enabledd: unknown field", Refuses),
    (
        "validation: {checks: {contents: 'off'}}",
        (7, 27),
        "validation.checks.contents: unknown field",
        Refuses,
    ),
    ("validation: {copyShare: 2}", (7, 18), "validation.copyShare: 2 is not from 0 to 1", Refuses),
    (
        "validation: {enabled: false, copyShare: 1}",
        (7, 34),
        "validation.copyShare: a copy is held against",
        CannotKnow,
    ),
    ("validation: {assertions: [{name: a, sql: b, expect: c}]}", (7, 49), "expect", Refuses),
    ("validation: yes", (7, 17), "validation: \"yes\" is not a mapping", Refuses),
    ("baseline: {depth: full}", (7, 15), "databases[0].baseline: name either secretArn or iamUser", Refuses),
    ("baseline: {iamUser: a, pasword: b}", (7, 28), "baseline.pasword: unknown field", Refuses),
    (
        "baseline: {iamUser: a, depth: full, replica: prod-db}",
        (7, 41),
        "replica: prod-db is the database itself",
        CannotKnow,
    ),
    (
        "snapshotTags: {CostCenter: 4711}",
        (7, 32),
        "CostCenter: 4711 is not a text; put it in quotes",
        Refuses,
    ),
    ("snapshotTags: {'aws:x': y}", (7, 19), "snapshotTags: \"aws:x\" has a reserved prefix", CannotKnow),
    ("retention: {dayly: 1}", (7, 17), "databases[0].retention.dayly: unknown field", Refuses),
    ("retention: {daily: 5000}", (7, 17), "retention.daily: 5000 is not from 0 to 1000", Refuses),
    ("retention: {minimum: 0}", (7, 17), "retention.minimum: 0 is not from 1 to 1000", Refuses),
    ("retention: {daily: 0, weekly: 0, monthly: 0, yearly: 0}", (7, 16), "all 0", CannotKnow),
    (
        "retention: {weekly: 0}\nschedules: {weekly: {}}",
        (8, 25),
        "schedules.weekly: databases[0].retention.weekly is 0",
        CannotKnow,
    ),
    ("notifications: [{topic: me}]", (7, 29), "\"me\" is not the ARN of an SNS topic", Refuses),
    ("notifications: [{on: [failed]}]", (7, 21), "topic: it is missing", Refuses),
    (
        "notifications: [{topic: 'arn:aws:sns:us-east-1:123456789012:t', on: [never]}]",
        (7, 74),
        "\"never\" is not one of succeeded, partial, failed",
        Refuses,
    ),
    ("tagged: {a: b}", (7, 13), "name either id or tagged, not both", Refuses),
    ("allowEmpty: 'no'", (7, 17), "allowEmpty: \"no\" is not true or false", Refuses),
];

#[test]
fn every_fault_is_told_with_its_line_and_column_and_by_the_editor_where_it_can_know() {
    let validator = validator();
    for (entry, (line, column), said, editor) in BAD {
        let text = of_prod_db(entry);
        let found = faults(&text);
        let place = |fault: &holdfast_protection::Fault| (fault.place.line, fault.place.column);
        assert!(
            found.iter().any(|fault| place(fault) == (*line, *column) && fault.message.contains(said)),
            "{entry}: {line}:{column} {said}\n{}",
            lines(&found)
        );
        assert_eq!(found.len(), 1, "one mistake is told once: {entry}\n{}", lines(&found));
        assert_eq!(validator.is_valid(&as_json(&text)), *editor == CannotKnow, "the schema: {entry}");
    }
}

/// Whole files.
const BAD_FILES: &[(&str, (u64, u64), &str, Editor)] = &[
    ("", (1, 1), "", Refuses),
    ("- a\n", (1, 1), "is not a mapping", Refuses),
    ("name: shop\ndatabases: []\n", (1, 1), "version: it is missing", Refuses),
    (
        "version: 2\nname: shop\ndatabases: []\n",
        (1, 10),
        "version: 2 is not a whole number from 1 to 1",
        Refuses,
    ),
    ("version: 1\ndatabases: []\n", (1, 1), "name: it is missing", Refuses),
    ("version: 1\nname: my shop\ndatabases: []\n", (2, 7), "is not 1-64 letters", Refuses),
    ("version: 1\nname: shop\n", (1, 1), "databases: it is missing", Refuses),
    (
        "version: 1\nname: shop\ndatabases: []\n",
        (3, 12),
        "databases: it is empty, and so every schedule would go; allowEmpty: true at the top lets it pass",
        Refuses,
    ),
    (
        "version: 1\nname: shop\nallowEmpty: false\ndatabases: []\n",
        (4, 12),
        "databases: it is empty",
        Refuses,
    ),
    (
        "version: 1\nname: shop\nallowEmpty: true\ndatabases: []\nforget: [a--b]\n",
        (5, 10),
        "forget[0]: \"a--b\" is not a DB instance identifier",
        Refuses,
    ),
    (
        "version: 1\nname: shop\nallowEmpty: true\ndatabases: []\nforget: [a, A]\n",
        (5, 13),
        "forget[1]: a is named twice",
        CannotKnow,
    ),
    (
        "version: 1\nname: shop\ndatabases:\n  - {id: a, environment: production, targets: []}\nforget: [a]\n",
        (5, 10),
        "forget[0]: a is protected in line 4; say one of both",
        CannotKnow,
    ),
    (
        "version: 1\nname: shop\ndatabases: []\nother: 1\n",
        (4, 1),
        "other: unknown key; known here: version, name",
        Refuses,
    ),
    (
        "version: 1\nname: shop\ndatabases:\n  - {environment: production, targets: []}\n",
        (4, 5),
        "name the database by id",
        Refuses,
    ),
    (
        "version: 1\nname: shop\ndatabases:\n  - {id: a--b, environment: production, targets: []}\n",
        (4, 10),
        "databases[0].id: \"a--b\" is not a DB instance identifier",
        Refuses,
    ),
    (
        "version: 1\nname: shop\ndatabases:\n  - {id: a, targets: []}\n",
        (4, 5),
        "environment: it is missing",
        CannotKnow,
    ),
    (
        "version: 1\nname: shop\ndatabases:\n  - {id: a, environment: production}\n",
        (4, 5),
        "targets: it is missing",
        CannotKnow,
    ),
    (
        "version: 1\nname: shop\ndatabases:\n  - {id: a, environment: prod, targets: []}\n",
        (4, 26),
        "\"prod\" is not one of development, production, staging; describe it",
        CannotKnow,
    ),
    (
        "version: 1\nname: shop\nenvironments: {qa: {}}\ndatabases:\n  - {id: a, environment: qa, targets: []}\n",
        (5, 5),
        "there is none, and so no backup",
        CannotKnow,
    ),
    (
        "version: 1\nname: shop\nenvironments: {q-a: {}}\ndatabases: []\n",
        (3, 16),
        "\"q-a\" is not 1-20 lower-case letters",
        Refuses,
    ),
    (
        "version: 1\nname: shop\ndatabases:\n  - {tagged: {}, environment: production, targets: []}\n",
        (4, 14),
        "it names no tag",
        Refuses,
    ),
    (
        "version: 1\nname: shop\ndefaults: {environment: production, targets: []}\ndatabases:\n  - id: a\n  - id: b\n  - id: A\n",
        (7, 5),
        "databases[2]: a is there already, in line 5; name it once",
        CannotKnow,
    ),
    (
        "version: 1\nname: shop\ndefaults: {environment: production, targets: []}\ndatabases:\n  - tagged: {a: b}\n  - tagged: {a: b}\n",
        (6, 5),
        "tags a=b is there already, in line 5",
        CannotKnow,
    ),
];

#[test]
fn a_file_that_is_none_is_refused_where_it_is_wrong() {
    let validator = validator();
    for (text, (line, column), said, editor) in BAD_FILES {
        let found = faults(text);
        let at =
            |fault: &holdfast_protection::Fault| (fault.place.line, fault.place.column) == (*line, *column);
        assert!(
            found.iter().any(|fault| at(fault) && fault.message.contains(said)),
            "{text}: {line}:{column} {said}\n{}",
            lines(&found)
        );
        if !text.is_empty() {
            assert_eq!(validator.is_valid(&as_json(text)), *editor == CannotKnow, "the schema: {text}");
        }
    }
}

#[test]
fn a_key_that_is_there_twice_and_what_is_no_yaml_are_refused() {
    let twice = of_prod_db("importance: low\nimportance: critical");
    let found = faults(&twice);
    assert!(
        found.len() == 1 && found[0].place.line == 8 && found[0].message.contains("importance"),
        "{}",
        lines(&found)
    );
    assert_eq!(faults("version: 1\nname: [\n")[0].place.line, 2);
}

#[test]
fn all_faults_are_told_at_once_and_one_that_many_inherit_only_once() {
    let text = "version: 1\nname: shop\ndefaults:\n  environment: production\n  targets: [us-west-2]\n  validation: {copyShare: 7}\n\
                databases:\n  - id: a\n  - id: b\n    importance: huge\n  - id: c\n    window: soon\n";
    let found = faults(text);
    let at: Vec<(u64, u64)> = found.iter().map(|fault| (fault.place.line, fault.place.column)).collect();
    assert_eq!(at, [(6, 16), (10, 17), (12, 13)], "{}", lines(&found));
    assert!(found[0].message.starts_with("defaults.validation.copyShare: 7"), "{}", found[0]);
}

#[test]
fn where_nobody_knows_the_region_of_the_databases_none_is_refused_for_being_it() {
    let text = of_prod_db("targets: [us-east-1]");
    assert!(read(&text, None, now()).is_ok());
    assert!(read(&text, Some(&Region::parse("us-east-1").unwrap()), now()).is_err());
}
