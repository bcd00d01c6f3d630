//! Reports as `update-state` writes them, one for each way in which an operation ends.

use serde_json::{Value, json};

pub const OPERATION: &str = "prod-db-20261120t060000z-3f9a1c2b7d";

fn check(
    name: &str,
    scope: &str,
    result: &str,
    reason: &str,
    duration_ms: u64,
    findings: &[(&str, &str)],
) -> Value {
    let findings: Vec<Value> =
        findings.iter().map(|(object, message)| json!({"object": object, "message": message})).collect();
    json!({"name": name, "scope": scope, "result": result, "reason": reason, "durationMs": duration_ms,
           "findings": findings})
}

fn passed(name: &str, scope: &str, reason: &str, duration_ms: u64) -> Value {
    check(name, scope, "passed", reason, duration_ms, &[])
}

/// The checks of one database that is as it should be.
fn database(scope: &str, tables: u64, rows: &str) -> Vec<Value> {
    vec![
        passed("schema", scope, "132 objects; as in the last validated backup", 41),
        passed("content", scope, &format!("{tables} tables, {rows} rows counted and fingerprinted"), 1834),
        passed("storage", scope, &format!("{tables} objects looked at"), 2210),
        passed("indexes", scope, "21 indexes; 21 objects looked at", 3120),
        passed("uniqueness", scope, "13 objects looked at", 640),
        passed("foreign-keys", scope, "9 of 9 foreign keys asked; 9 objects looked at", 512),
        passed("constraints", scope, "17 constraints asked of every row; 11 objects looked at", 377),
        passed("sequences", scope, "8 of 8 asked", 12),
        passed("collations", scope, "4 objects looked at", 9),
        passed("leftovers", scope, "no unlogged table found empty", 7),
    ]
}

fn good_checks() -> Vec<Value> {
    let mut checks = vec![
        passed("restore", "instance", "restored to db.t4g.medium", 742_300),
        passed("isolation", "instance", "no subscription, no pg_cron, TLS", 18),
        passed("inventory", "instance", "26 tables in analytics, shop", 25),
        passed("leftovers", "instance", "no prepared transaction; no replication slot", 11),
        passed("freshness", "instance", "the newest is 2026-11-20 05:58:41+00, 83 s before the snapshot", 64),
        passed(
            "against-baseline",
            "instance",
            "schema equal; 19 tables stood still and are equal; 7 within bounds",
            88,
        ),
    ];
    checks.extend(database("analytics", 12, "1,912,004"));
    checks.extend(database("shop", 14, "345,678"));
    checks.push(passed("assertion: orders have lines", "shop", "zero rows, as expected", 93));
    checks
}

fn manifest() -> Value {
    let object = json!({"hash": "9f86d081884c7d659a2feaa0c55ad015", "definition": {"type": "numeric(10,2)", "columns": ["a"]}});
    let table = json!({"rows": 3000, "fingerprint": "5e884898da28047151d0e56f8dc62927", "columns": {"id": "int4: value"}});
    json!({
        "algorithm": "holdfast-2:hash64x2-sum-128", "serverVersion": "15.4", "takenAt": "2026-11-20 06:14:01.2+00",
        "databases": {
            "shop": {"schemaHash": "6b86b273ff34fce19d6b804eff5a3f57",
                     "objects": {"table public.orders": object, "index public.orders_pkey": object},
                     "tables": {"public.orders": table}},
            "analytics": {"schemaHash": "d4735e3a265e16eee03f59718b9b5d03", "objects": {}, "tables": {}},
        },
    })
}

fn request() -> Value {
    json!({
        "databaseId": "prod-db", "runId": "2026-11-20T06:00:00Z", "tier": "daily",
        "targetRegions": [{"region": "eu-west-1", "kmsKeyId": "alias/holdfast"},
                          {"region": "us-west-2", "kmsKeyId": "alias/holdfast"}],
        "tags": {"Environment": "production", "Team": "payments"},
        "baseline": {"secretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:reader-AbCdEf",
                     "depth": "catalog", "required": true},
        "validation": {
            "enabled": true, "instanceClasses": ["db.t4g.medium", "db.t3.medium"],
            "assertions": [{"name": "orders have lines", "database": "shop", "sql": "select 1 where false",
                            "expect": "zero rows"}],
            "allowMissingTables": [],
            "checks": {"schema": "full", "content": "full", "storage": "full", "indexes": "full", "uniqueness": "full",
                       "foreignKeys": "full", "constraints": "full", "sequences": "full", "collations": "full",
                       "leftovers": "full", "digest": "fast",
                       "freshness": {"columns": [{"database": "shop", "table": "public.orders", "column": "at"}],
                                     "maxAgeMinutes": 10.0}},
            "parallelism": 4, "chunkMib": 1024, "copyShare": 1.0,
        },
        "deadlineMinutes": 720.0,
    })
}

