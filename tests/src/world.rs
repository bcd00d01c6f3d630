//! A database of the test's own, what is done with it, and (`looks`) what became of it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_sdk_rds::types::{DbInstance, DbSnapshot};
use aws_sdk_sfn::types::ExecutionStatus;
use holdfast_core::ids::{DatabaseId, OperationId, Region, RunId};
use holdfast_testkit::clients::{Clients, HOME_REGION, config};
use holdfast_testkit::{Settings, Stack, http, seed};
use serde_json::{Value, json};

use crate::files::project;

mod looks;

/// Longest time an execution may take in a test; the slowest takes a third of it.
const PATIENCE: Duration = Duration::from_secs(150);

/// Password of the tests' databases: unlike any other text, so that it can be searched for.
const PASSWORD: &str = "Source-secret-51c0e7";

/// Password of the users that read the sources for their baselines.
const READER_PASSWORD: &str = "Reader-secret-9d3b42";

/// How an execution ended.
#[derive(Debug)]
pub struct Ended {
    /// SUCCEEDED or FAILED.
    pub status: ExecutionStatus,
    /// Its output, when it succeeded.
    pub output: Value,
    /// Its error, when it failed.
    pub error: String,
    /// Its cause, when it failed.
    pub cause: String,
}

/// One test's database on the shared stack.
pub struct World {
    stack: Stack,
    /// Clients in the home Region.
    pub home: Clients,
    /// The database's identifier.
    pub database: String,
    machine: String,
    table: String,
    bucket: String,
}

fn setting(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: whole-stack tests run by `make test`"))
}

