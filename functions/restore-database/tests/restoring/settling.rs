//! From an instance that is available to one that is as it was asked for, and how long that took.

use holdfast_core::blueprint::Blueprint;
use holdfast_core::operation::RestorePlan;
use holdfast_core::ports::LastSettings;
use holdfast_fakes::sample::{at, home};
use holdfast_fakes::{Call, Trouble};
use serde_json::{Value, json};

use crate::support::{World, restored};

/// A restore that has come as far as an available instance: its plan, the poll that saw it, and what that carries.
async fn available(world: &World) -> (RestorePlan, u32, Value) {
    let plan = world.plan(json!({})).await.unwrap();
    let mut carry = json!({});
    for poll in 1..=100 {
        carry = world.ask(&plan, poll, &carry).await.unwrap()["carry"].clone();
        if carry["availableSeconds"].is_number() {
            return (plan, poll, carry);
        }
    }
    panic!("it never was");
}

/// The groups come out otherwise than they were asked for.
fn with_other_groups() -> World {
    let world = World::lost();
    world.rds.set(|rds| rds.restores_come_back = |made| made.security_groups = vec!["sg-other".into()]);
    world
}

#[tokio::test]
async fn last_settings_are_asked_for_once_and_again_without_harm_when_that_is_forgotten() {
    // GIVEN an instance whose last settings were asked for
    let world = World::lost();
    let (plan, poll, _) = available(&world).await;
    assert_eq!(world.rds.settled(), 1);
    let is: Blueprint = world.rds.blueprint_now(&home(), "prod-db").unwrap();
    // WHEN what was carried is lost, THEN they are asked for again, and nothing is other than it was
    let answer = world.ask(&plan, poll + 1, &Value::Null).await.unwrap();
    assert_eq!((answer["status"].as_str(), world.rds.settled()), (Some("WAITING"), 2));
    assert_eq!(world.rds.blueprint_now(&home(), "prod-db").unwrap(), is);
    let answer = world.ask(&plan, poll + 2, &answer["carry"]).await.unwrap();
    assert_eq!(restored(&answer).differences, [""; 0]);
    assert_eq!((world.rds.settled(), world.rds.databases_asked().len()), (2, 1));
}

#[tokio::test]
async fn settings_that_are_pending_are_waited_for() {
    // GIVEN an RDS that takes three looks for the last settings
    let world = World::lost();
    world.rds.set(|rds| rds.settings_pend = 3);
    let (plan, poll, mut carry) = available(&world).await;
    // THEN it is not there before they are
    for later in 1..=3 {
        let answer = world.ask(&plan, poll + later, &carry).await.unwrap();
        assert_eq!(answer["status"], "WAITING", "{later}");
        carry = answer["carry"].clone();
    }
    assert_eq!(world.ask(&plan, poll + 4, &carry).await.unwrap()["status"], "FINAL");
    assert_eq!(world.rds.settled(), 1);
}

#[tokio::test]
async fn a_difference_that_stays_is_reported_and_not_waited_for_without_end() {
    // GIVEN groups that are not what was asked for, and stay so
    let world = with_other_groups();
    let plan = world.plan(json!({})).await.unwrap();
    let answers = world.all(&plan).await.unwrap();
    // THEN it was looked at again for a while, and then reported
    let waited =
        |answer: &&Value| answer["progress"]["message"].as_str().unwrap().contains("not yet as asked");
    let looks = answers.iter().filter(waited).count();
    assert!((3..20).contains(&looks), "{looks}");
    let restore = restored(answers.last().unwrap());
    assert_eq!(restore.differences, ["security groups: sg-other; asked for: sg-default"]);
    assert_eq!(world.rds.settled(), 1);
}

#[tokio::test]
async fn a_difference_that_goes_away_is_waited_for() {
    // GIVEN groups that are not what was asked for
    let world = with_other_groups();
    let (plan, poll, carry) = available(&world).await;
    let answer = world.ask(&plan, poll + 1, &carry).await.unwrap();
    assert_eq!(answer["status"], "WAITING");
    // WHEN they become it, THEN nothing is other than it was asked for
    let mut made = world.rds.blueprint_now(&home(), "prod-db").unwrap();
    made.security_groups.clone_from(&plan.wanted.settings.security_groups);
    world.rds.lay_blueprint(&home(), made);
    let answer = world.ask(&plan, poll + 2, &answer["carry"]).await.unwrap();
    assert_eq!(answer["status"], "FINAL");
    assert_eq!(restored(&answer).differences, [""; 0]);
}

#[tokio::test]
async fn public_access_that_nobody_asked_for_is_a_difference() {
    let world = World::lost();
    world.rds.set(|rds| rds.restores_come_back = |made| made.publicly_accessible = true);
    let plan = world.plan(json!({})).await.unwrap();
    assert_eq!(world.restore(&plan).await.unwrap().differences, ["public access: on; asked for: off"]);
}

