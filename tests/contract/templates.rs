//! What the templates deploy.

use holdfast_core::retention::Policy;
use holdfast_tests::files::{project, read};
use serde_yaml_ng::Value as Yaml;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::support::{
    SHARED, TEMPLATES, binary, functions, resources, sources_of, template, text_without_tags,
};

#[test]
fn every_function_of_a_template_is_a_crate_and_every_crate_a_function_at_home() {
    let binaries = |path| functions(path).values().map(binary).collect::<BTreeSet<_>>();
    let crates: BTreeSet<String> = std::fs::read_dir(project("functions"))
        .expect("functions")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(binaries("template.yaml"), crates);
    let there = binaries("infra/region.yaml");
    assert!(!there.is_empty() && there.is_subset(&crates), "{there:?}");
}

#[test]
fn what_both_templates_have_is_the_same_in_both() {
    /// The resources, with paths as they are found from the template's own folder; a Region's bucket is known by name.
    fn comparable(path: &str) -> BTreeMap<String, Yaml> {
        let folder = Path::new(path).parent().expect("a folder");
        let mut found = resources(path);
        for (id, block) in &mut found {
            let properties = block["Properties"].as_mapping_mut().expect("properties");
            for place in ["CodeUri", "DefinitionUri"] {
                if let Some(there) = properties.get_mut(place) {
                    let real = project(&folder.join(text_without_tags(there)).to_string_lossy());
                    let real = real.canonicalize().unwrap_or_else(|error| panic!("{id}: {place}: {error}"));
                    *there = Yaml::String(real.to_string_lossy().into_owned());
                }
            }
            if id == "MetadataBucket" {
                properties.remove("BucketName");
            }
            // The state table is at home.
            if let Some(Yaml::Sequence(policies)) = properties.get_mut("Policies") {
                policies.retain(|policy| text_without_tags(policy) != SHARED);
            }
        }
        found
    }
    let home = comparable("template.yaml");
    let only_there: BTreeSet<String> = comparable("infra/region.yaml")
        .into_iter()
        .filter_map(|(id, block)| match home.get(&id) {
            Some(same) => {
                assert_eq!(same, &block, "{id} is not the same in both templates");
                None
            }
            None => Some(id),
        })
        .collect();
    assert_eq!(only_there, BTreeSet::from(["CopyKey".to_owned(), "CopyKeyAlias".to_owned()]));
    let (home, there) = (template("template.yaml"), template("infra/region.yaml"));
    for key in ["Runtime", "Architectures", "Handler", "Timeout", "MemorySize", "LoggingConfig"] {
        assert_eq!(
            home["Globals"]["Function"][key], there["Globals"]["Function"][key],
            "{key} of all functions"
        );
    }
    for (name, parameter) in there["Parameters"].as_mapping().expect("parameters") {
        let same = &home["Parameters"][name];
        if !same.is_null() {
            assert_eq!(same["Default"], parameter["Default"], "{name:?}");
            assert_eq!(same["AllowedPattern"], parameter["AllowedPattern"], "{name:?}");
        }
    }
}

#[test]
fn what_the_home_region_calls_another_regions_things_is_what_they_are_called_there() {
    let replicate = &functions("template.yaml")["ReplicateToRegionFunction"]["Properties"];
    let given = |name: &str| text_without_tags(&replicate["Environment"]["Variables"][name]);
    let there = resources("infra/region.yaml");
    let bucket = text_without_tags(&there["MetadataBucket"]["Properties"]["BucketName"]);
    assert_eq!(given("HOLDFAST_REGION_BUCKET"), bucket.replace("${AWS::Region}", "{region}"));
    let machine = text_without_tags(&there["BackupValidationStateMachine"]["Properties"]["Name"]);
    assert_eq!(
        given("HOLDFAST_REGION_VALIDATION_ARN"),
        format!("arn:${{AWS::Partition}}:states:{{region}}:${{AWS::AccountId}}:stateMachine:${{{machine}}}")
    );
}

