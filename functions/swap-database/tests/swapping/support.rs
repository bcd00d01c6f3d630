//! The world of these tests: a production database, what was restored beside it, and the state machine's loop.

use holdfast_core::Result;
use holdfast_core::ids::OperationId;
use holdfast_core::operation::{RecoveryPoint, RestorePlan, SwapPlan, SwapResult};
use holdfast_core::ports::{Dns as _, FoundRecord};
use holdfast_core::rds::Instance;
use holdfast_core::request::{RestoreOptions, RestoreRequest};
use holdfast_core::tags::Tags;
use holdfast_fakes::sample::{at, blueprint, home, instance, tags_of};
use holdfast_fakes::{FakeDns, FakeRds, FakeSecrets};
use serde_json::{Value, json};
use swap_database::{Ports, handle};

pub const ZONE: &str = "Z1PROD";
pub const RECORD: &str = "db.example.com";
pub const SECRET: &str = "arn:aws:secretsmanager:us-east-1:123456789012:secret:holdfast/app-AbCdEf";
pub const SAID: &str = r#"{"username":"app","password":"s3cret","host":"elsewhere","port":1}"#;

pub struct World {
    pub rds: FakeRds,
    pub dns: FakeDns,
    pub secrets: FakeSecrets,
    /// The part `swap` of the input.
    pub swap: Value,
    /// Seconds that have passed.
    pub now: i64,
    pub poll: u32,
    pub carry: Value,
    pub plan: Option<SwapPlan>,
    /// What the last poll said that it waits for.
    pub said: String,
}

impl World {
    /// `prod-db`, and what was restored beside it.
    pub fn with_both() -> Self {
        let world = World::with_new();
        world.rds.lay_instance(&home(), instance("prod-db"));
        world
    }

    /// Only what was restored.
    pub fn with_new() -> Self {
        let world = World {
            rds: FakeRds::default(),
            dns: FakeDns::default(),
            secrets: FakeSecrets::default(),
            swap: json!(true),
            now: 0,
            poll: 1,
            carry: json!({}),
            plan: None,
            said: String::new(),
        };
        let mut new = instance(world.beside().as_str());
        new.resource_id = "db-NEW".into();
        new.tags = tags_of(world.operation().as_str());
        world.rds.lay_instance(&home(), new);
        world.dns.lay(ZONE, RECORD, FoundRecord::Cname { ttl: 30, value: "elsewhere".into() });
        world.secrets.keep(SECRET, SAID);
        world
    }

    /// Record and secret are to be repointed as well.
    pub fn and_pointers(mut self) -> Self {
        self.swap = json!({"record": {"hostedZoneId": ZONE, "name": RECORD}, "secretArn": SECRET});
        self
    }

    pub fn request(&self) -> RestoreRequest {
        let input = json!({"databaseId": "prod-db", "runId": "back-1", "swap": self.swap});
        RestoreRequest::parse(&input, "unused", &home()).unwrap()
    }

    pub fn operation(&self) -> OperationId {
        let request = self.request();
        OperationId::of_restore(&home(), &request.database_id, &request.run_id)
    }

    /// The name under which the new one was restored.
    pub fn beside(&self) -> String {
        self.request().target_id.to_string()
    }

    /// The name that the old one gets.
    pub fn aside(&self) -> String {
        self.beside().replace("-new-", "-old-")
    }

    pub fn restore_plan(&self) -> RestorePlan {
        RestorePlan {
            region: home(),
            recovery_point: RecoveryPoint::PointInTime {
                resource_id: "db-PROD-DB".into(),
                time: None,
                latest: at(0),
            },
            newer: None,
            further: None,
            name_taken: None,
            lost: None,
            target_id: self.request().target_id,
            wanted: blueprint(&instance("prod-db")).wanted(&RestoreOptions::default(), &Tags::new()),
            blueprint_of: "the source".into(),
            references: vec![],
            login: None,
            unproven: None,
            swap: self.plan.clone(),
        }
    }

    pub async fn ask(&self, payload: Value) -> Result<Value> {
        let now = at(self.now);
        let clock = move || now;
        let ports = Ports { rds: &self.rds, dns: &self.dns, secrets: &self.secrets, clock: &clock };
        let answer = handle(&ports, serde_json::from_value(payload).unwrap()).await?;
        Ok(serde_json::to_value(answer).unwrap())
    }