/// Waits for `look` to give something; panics with `what` after `patience`.
pub async fn until<T>(what: &str, patience: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {patience:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn start(clients: &Clients, machine: &str, input: &Value) -> String {
    let start = clients.sfn.start_execution().state_machine_arn(machine).input(input.to_string());
    start.send().await.expect("an execution").execution_arn().to_owned()
}

async fn ended(clients: &Clients, execution: &str) -> Ended {
    until(execution, PATIENCE, async || {
        let answer =
            clients.sfn.describe_execution().execution_arn(execution).send().await.expect("the execution");
        (*answer.status() != ExecutionStatus::Running).then(|| Ended {
            status: answer.status().clone(),
            output: serde_json::from_str(answer.output().unwrap_or("null")).expect("JSON"),
            error: answer.error().unwrap_or_default().to_owned(),
            cause: answer.cause().unwrap_or_default().to_owned(),
        })
    })
    .await
}

impl World {
    /// The stack, and a name for a database nobody else uses.
    pub async fn without_database(name: &str) -> World {
        let endpoint = setting("AWS_ENDPOINT_URL");
        let port = endpoint.rsplit(':').next().and_then(|port| port.parse().ok());
        let dir = PathBuf::from(setting("HOLDFAST_STACK_DIR"));
        let settings = Settings {
            name: dir.file_name().expect("a name").to_string_lossy().into_owned(),
            port_base: port.expect("a port in AWS_ENDPOINT_URL"),
            wait_scale: String::new(),
        };
        let stack = Stack::attach(&settings).await.expect("the stack answers");
        let home = stack.clients(HOME_REGION);
        World {
            stack,
            home,
            database: format!("t-{name}"),
            machine: setting("HOLDFAST_BACKUP_STATE_MACHINE_ARN"),
            table: setting("DR_STATE_TABLE_NAME"),
            bucket: setting("DR_METADATA_BUCKET"),
        }
    }

    /// The stack with an encrypted database of a few thousand rows.
    pub async fn new(name: &str) -> World {
        let world = World::without_database(name).await;
        world.create_instance(&world.database, None).await;
        world.sql(include_str!("../data/shop.sql")).await;
        world
    }

    /// Makes an instance with the tests' password and waits until it is available.
    pub async fn create_instance(&self, id: &str, parameter_group: Option<&str>) {
        let key = self.home.kms.create_key().send().await.expect("a key");
        let key = key.key_metadata().expect("its metadata").key_id().to_owned();
        self.home
            .rds
            .create_db_instance()
            .db_instance_identifier(id)
            .db_instance_class("db.t4g.medium")
            .engine("postgres")
            .allocated_storage(20)
            .master_username(seed::MASTER_USER)
            .master_user_password(PASSWORD)
            .db_name("shop")
            .storage_encrypted(true)
            .kms_key_id(key)
            .set_db_parameter_group_name(parameter_group.map(str::to_owned))
            .send()
            .await
            .expect("a database");
        until("the database to be available", PATIENCE, async || {
            let instance = self.instance(id).await?;
            (instance.db_instance_status() == Some("available")).then_some(())
        })
        .await;
    }

    /// Runs statements in the source's database.
    pub async fn sql(&self, statements: &str) {
        self.sql_on(&self.database, statements).await;
    }

    /// Runs statements in an instance's database `shop`, as the master user.
    pub async fn sql_on(&self, instance: &str, statements: &str) {
        self.connect(instance).await.batch_execute(statements).await.expect("the statements run");
    }

    /// What a query of one whole number answers.
    pub async fn number(&self, instance: &str, query: &str) -> i64 {
        self.connect(instance).await.query_one(query, &[]).await.expect("an answer").get(0)
    }

    /// What a query of one text answers.
    pub async fn text_of(&self, instance: &str, query: &str) -> String {
        self.connect(instance).await.query_one(query, &[]).await.expect("an answer").get(0)
    }

    /// What a client that has known an instance since before is answered now; `None` when nobody lets it in.
    pub async fn answer(&self, known: &DbInstance, query: &str) -> Option<i64> {
        let client = seed::connect(&self.stack, known, "shop", PASSWORD).await.ok()?;
        client.query_one(query, &[]).await.ok()?.try_get(0).ok()
    }

    /// A client of Route 53, as the account's root.
    pub fn route53(&self) -> aws_sdk_route53::Client {
        aws_sdk_route53::Client::new(&config(&self.stack.settings.cloud_endpoint(), HOME_REGION))
    }

    /// Starts a restore; the execution.
    pub async fn start_restore(&self, input: &Value) -> String {
        start(&self.home, &setting("HOLDFAST_RESTORE_STATE_MACHINE_ARN"), input).await
    }

    async fn connect(&self, instance: &str) -> tokio_postgres::Client {
        let instance = self.instance(instance).await.expect("the database");
        seed::connect(&self.stack, &instance, "shop", PASSWORD).await.expect("a connection")
    }

    /// How another server would log in to an instance as its master user.
    pub async fn connection_string(&self, instance: &str) -> String {
        let instance = self.instance(instance).await.expect("the database");
        let endpoint = instance.endpoint().expect("an endpoint");
        let (host, port) = (endpoint.address().expect("a host"), endpoint.port().expect("a port"));
        format!("host={host} port={port} user={} dbname=shop password='{PASSWORD}'", seed::MASTER_USER)
    }

    /// Runs a statement as what RDS itself would be: a superuser.
    pub async fn sql_as_admin(&self, instance: &str, sql: &str) {
        let order = json!({"region": HOME_REGION, "instance": instance, "database": "shop", "sql": sql});
        http::post(self.stack.settings.rds_port(), "/_local/sql", &order.to_string())
            .await
            .expect("the statement runs");
    }

    /// Makes the user that reads the source for its baseline; the answer is the ARN of its secret. With `right` false the
    /// secret is not the one that the database knows.
    pub async fn reader(&self, right: bool) -> String {
        let there = format!("Another-{READER_PASSWORD}");
        let there = if right { READER_PASSWORD } else { &there };
        self.sql(&format!(
            "create role {0} login password '{there}'; grant pg_read_all_data, pg_monitor to {0}",
            seed::READER
        ))
        .await;
        let name = format!("holdfast/{}", self.database);
        seed::keep_secret(&self.home, &name, seed::READER, READER_PASSWORD).await.expect("a secret")
    }

    /// The clients of another Region.
    pub fn region(&self, region: &str) -> Clients {
        self.stack.clients(region)
    }

    /// The function that the template calls `logical_id`, invoked as the account's root.
    pub async fn invoke(&self, logical_id: &str, payload: &Value) -> Value {
        let function = self.resource(logical_id).await;
        let lambda = aws_sdk_lambda::Client::new(&config(&self.stack.settings.cloud_endpoint(), HOME_REGION));
        let answer = lambda
            .invoke()
            .function_name(function)
            .payload(aws_sdk_lambda::primitives::Blob::new(payload.to_string()))
            .send()
            .await
            .expect("the function answers");
        assert_eq!(answer.function_error(), None, "{:?}", answer.payload());
        serde_json::from_slice(answer.payload().expect("a payload").as_ref()).expect("JSON")
    }

    /// The physical id of a resource of the stack's template.
    pub async fn resource(&self, logical_id: &str) -> String {
        let answer = self
            .home
            .cloudformation
            .describe_stack_resource()
            .stack_name("holdfast")
            .logical_resource_id(logical_id)
            .send()
            .await
            .expect("the resource");
        answer
            .stack_resource_detail()
            .and_then(|detail| detail.physical_resource_id())
            .expect("an id")
            .to_owned()
    }

    /// Orders a fault for this test's resources only; its number.
    pub async fn fault(&self, mut fault: Value) -> u64 {
        let resource = fault["resource"]
            .as_str()
            .map_or_else(|| format!("*{}-*", self.database), |suffix| format!("{suffix}{}*", self.database));
        fault["resource"] = json!(resource);
        let answer = http::post(self.stack.settings.rds_port(), "/_local/faults", &fault.to_string()).await;
        let ordered: Value = serde_json::from_str(&answer.expect("a fault").body).expect("JSON");
        ordered["id"].as_u64().expect("a number")
    }

    /// Takes a fault back.
    pub async fn heal(&self, fault: u64) {
        let path = format!("/_local/faults/{fault}");
        http::delete(self.stack.settings.rds_port(), &path).await.expect("it was ordered");
    }

    /// Changes how the local RDS behaves, for every test: name only what no other test looks at.
    pub async fn tune(&self, change: Value) {
        http::put(self.stack.settings.rds_port(), "/_local/tuning", &change.to_string())
            .await
            .expect("another tuning");
    }

    /// IAM, as the root of the account.
    pub fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&config(&self.stack.settings.cloud_endpoint(), HOME_REGION))
    }

    /// Schedules of the home Region.
    pub fn scheduler(&self) -> aws_sdk_scheduler::Client {
        aws_sdk_scheduler::Client::new(&config(&self.stack.settings.cloud_endpoint(), HOME_REGION))
    }

    /// Calls to the RDS API about this test's resources: action, error code.
    pub async fn calls(&self) -> Vec<(String, Option<String>)> {
        let path = format!("/_local/calls?resource=*{}*", self.database);
        let answer = http::get(self.stack.settings.rds_port(), &path).await.expect("the journal");
        let journal: Value = serde_json::from_str(&answer.body).expect("JSON");
        journal["recent"]
            .as_array()
            .expect("recent calls")
            .iter()
            .map(|call| {
                (
                    call["action"].as_str().unwrap_or_default().to_owned(),
                    call["error"].as_str().map(str::to_owned),
                )
            })
            .collect()
    }

    /// Calls of `action` that had their effect.
    pub async fn effects(&self, action: &str) -> usize {
        self.calls().await.iter().filter(|(name, error)| name == action && error.is_none()).count()
    }

    /// The usual input: this database, run `run`, copies to both target Regions.
    pub fn input(&self, run: &str) -> Value {
        json!({
            "databaseId": self.database,
            "runId": run,
            "targetRegions": [{"region": "us-west-2", "kmsKeyId": "alias/holdfast"},
                              {"region": "eu-west-1", "kmsKeyId": "alias/holdfast"}],
            "tags": {"Environment": "test"},
            "validation": {"assertions": [
                {"name": "orders have lines", "database": "shop", "expect": "zero rows",
                 "sql": "select id from public.orders o where not exists \
                         (select 1 from public.order_lines l where l.order_id = o.id)"}]},
            "deadlineMinutes": 10
        })
    }

    /// The operation that a run of this database is.
    pub fn operation(&self, run: &str) -> OperationId {
        OperationId::derive(
            &Region::parse(HOME_REGION).expect("a Region"),
            &DatabaseId::parse(&self.database).expect("a database id"),
            &RunId::parse(run).expect("a run id"),
        )
    }

    /// Starts an execution.
    pub async fn start(&self, input: &Value) -> String {
        start(&self.home, &self.machine, input).await
    }

    /// Waits for the end of an execution.
    pub async fn ended(&self, execution: &str) -> Ended {
        ended(&self.home, execution).await
    }

    /// Starts an execution and waits for its end.
    pub async fn run(&self, input: &Value) -> Ended {
        let execution = self.start(input).await;
        self.ended(&execution).await
    }

    /// Has a database brought back.
    pub async fn restore(&self, input: &Value) -> Ended {
        let execution = start(&self.home, &setting("HOLDFAST_RESTORE_STATE_MACHINE_ARN"), input).await;
        ended(&self.home, &execution).await
    }

    /// Has a backup validated by itself, in `region`.
    pub async fn validate(&self, region: &str, input: &Value) -> Ended {
        let clients = self.region(region);
        let machine = match region {
            HOME_REGION => setting("HOLDFAST_VALIDATION_STATE_MACHINE_ARN"),
            _ => self.stack.region(region).await.expect("a target Region").validation_state_machine_arn,
        };
        let execution = start(&clients, &machine, input).await;
        ended(&clients, &execution).await
    }

    /// Waits for the end of an execution in another Region.
    pub async fn ended_in(&self, region: &str, execution: &str) -> Ended {
        ended(&self.region(region), execution).await
    }

    /// Damages a snapshot that is available.
    pub async fn damage(&self, region: &str, snapshot: &str, mut order: Value) {
        order["region"] = json!(region);
        order["snapshot"] = json!(snapshot);
        http::post(self.stack.settings.rds_port(), "/_local/damage", &order.to_string())
            .await
            .expect("a damage");
    }
}

/// Runs a script with the project's own Python, which has boto3, against the stack; what it printed.
pub async fn python(script: &str, arguments: &[&str]) -> String {
    let output = tokio::process::Command::new(project(".venv/bin/python"))
        .arg(project(script))
        .args(arguments)
        .output()
        .await
        .expect("python of the project's environment");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs the `holdfast` command as a person would, against the stack; its exit code, what it printed, what it complained of.
pub async fn holdfast(arguments: &[&str]) -> (i32, String, String) {
    holdfast_without(&[], arguments).await
}

/// The same where nobody has set these variables.
pub async fn holdfast_without(variables: &[String], arguments: &[&str]) -> (i32, String, String) {
    let mut command =
        tokio::process::Command::new(holdfast_testkit::project::binary("holdfast").expect("it is built"));
    for variable in variables {
        command.env_remove(variable);
    }
    let output = command
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .expect("the holdfast command");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
}

/// A tag of a snapshot.
pub fn tag<'a>(snapshot: &'a DbSnapshot, key: &str) -> Option<&'a str> {
    snapshot.tag_list().iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value())
}