fn copy(region: &str, seconds: f64) -> Value {
    json!({"region": region, "status": "AVAILABLE", "seconds": seconds,
           "snapshotArn": format!("arn:aws:rds:{region}:123456789012:snapshot:holdfast-{OPERATION}"),
           "kmsKeyId": format!("arn:aws:kms:{region}:123456789012:key/0f3c2a1b-8c5d-4e6f-9a7b-1c2d3e4f5a6b"),
           "validation": {"verdict": "VALID", "issues": [], "restoreSeconds": 688.4, "tables": 26, "rows": 2_257_682,
               "leftovers": [], "execution": format!(
                   "arn:aws:states:{region}:123456789012:execution:holdfast-backup-validation:{OPERATION}")}})
}

fn phase(name: &str, started_at: &str, seconds: f64) -> Value {
    json!({"name": name, "startedAt": started_at, "seconds": seconds})
}

/// A backup that went well, of two databases, with the checks that anybody has.
pub fn valid() -> Value {
    json!({
        "operationId": OPERATION, "databaseId": "prod-db", "runId": "2026-11-20T06:00:00Z", "status": "SUCCEEDED",
        "snapshot": {"id": format!("holdfast-{OPERATION}"), "region": "us-east-1", "sizeGiB": 200, "encrypted": true,
                     "arn": format!("arn:aws:rds:us-east-1:123456789012:snapshot:holdfast-{OPERATION}"),
                     "createdAt": "2026-11-20T06:00:04.631Z"},
        "baseline": {"status": "TAKEN", "depth": "catalog"},
        "validation": {"verdict": "VALID", "issues": [], "restoreSeconds": 742.3, "databases": ["analytics", "shop"],
                       "tables": 26, "rows": 2_257_682, "notCheckedCount": 0},
        "replicas": {"eu-west-1": copy("eu-west-1", 1804.2), "us-west-2": copy("us-west-2", 1522.9)},
        "timings": {"startedAt": "2026-11-20T06:00:01.5Z", "endedAt": "2026-11-20T06:48:10.2Z", "totalSeconds": 2888.7,
            "phases": [phase("HEALTH_CHECKING", "2026-11-20T06:00:01.5Z", 0.9),
                       phase("SNAPSHOTTING", "2026-11-20T06:00:02.4Z", 212.0),
                       phase("VALIDATING", "2026-11-20T06:03:34.4Z", 801.6),
                       phase("REPLICATING", "2026-11-20T06:16:56Z", 1806.1),
                       phase("CLEANING_UP", "2026-11-20T06:47:02.1Z", 68.1)]},
        "apiCalls": 112,
        "report": {"bucket": "holdfast-metadata-123456789012", "key": format!("reports/{OPERATION}.json"),
                   "htmlKey": format!("reports/{OPERATION}.html")},
        "failure": null, "leftovers": [],
        "request": request(),
        "health": {"sourceStatus": "available", "engine": "postgres", "engineVersion": "15.4", "encrypted": true,
                   "snapshotQuota": {"used": 12, "max": 100},
                   "regions": {"eu-west-1": {"usable": true, "kmsKeyArn": "arn:aws:kms:eu-west-1:123456789012:key/k"},
                               "us-west-2": {"usable": true, "kmsKeyArn": "arn:aws:kms:us-west-2:123456789012:key/k"}}},
        "checkpoints": [{"name": "HEALTH_CHECKING", "time": "2026-11-20T06:00:01.5Z", "detail": "begun by x"},
                        {"name": "SUCCEEDED", "time": "2026-11-20T06:48:10.2Z", "detail": "snapshot, proof, copies"}],
        "owner": "arn:aws:states:us-east-1:123456789012:execution:holdfast-backup-orchestration:3f9a1c2b",
        "validationDetails": {"verdict": "VALID", "checks": good_checks(), "manifest": manifest(),
                              "databases": ["analytics", "shop"], "restoreSeconds": 742.3,
                              "instanceClass": "db.t4g.medium",
                              "notChecked": []},
    })
}