    /// What is there before.
    pub async fn plan(&mut self) -> Result<SwapPlan> {
        let payload = json!({"action": "plan", "operationId": self.operation(), "request": self.request()});
        let answer = self.ask(payload).await?;
        let plan: SwapPlan = serde_json::from_value(answer["swap"].clone()).unwrap();
        self.plan = Some(plan.clone());
        Ok(plan)
    }

    /// One poll of `action`; the answer when it is final. A minute passes.
    pub async fn poll(&mut self, action: &str) -> Result<Option<SwapResult>> {
        let payload = json!({
            "action": action, "operationId": self.operation(), "request": self.request(),
            "plan": self.restore_plan(), "poll": self.poll, "carry": self.carry,
        });
        let answer = self.ask(payload).await?;
        self.poll += 1;
        self.now += 60;
        self.carry = answer.get("carry").cloned().unwrap_or_else(|| json!({}));
        self.said = answer["progress"]["message"].as_str().unwrap_or_default().to_owned();
        let ended = answer["status"] == "FINAL";
        Ok(ended.then(|| serde_json::from_value(answer["swap"].clone()).unwrap()))
    }

    /// Polls of `action` until it is final.
    pub async fn all(&mut self, action: &str) -> Result<SwapResult> {
        (self.poll, self.carry) = (1, json!({}));
        for _ in 0..100 {
            if let Some(result) = self.poll(action).await? {
                return Ok(result);
            }
        }
        panic!("a hundred polls and no end of {action}");
    }

    /// The same, retrying what says that a retry can help, as the state machine does.
    pub async fn all_retried(&mut self, action: &str) -> SwapResult {
        (self.poll, self.carry) = (1, json!({}));
        for _ in 0..100 {
            match self.poll(action).await {
                Ok(Some(result)) => return result,
                Ok(None) => {}
                Err(error) if error.kind.retryable() => {}
                Err(error) => panic!("{action}: {error}"),
            }
        }
        panic!("a hundred polls and no end of {action}");
    }

    /// Changes an instance as somebody else would.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut Instance)) {
        let mut instance = self.rds.instance_now(&home(), name).unwrap();
        change(&mut instance);
        self.rds.lay_instance(&home(), instance);
    }

    /// Points the record as somebody else would.
    pub fn point(&self, value: &str) {
        self.dns.lay(ZONE, RECORD, FoundRecord::Cname { ttl: 5, value: value.into() });
    }

    /// The seconds for which clients keep the record.
    pub async fn ttl(&self) -> Option<i64> {
        match self.dns.record(ZONE, RECORD).await.unwrap() {
            FoundRecord::Cname { ttl, .. } => Some(ttl),
            FoundRecord::Other(_) | FoundRecord::Missing | FoundRecord::NoZone => None,
        }
    }

    /// What the record says.
    pub async fn says(&self) -> Option<String> {
        match self.dns.record(ZONE, RECORD).await.unwrap() {
            FoundRecord::Cname { value, .. } => Some(value),
            FoundRecord::Other(_) | FoundRecord::Missing | FoundRecord::NoZone => None,
        }
    }

    /// Who has a name: the resource id.
    pub fn who(&self, name: &str) -> Option<String> {
        self.rds.instance_now(&home(), name).map(|instance| instance.resource_id)
    }

    /// The resource ids at the database's name, aside, beside.
    pub fn places(&self) -> [Option<String>; 3] {
        [self.who("prod-db"), self.who(&self.aside()), self.who(&self.beside())]
    }

    pub fn cname(&self) -> Option<String> {
        self.dns.changes().last().cloned()
    }
}

/// What [`World::places`] says after a swap, and before it.
pub const SWAPPED: [Option<&str>; 3] = [Some("db-NEW"), Some("db-PROD-DB"), None];
pub const AS_BEFORE: [Option<&str>; 3] = [Some("db-PROD-DB"), None, Some("db-NEW")];

pub fn of(places: &[Option<String>; 3]) -> [Option<&str>; 3] {
    [places[0].as_deref(), places[1].as_deref(), places[2].as_deref()]
}
