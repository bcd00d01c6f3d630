//! Comparing and applying, against an account in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::protection::ProtectionPlan;
use holdfast_core::retention::Policy;
use holdfast_protection::{Found, Schedule, Wiring, read};
use jiff::Timestamp;

use super::account::{Account, Stored, Written};
use super::{Compared, apply, compare, diff, show};
use crate::Error;
use crate::paint::Paint;

/// An account in memory. Calls whose name is in `broken` fail.
#[derive(Default)]
struct Memory {
    schedules: RefCell<BTreeMap<String, Schedule>>,
    stored: RefCell<Option<Stored>>,
    version: RefCell<u32>,
    calls: RefCell<Vec<String>>,
    broken: RefCell<Vec<&'static str>>,
    /// What is deployed, where that is known.
    deployed: RefCell<Option<Policy>>,
    /// Whether somebody else applies a plan while a schedule is made.
    interferes: RefCell<bool>,
    /// The instances that are gone.
    gone: RefCell<Vec<&'static str>>,
}

impl Memory {
    fn called(&self, call: &str) -> Result<(), Error> {
        self.calls.borrow_mut().push(call.to_owned());
        if self.broken.borrow().iter().any(|broken| call.starts_with(broken)) {
            return Err(Error::Aws { call: "Scheduler", cause: "throttled".to_owned() });
        }
        Ok(())
    }

    /// What was called since the last time this was asked.
    fn calls(&self) -> Vec<String> {
        self.calls.take()
    }

    fn names(&self) -> Vec<String> {
        self.schedules.borrow().keys().cloned().collect()
    }
}

impl Account for Memory {
    async fn instances(&self) -> Result<Vec<Found>, Error> {
        let found = |id: &str| Found {
            id: DatabaseId::parse(id).unwrap(),
            tags: BTreeMap::from([("Holdfast".to_owned(), id.to_owned())]),
            unfit: None,
        };
        let all = ["prod-db", "other-db"].into_iter().filter(|id| !self.gone.borrow().contains(id));
        Ok(all.map(found).collect())
    }

    async fn schedules(&self) -> Result<BTreeMap<String, Schedule>, Error> {
        Ok(self.schedules.borrow().clone())
    }

    async fn stored(&self) -> Result<Option<Stored>, Error> {
        Ok(self.stored.borrow().clone())
    }

    async fn deployed(&self) -> Option<Policy> {
        *self.deployed.borrow()
    }

    async fn store(&self, plan: &ProtectionPlan, before: Option<&Stored>) -> Result<Written, Error> {
        self.called("store")?;
        if self.stored.borrow().as_ref().map(|stored| &stored.etag) != before.map(|before| &before.etag) {
            return Ok(Written::Changed);
        }
        *self.version.borrow_mut() += 1;
        *self.stored.borrow_mut() =
            Some(Stored { plan: plan.clone(), etag: self.version.borrow().to_string() });
        Ok(Written::Done(self.version.borrow().to_string()))
    }

    async fn create(&self, schedule: &Schedule) -> Result<(), Error> {
        self.called(&format!("create {}", schedule.name))?;
        if *self.interferes.borrow() {
            self.stored.borrow_mut().as_mut().unwrap().etag = "theirs".to_owned();
        }
        self.schedules.borrow_mut().insert(schedule.name.clone(), schedule.clone());
        Ok(())
    }

    async fn update(&self, schedule: &Schedule) -> Result<(), Error> {
        self.called(&format!("update {}", schedule.name))?;
        self.schedules.borrow_mut().insert(schedule.name.clone(), schedule.clone());
        Ok(())
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.called(&format!("delete {name}"))?;
        self.schedules.borrow_mut().remove(name);
        Ok(())
    }
}

fn wiring() -> Wiring {
    Wiring {
        region: Region::parse("us-east-1").unwrap(),
        state_machine_arn: "machine".into(),
        role_arn: "role".into(),
        dead_letters_arn: "dead".into(),
    }
}