/// What one check of a good report ended as, in another report.
fn replace(report: &mut Value, name: &str, scope: &str, other: Value) {
    let checks = report["validationDetails"]["checks"].as_array_mut().expect("checks");
    let place = checks.iter_mut().find(|check| check["name"] == name && check["scope"] == scope);
    *place.expect("the check") = other;
}

fn verdict(report: &mut Value, verdict: &str, error: &str) {
    report["status"] = json!("FAILED");
    report["validation"]["verdict"] = json!(verdict);
    report["validationDetails"]["verdict"] = json!(verdict);
    report["replicas"] = json!({});
    let leftovers = json!([format!("snapshot holdfast-{OPERATION}, tagged {verdict}")]);
    report["failure"] = json!({"name": error, "cause": "content of shop failed: public.orders: invalid page",
                               "leftovers": leftovers});
    report["leftovers"] = leftovers;
    report["timings"]["phases"].as_array_mut().expect("phases").remove(3);
}

/// A damaged database: 300 findings, a hundred in each of three checks.
pub fn invalid() -> Value {
    let mut report = valid();
    let many = |message: &str| -> Vec<(String, String)> {
        (0..100).map(|n| (format!("public.order_lines_{n:03}"), format!("{message} {}", n * 7))).collect()
    };
    for (name, reason, message) in [
        ("content", "14 tables, 311,904 rows", "the table cannot be read: invalid page in block"),
        (
            "schema",
            "132 objects; 100 tables are missing",
            "was in the last validated backup and is missing now, page",
        ),
        (
            "foreign-keys",
            "317 findings, the first 100 shown; 9 of 9 foreign keys asked",
            "rows refer to nothing:",
        ),
    ] {
        let findings = many(message);
        let findings: Vec<(&str, &str)> = findings.iter().map(|(o, m)| (o.as_str(), m.as_str())).collect();
        replace(&mut report, name, "shop", check(name, "shop", "failed", reason, 912, &findings));
    }
    let unfinished =
        [("public.events: pages 0 to 131071", "canceling statement due to statement timeout (57014)")];
    let other = check("storage", "shop", "errored", "1 of 14 objects", 300_004, &unfinished);
    replace(&mut report, "storage", "shop", other);
    verdict(&mut report, "INVALID", "Holdfast.ValidationFailed");
    report["validation"]["issues"] = json!(["content of shop failed: public.order_lines_000: (and 99 more)"]);
    report["validationDetails"]["notChecked"] = not_checked();
    report["validation"]["notCheckedCount"] = json!(14);
    report
}

fn not_checked() -> Value {
    let mut not_checked = vec![
        json!({"check": "indexes", "scope": "analytics", "reason": "amcheck cannot be had: permission denied"}),
        json!({"check": "constraints", "scope": "shop", "reason": "switched off by the input"}),
    ];
    not_checked.extend((0..12).map(|n| {
        json!({"check": "content", "scope": "shop", "object": format!("public.logs_{n:02}"),
               "reason": "sampled: 5 % of the pages"})
    }));
    json!(not_checked)
}

/// Nothing is wrong, and not everything could be looked at.
pub fn inconclusive() -> Value {
    let mut report = valid();
    let lost =
        [("public.orders: pages 0 to 131071", "the connection was lost: connection reset by peer, 3 times")];
    replace(
        &mut report,
        "content",
        "shop",
        check("content", "shop", "errored", "13 of 14 tables", 91_000, &lost),
    );
    let never = check("sequences", "shop", "notRun", "there was no time left", 0, &[]);
    replace(&mut report, "sequences", "shop", never);
    verdict(&mut report, "INCONCLUSIVE", "Holdfast.ValidationInconclusive");
    report["validationDetails"]["notChecked"] = not_checked();
    report["validation"]["notCheckedCount"] = json!(14);
    report
}

/// A good backup without a copy in one Region, and something left behind.
pub fn partial() -> Value {
    let mut report = valid();
    report["status"] = json!("PARTIAL");
    let error = json!({"name": "Holdfast.KeyUnusable", "cause": "key k in eu-west-1 is Disabled; it must be Enabled"});
    report["replicas"]["eu-west-1"] = json!({"region": "eu-west-1", "status": "FAILED", "error": error});
    report["health"]["regions"]["eu-west-1"] = json!({"usable": false, "error": error});
    report["leftovers"] = json!([format!("instance hfv-{OPERATION} in us-east-1 is deleting")]);
    report
}

