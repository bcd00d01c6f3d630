//! Comparing and applying, against an account in memory.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::protection::ProtectionPlan;
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
        Ok(vec![found("prod-db"), found("other-db")])
    }

    async fn schedules(&self) -> Result<BTreeMap<String, Schedule>, Error> {
        Ok(self.schedules.borrow().clone())
    }

    async fn stored(&self) -> Result<Option<Stored>, Error> {
        Ok(self.stored.borrow().clone())
    }

    async fn store(&self, plan: &ProtectionPlan, before: Option<&Stored>) -> Result<Written, Error> {
        self.called("store")?;
        if self.stored.borrow().as_ref().map(|stored| &stored.etag) != before.map(|before| &before.etag) {
            return Ok(Written::Changed);
        }
        *self.version.borrow_mut() += 1;
        *self.stored.borrow_mut() =
            Some(Stored { plan: plan.clone(), etag: self.version.borrow().to_string() });
        Ok(Written::Done)
    }

    async fn create(&self, schedule: &Schedule) -> Result<(), Error> {
        self.called(&format!("create {}", schedule.name))?;
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
        retention.daily: 3 → nothing
        retention.inspectionDays: 7 → nothing
        retention.minimum: 3 → nothing
        retention.monthly: 12 → nothing
        retention.weekly: 4 → nothing
        retention.yearly: 7 → nothing

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