#[tokio::test]
async fn the_time_that_it_took_is_never_shorter_than_the_truth() {
    // GIVEN an instance that was asked for 10 s after the beginning (planned long before), and settings that take long
    let world = World::lost();
    world.rds.set(|rds| (rds.looks, rds.settings_pend) = (4, 3));
    let (plan, poll, carry) = available(&world).await;
    // WHEN it was seen available at `poll`, THEN it took from the request to then, and not from the plan
    let seen = 10.0 * f64::from(poll);
    assert_eq!(carry["availableSeconds"], seen - 10.0);
    let (mut last, mut carry) = (poll, carry);
    let restore = loop {
        last += 1;
        assert!(last < 100, "a hundred polls and no end");
        let answer = world.ask(&plan, last, &carry).await.unwrap();
        if answer["status"] == "FINAL" {
            break restored(&answer);
        }
        carry = answer["carry"].clone();
    };
    // AND all of it took until it was as asked for, and later looks did not make the first any longer
    assert_eq!(restore.timings.requested_at, at(10));
    assert_eq!(restore.timings.available_seconds, seen - 10.0);
    assert_eq!(restore.timings.settled_seconds, 10.0 * f64::from(last) - 10.0);
    assert!(restore.timings.settled_seconds > restore.timings.available_seconds);
}

#[tokio::test]
async fn a_lost_answer_or_a_lost_carry_makes_no_time_shorter() {
    // GIVEN an answer to the restore that is lost: RDS was asked at 10 s
    let world = World::lost();
    world.rds.set(|rds| rds.unseen = 2);
    world.rds.troubles.once(Call::RestoreDatabase, Trouble::AnswerLost);
    let plan = world.plan(json!({})).await.unwrap();
    assert!(world.ask(&plan, 1, &Value::Null).await.unwrap_err().kind.retryable());
    // WHEN every carry is lost, too, until the one before the last
    let mut poll = 1;
    let carry = loop {
        poll += 1;
        let answer = world.ask(&plan, poll, &Value::Null).await.unwrap();
        if poll > 10 {
            break answer["carry"].clone();
        }
    };
    // THEN it is measured from when it was asked, to a look that is later than the truth
    let restore = restored(&world.ask(&plan, poll + 1, &carry).await.unwrap());
    assert_eq!(restore.timings.requested_at, at(10));
    assert_eq!(restore.timings.available_seconds, 10.0 * f64::from(poll) - 10.0);
    assert_eq!(restore.timings.settled_seconds, 10.0 * f64::from(poll + 1) - 10.0);
}

#[tokio::test]
async fn a_last_setting_that_cannot_be_had_costs_itself_alone() {
    for (refused, said) in [
        (LastSettings::Storage, "storage that grows by itself: RDS refused it: "),
        (LastSettings::Insights, "Performance Insights: RDS refused it: "),
        (LastSettings::MaintenanceWindow, "maintenance window: RDS refused it: "),
    ] {
        // GIVEN an RDS that refuses one of the settings, and so the call for all of them
        let world = World::lost();
        world.rds.set(|rds| rds.refuses_to_settle = Some(refused));
        let plan = world.plan(json!({})).await.unwrap();
        // WHEN the database is brought back, THEN it is back, and what was refused is said, by its name and RDS's words
        let restore = world.restore(&plan).await.unwrap();
        let sentences: Vec<_> =
            restore.differences.iter().filter(|difference| difference.starts_with(said)).collect();
        assert_eq!(sentences.len(), 1, "{:?}", restore.differences);
        assert!(sentences[0].ends_with("cannot be had"), "{sentences:?}");
        // AND the others are as they were asked for
        let is: Blueprint = world.rds.blueprint_now(&home(), "prod-db").unwrap();
        let wanted = &plan.wanted.settings;
        let made = |which, as_wanted: bool| assert_eq!(as_wanted, which != refused, "{refused:?} {which:?}");
        made(LastSettings::Storage, is.max_allocated_gib == wanted.max_allocated_gib);
        made(LastSettings::Insights, is.performance_insights == wanted.performance_insights);
        // All at once, and then each.
        assert_eq!(world.rds.settled(), 6);
    }
}

#[tokio::test]
async fn what_was_refused_is_known_again_when_what_was_carried_is_lost() {
    let world = World::lost();
    world.rds.set(|rds| rds.refuses_to_settle = Some(LastSettings::Storage));
    let plan = world.plan(json!({})).await.unwrap();
    let mut carry = json!({});
    for poll in 1..=100 {
        let answer = world.ask(&plan, poll, &carry).await.unwrap();
        if answer["status"] == "FINAL" {
            let differences = restored(&answer).differences;
            assert!(differences.iter().any(|said| said.contains("RDS refused it")), "{differences:?}");
            return;
        }
        // A crash in the middle of the settings.
        carry = if poll == 8 { Value::Null } else { answer["carry"].clone() };
    }
    panic!("it never was");
}