fn now() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

async fn compared(account: &Memory, entries: &str) -> Result<Compared, Error> {
    let text = format!("version: 1\nname: shop\ndefaults: {{targets: [us-west-2]}}\ndatabases:\n{entries}");
    let plan = read(&text, None, now()).unwrap_or_else(|faults| panic!("{faults:?}"));
    compare(account, &plan, Path::new("holdfast.yaml"), &wiring()).await
}

async fn applied(account: &Memory, entries: &str) -> apply::Done {
    apply::apply(account, &compared(account, entries).await.unwrap()).await.unwrap()
}

const PROD: &str =
    "  - {id: prod-db, environment: production, schedules: {daily: {every: 6h, at: '00:10'}}}\n";
const BOTH: &str = "  - {id: prod-db, environment: production, schedules: {daily: {every: 4h, at: '00:10'}}}\n  \
                    - {id: other-db, environment: staging, retention: {daily: 3}, schedules: {daily: {every: 12h, at: '00:30'}}}\n";
const OTHER: &str =
    "  - {id: other-db, environment: development, schedules: {daily: {every: 24h, at: '01:30'}}}\n";

#[tokio::test]
async fn a_second_time_there_is_nothing_to_do() {
    let account = Memory::default();
    assert!(applied(&account, BOTH).await.is_whole());
    assert_eq!(account.names(), ["production-prod-db-daily", "staging-other-db-daily"]);
    assert_eq!(
        account.calls()[0],
        "store",
        "the settings come first: they show whether somebody else was quicker"
    );
    let again = compared(&account, BOTH).await.unwrap();
    assert!(again.changes.is_empty());
    assert!(
        diff::table(&again, "holdfast", Paint::PLAIN)
            .contains("Nothing to change: everything is as the plan says.")
    );
}

#[tokio::test]
async fn only_what_changed_is_touched_and_what_left_the_plan_goes_last() {
    let account = Memory::default();
    applied(&account, BOTH).await;
    account.calls();
    let done = applied(&account, &format!("{PROD}{OTHER}")).await;
    assert!(done.is_whole());
    assert_eq!(
        account.calls(),
        [
            "store",
            "create development-other-db-daily",
            "update production-prod-db-daily",
            "delete staging-other-db-daily"
        ]
    );
}

#[tokio::test]
async fn of_two_who_apply_at_once_one_is_told_before_anything_of_his_was_changed() {
    let account = Memory::default();
    // GIVEN two who have looked at the same
    let (mine, theirs) = (compared(&account, PROD).await.unwrap(), compared(&account, BOTH).await.unwrap());
    apply::apply(&account, &theirs).await.unwrap();
    account.calls();
    // WHEN the second applies
    let error = apply::apply(&account, &mine).await.unwrap_err();
    // THEN nothing of his is there
    assert!(
        matches!(&error, Error::NotWritten(said) if said.contains("somebody else has applied a plan")),
        "{error}"
    );
    assert_eq!(account.calls(), ["store"]);
    assert_eq!(account.names(), ["production-prod-db-daily", "staging-other-db-daily"]);
    // AND so it is where only schedules would have changed, and the settings not
    account.schedules.borrow_mut().clear();
    let mine = compared(&account, BOTH).await.unwrap();
    assert!(mine.changes.settings.is_empty() && mine.changes.schedules.len() == 2);
    apply::apply(&account, &compared(&account, PROD).await.unwrap()).await.unwrap();
    assert!(matches!(apply::apply(&account, &mine).await.unwrap_err(), Error::NotWritten(_)));
}

