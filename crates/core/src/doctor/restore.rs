//! What a restore refers to in each Region, and names that are taken.

use super::{At, Check, Facts, Notes, RegionFacts};
use crate::blueprint::KeptBlueprint;
use crate::error::Result;
use crate::ids::Region;
use crate::network::SECURITY_GROUP;
use crate::operation::Reference;
use crate::request::Login;
use crate::tags;
use crate::watching::INSIGHTS_KEY;

pub(super) fn examine(facts: &Facts, notes: &mut Notes) {
    for (region, found) in &facts.regions {
        blueprint(facts, region, found, notes);
        login(facts, region, found, notes);
        references(facts, region, found, notes);
        of_home_only(facts, region, found, notes);
        names(facts, region, found, notes);
    }
}

fn blueprint(facts: &Facts, region: &Region, found: &RegionFacts, notes: &mut Notes) {
    let at = At { check: Check::Blueprint, region };
    let subject = facts.database.as_str();
    match &found.blueprint {
        Err(error) => notes.unknown(at, subject, error),
        Ok(Some(KeptBlueprint { blueprint: kept, .. })) => {
            notes.good(at, subject, format!("{}, {}", kept.class, kept.engine_version));
        }
        Ok(None) if region == &facts.home && matches!(facts.source, Ok(Some(_))) => notes.warns(
            at,
            subject,
            "its settings are kept with no proven backup: once it is gone, nobody knows what it was made with",
            "take a backup",
        ),
        Ok(None) => notes.fails(
            at,
            subject,
            "a restore there fails: nothing says what it was made with",
            "take a backup that is proven and copied there",
        ),
    }
}

/// Whether what comes back can be proven. That there is no blueprint, or that it cannot be read, is the check `blueprint`.
fn login(facts: &Facts, region: &Region, found: &RegionFacts, notes: &mut Notes) {
    let at = At { check: Check::Login, region };
    let Ok(Some(kept)) = &found.blueprint else { return };
    let subject = facts.database.as_str();
    match &kept.login {
        Some(Login::IamUser(user)) => notes.good(at, subject, format!("as {user}, by IAM authentication")),
        Some(Login::SecretArn(arn)) => notes.good(at, subject, format!("with secret {arn}")),
        None => notes.warns(
            at,
            subject,
            "none of its newest backups was taken with a login: what a restore brings back cannot be proven, and is not swapped in",
            "back up with a login (holdfast backup create --login-secret ARN or --login-user USER; baseline in holdfast.yaml), or name \
             one on the day (holdfast restore with the same flags)",
        ),
    }
}

fn references(facts: &Facts, region: &Region, found: &RegionFacts, notes: &mut Notes) {
    let at = At { check: Check::Reference, region };
    let others = is_home_group(facts, region, found);
    for (reference, looked) in &found.references {
        let Reference { what, name, problem, unseen: _ } = reference;
        // What only home has is said in one line (`of_home_only`).
        let key_of_home = region != &facts.home && what == INSIGHTS_KEY && is_of_home(facts, name);
        let of_home = (others && what == SECURITY_GROUP) || key_of_home;
        if of_home {
            continue;
        }
        let subject = format!("{what} {name}");
        match (looked, problem) {
            (Err(error), _) => notes.unknown(at, &subject, error),
            (Ok(()), None) => notes.good(at, &subject, "there"),
            (Ok(()), Some(problem)) => {
                // `is not there: make it, or name another with options.subnetGroup`
                let (what, advice) = problem.split_once(": ").unwrap_or((problem, "see docs/restore.md"));
                let what = format!("a restore there fails with ReferenceUnresolved: {subject} {what}");
                notes.fails(at, &subject, what, advice);
            }
        }
    }
}

/// Whether the security groups of the blueprint are those of home: all of them were looked up in a Region that is not, and
/// none can be used there. A restore there is always told others; once one of them resolves, each that does not is a fault.
fn is_home_group(facts: &Facts, region: &Region, found: &RegionFacts) -> bool {
    let groups = || found.references.iter().filter(|(reference, _)| reference.what == SECURITY_GROUP);
    let unusable =
        |(reference, looked): &(Reference, Result<()>)| looked.is_ok() && reference.problem.is_some();
    region != &facts.home && groups().next().is_some() && groups().all(unusable)
}

/// Whether a key's ARN names home.
fn is_of_home(facts: &Facts, key: &str) -> bool {
    key.contains(&format!(":{}:", facts.home))
}

/// What belongs to the Region of the database and to no other: a restore elsewhere has to be told others (docs/restore.md).
fn of_home_only(facts: &Facts, region: &Region, found: &RegionFacts, notes: &mut Notes) {
    let at = At { check: Check::Reference, region };
    let Ok(Some(KeptBlueprint { blueprint: kept, .. })) = &found.blueprint else { return };
    if region == &facts.home {
        return;
    }
    if is_home_group(facts, region, found) {
        notes.warns(
            at,
            &format!("security groups {}", kept.security_groups.join(", ")),
            format!(
                "none of them can be used there, they belong to a network of {}: a restore there fails unless it is told others",
                facts.home
            ),
            "have security groups ready there, and name them with --security-group on the day",
        );
    }
    let insights = kept.performance_insights.as_ref().and_then(|insights| insights.kms_key_id.as_ref());
    if let Some(key) = insights.filter(|key| is_of_home(facts, key)) {
        notes.warns(
            at,
            &format!("Performance Insights key {key}"),
            format!("it belongs to {}: a restore there fails unless it is told another", facts.home),
            "name options.performanceInsights with a key of that Region, or none, on the day",
        );
    }
}

fn names(facts: &Facts, region: &Region, found: &RegionFacts, notes: &mut Notes) {
    let at = At { check: Check::Name, region };
    let subject = facts.database.as_str();
    match &found.namesake {
        // At home it is the database itself.
        _ if region == &facts.home => {}
        Err(error) => notes.unknown(at, subject, error),
        Ok(None) => notes.good(at, subject, "free"),
        Ok(Some(taken)) => notes.fails(
            at,
            subject,
            format!(
                "a restore there under its own name fails with NameTaken: an instance of that name is {}",
                taken.status
            ),
            "delete or rename that instance, or restore with --target",
        ),
    }
    let at = At { check: Check::TemporaryName, region };
    match &found.temporary {
        Err(error) => notes.unknown(at, "hfv-*", error),
        Ok(instances) => {
            let mut foreign =
                instances.iter().filter(|instance| !instance.tags.contains_key(tags::TEMPORARY)).peekable();
            if foreign.peek().is_none() {
                notes.good(at, "hfv-*", "nobody else's");
            }
            for instance in foreign {
                notes.warns(
                    at,
                    &instance.id,
                    "it is named like a validation's instance and is none: one that needs this name fails with NameTaken, and it is never swept",
                    "rename it",
                );
            }
        }
    }
}