#[test]
fn settings_that_functions_read_are_settings_that_the_templates_give() {
    // From the runtime, or only for the local stack and other clouds' endpoints.
    let elsewhere = [
        "AWS_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_RDS",
        "AWS_CA_BUNDLE",
        "HOLDFAST_RDS_CA_FILE",
        "HOLDFAST_VERIFY_BUDGET_SECONDS",
        "HOLDFAST_BREAKER_OPEN_SECONDS",
        "HOLDFAST_BREAKER_LONGEST_SECONDS",
    ];
    // The state table is at home: elsewhere a process has breakers of its own.
    let only_at_home = "DR_STATE_TABLE_NAME";
    let variables = |block: &Yaml| -> BTreeSet<String> {
        block["Environment"]["Variables"]
            .as_mapping()
            .into_iter()
            .flatten()
            .map(|(key, _)| text_without_tags(key))
            .collect()
    };
    let shared = ["crates/aws/src/config.rs", "crates/aws/src/circuits.rs", "crates/lambda/src/lib.rs"]
        .map(read)
        .concat();
    for path in TEMPLATES {
        let global = variables(&template(path)["Globals"]["Function"]);
        let mut read_somewhere = BTreeSet::new();
        for (id, function) in functions(path) {
            let own = variables(&function["Properties"]);
            let wanted: BTreeSet<String> = (sources_of(&binary(&function)) + &shared)
                .split('"')
                .filter(|text| {
                    ["DR_", "HOLDFAST_", "AWS_"].iter().any(|prefix| text.starts_with(prefix))
                        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
                })
                .map(str::to_owned)
                .collect();
            for name in &wanted {
                assert!(
                    own.contains(name)
                        || global.contains(name)
                        || elsewhere.contains(&name.as_str())
                        || (path != "template.yaml" && name == only_at_home),
                    "{path}: {id} reads {name}; nobody gives it"
                );
            }
            let unread: Vec<_> = own.difference(&wanted).collect();
            assert!(unread.is_empty(), "{path}: {id} is given {unread:?} and does not read it");
            read_somewhere.extend(wanted);
        }
        let unread: Vec<_> = global.difference(&read_somewhere).collect();
        assert!(unread.is_empty(), "{path}: {unread:?} is given to all and read by none");
    }
}

#[test]
fn the_rules_of_retention_that_are_deployed_are_the_ones_of_the_code() {
    let parameters = &template("template.yaml")["Parameters"];
    let policy = Policy::default();
    for (name, rule) in [
        ("KeepDaily", policy.daily),
        ("KeepWeekly", policy.weekly),
        ("KeepMonthly", policy.monthly),
        ("KeepYearly", policy.yearly),
        ("KeepAtLeast", policy.minimum),
        ("InspectionDays", policy.inspection_days),
    ] {
        assert_eq!(parameters[name]["Default"].as_u64(), Some(rule.into()), "{name}");
        let most = parameters[name]["MaxValue"].as_u64().expect("a bound");
        let field = match name {
            "KeepAtLeast" => "minimum".to_owned(),
            "InspectionDays" => "inspectionDays".to_owned(),
            _ => name.trim_start_matches("Keep").to_lowercase(),
        };
        assert!(policy.changed_by(&serde_json::json!({ field.clone(): most })).is_ok(), "{name}");
        assert!(policy.changed_by(&serde_json::json!({ field: most + 1 })).is_err(), "{name}");
    }
    // Nobody's backups are deleted before somebody has looked at a plan.
    assert_eq!(parameters["PruneBackups"]["Default"], "plan");
}

#[test]
fn the_table_is_what_was_promised() {
    let template = template("template.yaml");
    let table = &template["Resources"]["StateTable"]["Properties"];
    assert_eq!(template["Parameters"]["StateTableName"]["Default"], "DisasterRecoveryState");
    assert_eq!(table["KeySchema"][0]["AttributeName"], "operationId");
    let indexes: Vec<&str> = table["GlobalSecondaryIndexes"]
        .as_sequence()
        .expect("indexes")
        .iter()
        .map(|index| index["IndexName"].as_str().expect("a name"))
        .collect();
    assert_eq!(indexes, ["TypeStatusIndex", holdfast_aws::dynamodb::DATABASE_INDEX]);
    assert_eq!(table["TimeToLiveSpecification"]["AttributeName"], "expiresAt");
    assert_eq!(table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true);
    assert!(table["StreamSpecification"]["StreamViewType"].is_string());
}