#[tokio::test]
async fn what_could_not_be_done_is_named_nothing_is_deleted_after_it_and_another_time_finishes_it() {
    let account = Memory::default();
    applied(&account, BOTH).await;
    account.calls();
    // GIVEN a change of which one call fails
    *account.broken.borrow_mut() = vec!["create"];
    let wanted = format!("{PROD}{OTHER}");
    let done = applied(&account, &wanted).await;
    // THEN the others are made, but nothing goes: it may be all that backs that database up
    assert_eq!(done.done, ["settings of 2 databases stored", "schedule production-prod-db-daily changed"]);
    assert_eq!(
        done.not_done,
        [
            "schedule development-other-db-daily not made: Scheduler: throttled",
            "schedule staging-other-db-daily not deleted: what came before it was not all done"
        ]
    );
    let text = diff::done(&done, Paint::PLAIN);
    assert!(
        text.contains("✘ schedule development-other-db-daily not made") && text.contains("Apply it again"),
        "{text}"
    );
    // AND applying again finishes it
    account.broken.borrow_mut().clear();
    account.calls();
    assert!(applied(&account, &wanted).await.is_whole());
    assert_eq!(
        account.calls(),
        ["store", "create development-other-db-daily", "delete staging-other-db-daily"]
    );
    assert!(compared(&account, &wanted).await.unwrap().changes.is_empty());
}

#[tokio::test]
async fn settings_that_cannot_be_stored_leave_everything_as_it_is() {
    let account = Memory::default();
    *account.broken.borrow_mut() = vec!["store"];
    let compared = compared(&account, PROD).await.unwrap();
    assert!(matches!(apply::apply(&account, &compared).await.unwrap_err(), Error::Aws { .. }));
    assert!(account.names().is_empty());
}

#[tokio::test]
async fn a_selector_that_means_nothing_is_told_with_its_line() {
    let account = Memory::default();
    let error =
        compared(&account, "  - {tagged: {Holdfast: nobody}, environment: staging}\n").await.err().unwrap();
    assert_eq!(
        error.to_string(),
        "the plan is refused:\n  holdfast.yaml:5:5: tags Holdfast=nobody: no DB instance carries them all in us-east-1; \
         allowEmpty: true lets it pass"
    );
}

#[tokio::test]
async fn a_difference_reads_well() {
    let account = Memory::default();
    applied(&account, BOTH).await;
    let entries = format!(
        "{PROD}  - {{tagged: {{Holdfast: other-db}}, environment: development, schedules: {{daily: {{at: '01:30'}}}}}}\n"
    );
    let compared = compared(&account, &entries).await.unwrap();
    assert_eq!(
        diff::table(&compared, "holdfast", Paint::PLAIN),
        "Plan shop, schedule group holdfast
  tags Holdfast=other-db: other-db

  Schedules
    + development-other-db-daily  cron(30 1 * * ? *), within 15 min, copies to us-west-2
    ~ production-prod-db-daily
        expression: cron(10 0/4 * * ? *) → cron(10 0/6 * * ? *)
    - staging-other-db-daily  cron(30 0/12 * * ? *), within 15 min, copies to us-west-2

  Stored settings
    ~ other-db
        environment: staging → development
        retention.daily: 3 → (deployment)

Schedules: 1 to make, 1 to change, 1 to delete. Settings: of 2 databases.
"
    );
    let json = diff::json(&compared, "holdfast");
    assert_eq!(json["schedules"][1]["fields"][0]["is"], "cron(10 0/6 * * ? *)");
    assert_eq!(json["matches"][1]["databases"][0], "other-db");
    let new = self::compared(&Memory::default(), OTHER).await.unwrap();
    let text = diff::table(&new, "holdfast", Paint::PLAIN);
    let added = "    + other-db  development, standard: RTO 1 h, RPO 15 min; keeps what prune-backups was deployed to keep\n";
    assert!(text.contains(added) && text.contains("    + the plan's name: shop (new)\n"), "{text}");
}