/// Both copies are there; one of them does not hold what the backup holds, the other was not restored.
pub fn copy_invalid() -> Value {
    let mut report = valid();
    report["status"] = json!("PARTIAL");
    report["request"]["validation"]["copyShare"] = json!(0.5);
    report["replicas"]["us-west-2"]["validation"]["verdict"] = json!("INVALID");
    report["replicas"]["us-west-2"]["validation"]["issues"] =
        json!(["same-as of shop failed: public.orders: holds 99,997 rows, 3 fewer than 100,000"]);
    report["replicas"]["eu-west-1"].as_object_mut().expect("a copy").remove("validation");
    report
}

/// Validation was switched off.
pub fn not_run() -> Value {
    let mut report = valid();
    report["request"]["validation"]["enabled"] = json!(false);
    report["request"]["validation"]["copyShare"] = json!(0.0);
    for copy in report["replicas"].as_object_mut().expect("copies").values_mut() {
        copy.as_object_mut().expect("a copy").remove("validation");
    }
    report["request"].as_object_mut().expect("a request").remove("baseline");
    report["baseline"] = json!({"status": "NOT_ASKED"});
    report["validation"] = json!({"verdict": "NOT_RUN", "checks": [], "issues": [], "restoreSeconds": null,
                                  "databases": [], "tables": 0, "rows": 0, "notChecked": [], "notCheckedCount": 0});
    report["validationDetails"] = Value::Null;
    report
}

/// It failed before there was a snapshot.
pub fn failed() -> Value {
    let mut report = not_run();
    report["status"] = json!("FAILED");
    report["request"]["validation"]["enabled"] = json!(true);
    report["validation"] = Value::Null;
    report["snapshot"] = Value::Null;
    report["health"] = Value::Null;
    report["replicas"] = json!({});
    let cause = "DescribeDBInstances: there is no instance prod-db in us-east-1";
    report["failure"] = json!({"name": "Holdfast.SourceNotFound", "cause": cause, "leftovers": []});
    report
}

/// Names that a person with CREATE on a schema can give to a table.
pub const HOSTILE: [&str; 5] = [
    r#"public."<script>document.title='owned'</script>""#,
    r#"public."\"><img src=x onerror=document.title='owned'>""#,
    "public.\"\u{202e}txt.exe\u{2066}\"",
    "public.\"\u{5d4}\u{5d6}\u{5de}\u{5e0}\u{5d5}\u{5ea} \u{627}\u{644}\u{637}\u{644}\u{628}\u{627}\u{62a}\"",
    "public.\"</style><style>h1{display:none}</style>&lt;{{ title }}\"",
];

/// An invalid report with such names wherever a name can stand, and one that is 4,000 characters long.
pub fn hostile() -> Value {
    let mut report = invalid();
    let long = format!("public.\"{}\"", "x".repeat(4000));
    let names: Vec<&str> = HOSTILE.into_iter().chain([long.as_str()]).collect();
    let findings: Vec<(&str, &str)> = names.iter().map(|name| (*name, *name)).collect();
    let content = check("content", "shop", "failed", &names.join("; "), 5, &findings);
    replace(&mut report, "content", "shop", content);
    for name in &names {
        let checks = report["validationDetails"]["checks"].as_array_mut().expect("checks");
        checks.push(passed(&format!("assertion: {name}"), name, name, 5));
        let not_checked = report["validationDetails"]["notChecked"].as_array_mut().expect("a list");
        not_checked.push(json!({"check": name, "scope": name, "object": name, "reason": name}));
        report["request"]["tags"][name] = json!(name);
        report["leftovers"].as_array_mut().expect("leftovers").push(json!(name));
    }
    report["validation"]["databases"] = json!(names);
    report["request"]["validation"]["allowMissingTables"] = json!(names);
    report["failure"]["name"] = json!("Holdfast.Internal");
    report["failure"]["cause"] = json!(names.join("; "));
    report
}

/// Every way to end, by a name.
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("valid", valid()),
        ("invalid", invalid()),
        ("inconclusive", inconclusive()),
        ("partial", partial()),
        ("copy-invalid", copy_invalid()),
        ("not-run", not_run()),
        ("failed", failed()),
        ("hostile", hostile()),
    ]
}
