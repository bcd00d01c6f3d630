//! What a restore needs, and would not find.

use super::*;

fn groups(facts: &mut Facts, region: &Region, problems: [Option<&str>; 2]) {
    let of = at(facts, region);
    of.blueprint = Ok(Some(KeptBlueprint { blueprint: blueprint(), ..kept(region) }));
    for (name, problem) in ["sg-2", "sg-1"].into_iter().zip(problems) {
        let problem = problem.map(str::to_owned);
        of.references.push((Reference::new(crate::network::SECURITY_GROUP, name, problem), Ok(())));
    }
}

#[test]
fn security_groups_that_can_be_used_are_in_order_wherever_they_are() {
    for region in [home(), west()] {
        let mut facts = healthy();
        groups(&mut facts, &region, [None, None]);
        let found = examine(&facts);
        assert_eq!(found.findings, [], "{region}");
        let there = |one: &&InOrder| one.subject.starts_with("security group ") && one.region == region;
        assert_eq!(found.in_order.iter().filter(there).count(), 2, "{region}");
    }
}

#[test]
fn security_groups_that_cannot_be_used_are_homes_or_missing() {
    each(&[
        (
            |facts| groups(facts, &west(), [Some("is not there: make it"), Some("is not there: make it")]),
            Check::Reference,
            Warning,
            "security groups sg-2, sg-1",
            "belong to a network of us-east-1",
        ),
        // Once one of them can be used there, the other is missing.
        (
            |facts| groups(facts, &west(), [None, Some("is not there: make it")]),
            Check::Reference,
            Fails,
            "security group sg-1",
            "ReferenceUnresolved: security group sg-1 is not there",
        ),
        (
            |facts| {
                groups(facts, &home(), [None, Some("is in vpc-2 and the instance would be in vpc-1: name")])
            },
            Check::Reference,
            Fails,
            "security group sg-1",
            "is in vpc-2 and the instance would be in vpc-1",
        ),
    ]);
}

#[test]
fn what_a_restore_misses() {
    each(&[
        (
            |facts| {
                at(facts, &west()).references[0].0.problem =
                    Some("is not there: make it, or name another".into());
            },
            Check::Reference,
            Fails,
            "subnet group prod",
            "ReferenceUnresolved: subnet group prod is not there",
        ),
        (
            |facts| {
                let key = Some("arn:aws:kms:us-east-1:1:key/2".to_owned());
                let insights = PerformanceInsights { enabled: true, kms_key_id: key, retention_days: None };
                let kept = at(facts, &west()).blueprint.as_mut().unwrap().as_mut().unwrap();
                kept.blueprint.performance_insights = Some(insights);
                // One line says it, not two.
                let why = Some("is a key of us-east-1: name another".to_owned());
                let key = Reference::new(crate::watching::INSIGHTS_KEY, "arn:aws:kms:us-east-1:1:key/2", why);
                at(facts, &west()).references.push((key, Ok(())));
            },
            Check::Reference,
            Warning,
            "Performance Insights key arn:aws:kms:us-east-1:1:key/2",
            "it belongs to us-east-1",
        ),
        (
            |facts| {
                let why = Some("is not there: name another".to_owned());
                let key = Reference::new(crate::watching::INSIGHTS_KEY, "arn:aws:kms:us-east-1:1:key/2", why);
                at(facts, &home()).references.push((key, Ok(())));
            },
            Check::Reference,
            Fails,
            "Performance Insights key arn:aws:kms:us-east-1:1:key/2",
            "ReferenceUnresolved: Performance Insights key arn:aws:kms:us-east-1:1:key/2 is not there",
        ),
        (
            // A key of that Region is no business of home.
            |facts| {
                let why = Some("is not there: name another".to_owned());
                let key = Reference::new(crate::watching::INSIGHTS_KEY, "arn:aws:kms:us-west-2:1:key/3", why);
                at(facts, &west()).references.push((key, Ok(())));
            },
            Check::Reference,
            Fails,
            "Performance Insights key arn:aws:kms:us-west-2:1:key/3",
            "ReferenceUnresolved",
        ),
    ]);
}

#[test]
fn what_a_restore_goes_by_and_names_it_needs() {
    each(&[
        (
            |facts| at(facts, &west()).blueprint = Ok(None),
            Check::Blueprint,
            Fails,
            "prod-db",
            "nothing says what it was made with",
        ),
        (
            |facts| at(facts, &home()).blueprint = Ok(None),
            Check::Blueprint,
            Warning,
            "prod-db",
            "kept with no proven backup",
        ),
        (
            |facts| at(facts, &home()).blueprint.as_mut().unwrap().as_mut().unwrap().login = None,
            Check::Login,
            Warning,
            "prod-db",
            "cannot be proven, and is not swapped in",
        ),
        (
            |facts| at(facts, &west()).namesake = Ok(Some(instance())),
            Check::Name,
            Fails,
            "prod-db",
            "NameTaken",
        ),
        (
            |facts| {
                let mine = Instance { id: "hfv-mine".into(), ..instance() };
                let tags = Tags::from([(tags::TEMPORARY.to_owned(), "validation".to_owned())]);
                let ours = Instance { id: "hfv-ours".into(), tags, ..instance() };
                at(facts, &home()).temporary = Ok(vec![mine, ours]);
            },
            Check::TemporaryName,
            Warning,
            "hfv-mine",
            "is never swept",
        ),
    ]);
    // With the database gone, only what is kept says what it was.
    let lost = seen(|facts| {
        facts.source = Ok(None);
        at(facts, &home()).blueprint = Ok(None);
    });
    assert!(lost.iter().any(|one| (one.check, one.severity) == (Check::Blueprint, Fails)), "{lost:#?}");
}