#[test]
fn a_plan_shows_every_default_and_the_next_times() {
    let text = format!(
        "version: 1\nname: shop\ndefaults: {{targets: [us-west-2]}}\ndatabases:\n{PROD}  - {{tagged: {{a: b}}, environment: staging, allowEmpty: true}}\n"
    );
    let plan = read(&text, None, now()).unwrap();
    assert_eq!(
        show::table(&plan, now(), Paint::PLAIN),
        "Plan shop: 2 entries. Times are UTC.

prod-db  (production, standard)
  Objectives   RTO 1 h, RPO 15 min
  Backups      daily    every 6 h at 00:10: next Fri 2026-11-20 12:10, Fri 2026-11-20 18:10, Sat 2026-11-21 00:10
  Window       each begins within 15 min
  Copies       us-west-2 (alias/holdfast)
  Validation   restored to a db.t4g.medium and read as a whole
  Baseline     none: the source is not read
  Gives up     after 12 h
  Keeps        what prune-backups was deployed to keep

tags a=b  (staging, standard)
  Objectives   RTO 1 h, RPO 15 min
  Backups      daily    every 12 h, at a minute of each database's own
  Window       each begins within 15 min
  Copies       us-west-2 (alias/holdfast)
  Validation   restored to a db.t4g.medium and read as a whole
  Baseline     none: the source is not read
  Gives up     after 12 h
  Keeps        what prune-backups was deployed to keep
  Allowed      that there is no such database
"
    );
    let json = show::json(&plan, now());
    let daily = &json["databases"][0]["schedules"]["daily"];
    assert_eq!(
        (&daily["expression"], &daily["next"][0]),
        (&"cron(10 0/6 * * ? *)".into(), &"2026-11-20T12:10:00Z".into())
    );
    assert_eq!(json["databases"][0]["request"]["validation"]["instanceClasses"][0], "db.t4g.medium");
    assert!(json["databases"][1]["schedules"]["daily"]["expression"].is_null());
}

/// What is printed of a comparison.
fn shown(compared: &Compared) -> String {
    diff::table(compared, "holdfast", Paint::PLAIN)
}

#[tokio::test]
async fn what_a_change_means_for_the_backups_is_said_in_numbers() {
    let account = Memory::default();
    *account.deployed.borrow_mut() = Some(Policy { monthly: 12, ..Policy::default() });
    let with = |retention: &str| {
        format!(
            "  - {{tagged: {{Holdfast: prod-db}}, environment: production, allowEmpty: true, retention: {retention}}}\n"
        )
    };
    // GIVEN a database that comes into the plan with a number of its own, THEN it stands beside the deployed one
    let text = shown(&compared(&account, &with("{monthly: 60}")).await.unwrap());
    assert!(text.contains("        retention.monthly: 12 (deployment) → 60\n"), "{text}");
    let words = "7 daily (deployment), 4 weekly (deployment), 60 monthly, 7 yearly (deployment), at least 3 (deployment)";
    assert!(text.contains(&format!("keeps {words}\n")), "{text}");
    applied(&account, &with("{monthly: 60}")).await;
    // GIVEN a number that is taken out of the file
    let text = shown(&compared(&account, &with("{daily: 9}")).await.unwrap());
    assert!(text.contains("        retention.daily: 7 (deployment) → 9\n"), "{text}");
    assert!(text.contains("        retention.monthly: 60 → 12 (deployment)\n"), "{text}");
    // WHEN the instance is gone, THEN its rules stay, and that is said
    account.gone.borrow_mut().push("prod-db");
    let gone = compared(&account, &with("{monthly: 60}")).await.unwrap();
    let text = shown(&gone);
    let said = format!(
        "    - prod-db  is protected no more; its backups are kept by its own rules still: {words}\n"
    );
    assert!(text.contains(&said) && text.contains("until forget names them\n    prod-db  7 daily"), "{text}");
    assert!(!text.contains("→"), "{text}");
    assert_eq!(diff::json(&gone, "holdfast")["kept"]["prod-db"]["retention"]["monthly"], 60);
    applied(&account, &with("{monthly: 60}")).await;
    let still = compared(&account, &with("{monthly: 60}")).await.unwrap();
    assert!(still.changes.is_empty() && shown(&still).contains("    prod-db  7 daily (deployment)"));
    // WHEN it is to be forgotten, THEN the numbers that this means are said
    let forget = format!("{}forget: [prod-db]\n", with("{monthly: 60}"));
    let text = shown(&compared(&account, &forget).await.unwrap());
    let said = "    - prod-db  its own rules are dropped: its backups are kept by those of the deployment\n        \
                retention.monthly: 60 → 12 (deployment)\n";
    assert!(text.contains(said), "{text}");
    // AND where nobody knows what is deployed, no number is made up
    *account.deployed.borrow_mut() = None;
    let text = shown(&compared(&account, &forget).await.unwrap());
    assert!(text.contains("retention.monthly: 60 → (deployment)\n"), "{text}");
}

#[tokio::test]
async fn a_schedule_that_starts_something_else_is_neither_changed_nor_deleted() {
    let account = Memory::default();
    applied(&account, BOTH).await;
    // GIVEN schedules in the plan's group that start something else, one of them under a name of the plan's
    let mut somebodys = account.schedules.borrow()["production-prod-db-daily"].clone();
    somebodys.target_arn = "somebodys".to_owned();
    account.schedules.borrow_mut().insert("production-prod-db-daily".to_owned(), somebodys.clone());
    somebodys.name = "somebodys".to_owned();
    account.schedules.borrow_mut().insert("somebodys".to_owned(), somebodys);
    account.calls();
    // WHEN a plan is applied, THEN both are as they were, and what is in the way is named
    let compared = compared(&account, BOTH).await.unwrap();
    let text = shown(&compared);
    assert!(text.contains("! production-prod-db-daily  is in the way: it starts somebodys"), "{text}");
    assert!(
        text.contains("Left alone: they do not start the backup workflow\n    somebodys  somebodys\n"),
        "{text}"
    );
    let done = apply::apply(&account, &compared).await.unwrap();
    assert_eq!(account.calls(), ["store"]);
    assert_eq!(done.not_done.len(), 1, "{done:?}");
    assert!(done.not_done[0].contains("production-prod-db-daily not made"), "{done:?}");
}

#[tokio::test]
async fn who_applies_while_another_does_is_told_at_the_end() {
    let account = Memory::default();
    *account.interferes.borrow_mut() = true;
    let done = applied(&account, PROD).await;
    assert_eq!(done.not_done.len(), 1, "{done:?}");
    assert!(done.not_done[0].contains("somebody else has applied a plan meanwhile"), "{done:?}");
}

#[tokio::test]
async fn a_plan_takes_the_place_of_another_only_when_that_is_said() {
    let account = Memory::default();
    applied(&account, PROD).await;
    account.stored.borrow_mut().as_mut().unwrap().plan.name = "billing".to_owned();
    let compared = compared(&account, PROD).await.unwrap();
    assert!(shown(&compared).contains("apply this one in its place with --replace billing"));
    for said in [None, Some("shop"), Some("other")] {
        let error = compared.may_replace(said).unwrap_err();
        assert!(matches!(&error, Error::Usage(why) if why.contains("say --replace billing")), "{error}");
    }
    compared.may_replace(Some("billing")).unwrap();
    // Where there is no other, nothing need be said.
    let first = self::compared(&Memory::default(), PROD).await.unwrap();
    first.may_replace(None).unwrap();
}

#[test]
fn the_group_of_everybody_is_no_plans() {
    let at = |group: &str| super::Where {
        group: group.to_owned(),
        role_arn: String::new(),
        dead_letters_arn: String::new(),
        state_machine_arn: String::new(),
        bucket: String::new(),
        prune_function: None,
    };
    assert!(matches!(at("default").is_a_plans(), Err(Error::Usage(why)) if why.contains("everybody's")));
    at("holdfast").is_a_plans().unwrap();
}
