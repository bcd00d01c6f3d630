//! A service that is down: how often it is asked, by how many executions, and what happens when it comes back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_dynamodb::Client as DynamoDb;
use aws_smithy_http_client::test_util::NeverClient;
use aws_smithy_mocks::{Rule, mock};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use holdfast_aws::circuits::Circuits;
use holdfast_aws::config::Aws;
use holdfast_aws::dynamodb::{BreakerTable, StateTable};
use holdfast_aws::kms::Kms;
use holdfast_aws::rds::RdsApi;
use holdfast_core::breaker::{Breaker, Settings, State, failed};
use holdfast_core::ports::{Breakers, Keys, Rds, Store};
use holdfast_core::{Error, ErrorKind, Result};
use holdfast_fakes::sample::{home, operation};
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, sleep};

use crate::support::{json_error, mocked, response, rules, sdk_config, west, xml_error};

const KEY: &str = "rds/us-east-1/DescribeDBInstances";

thread_local! {
    static START: RefCell<Option<Instant>> = const { RefCell::new(None) };
}

/// The time of the test's own clock, which stands still until everybody waits.
fn clock() -> Timestamp {
    let now = Instant::now();
    let start = START.with(|start| *start.borrow_mut().get_or_insert(now));
    let passed = SignedDuration::try_from(now.duration_since(start)).unwrap();
    Timestamp::from_second(1_800_000_000).unwrap() + passed
}

/// What all executions share; down when told so.
#[derive(Debug, Default)]
struct Table {
    breakers: Mutex<BTreeMap<String, Breaker>>,
    down: AtomicBool,
    asked: AtomicUsize,
}

impl Table {
    fn states(&self) -> BTreeMap<String, State> {
        self.breakers.lock().unwrap().iter().map(|(key, breaker)| (key.clone(), breaker.state)).collect()
    }

    fn answers(&self) -> Result<()> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        match self.down.load(Ordering::Relaxed) {
            true => Err(Error::new(ErrorKind::ServiceUnavailable, "down")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Breakers for Table {
    async fn all(&self) -> Result<BTreeMap<String, Breaker>> {
        self.answers()?;
        Ok(self.breakers.lock().unwrap().clone())
    }

    async fn replace(&self, key: &str, seen: Option<u64>, next: Option<&Breaker>) -> Result<bool> {
        self.answers()?;
        let mut breakers = self.breakers.lock().unwrap();
        if breakers.get(key).map(|breaker| breaker.version) != seen {
            return Ok(false);
        }
        match next {
            Some(next) => breakers.insert(key.to_owned(), next.clone()),
            None => breakers.remove(key),
        };
        Ok(true)
    }
}

/// A service that takes a second and answers as it is told.
#[derive(Debug, Clone)]
struct Service {
    answer: Arc<Mutex<fn() -> HttpResponse>>,
    calls: Arc<AtomicUsize>,
    at_once: Arc<(AtomicUsize, AtomicUsize)>,
}

impl Service {
    fn answering(answer: fn() -> HttpResponse) -> Self {
        Service { answer: Arc::new(Mutex::new(answer)), calls: Arc::default(), at_once: Arc::default() }
    }

    fn turn(&self, answer: fn() -> HttpResponse) {
        *self.answer.lock().unwrap() = answer;
    }

    /// Calls since it was last asked.
    fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::Relaxed)
    }

    fn client(&self) -> SharedHttpClient {
        let service = self.clone();
        http_client_fn(move |_, _| SharedHttpConnector::new(service.clone()))
    }

    /// One execution's environment, with the breakers that all share.
    fn execution(&self, table: &Arc<Table>) -> Aws {
        let circuits = Circuits::new(Some(table.clone()), Settings::default(), clock);
        Aws::guarded(sdk_config(self.client()), home(), circuits)
    }
}

impl HttpConnector for Service {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        assert!(request.headers().get("x-holdfast-circuit").is_none(), "a header of ours was sent to AWS");
        self.calls.fetch_add(1, Ordering::Relaxed);
        let now = self.at_once.0.fetch_add(1, Ordering::Relaxed) + 1;
        self.at_once.1.fetch_max(now, Ordering::Relaxed);
        let service = self.clone();
        HttpConnectorFuture::new(async move {
            sleep(Duration::from_secs(1)).await;
            service.at_once.0.fetch_sub(1, Ordering::Relaxed);
            let answer = *service.answer.lock().unwrap();
            Ok(answer())
        })
    }
}

fn unavailable() -> HttpResponse {
    xml_error(503, "ServiceUnavailable", "down")
}

fn throttling() -> HttpResponse {
    xml_error(400, "Throttling", "Rate exceeded")
}

fn denied() -> HttpResponse {
    xml_error(403, "AccessDenied", "no")
}

fn not_found() -> HttpResponse {
    xml_error(404, "DBInstanceNotFound", "no such instance")
}

async fn look(aws: &Aws) -> Result<()> {
    ask(&RdsApi::new(aws), aws).await
}

/// One invocation that makes one call.
async fn ask(rds: &RdsApi, aws: &Aws) -> Result<()> {
    let answer = rds.instance(&home(), "prod-db").await.map(drop);
    aws.guard().end().await;
    answer
}

/// Twenty executions that ask every ten seconds for this long; how they fared, in the order of their answers.
async fn twenty_ask(service: &Service, table: &Arc<Table>, seconds: u64) -> Vec<Result<()>> {
    let until = Instant::now() + Duration::from_secs(seconds);
    let answers = Arc::new(Mutex::new(Vec::new()));
    let all = (0..20).map(|number| {
        let (aws, answers) = (service.execution(table), answers.clone());
        async move {
            let rds = RdsApi::new(&aws);
            sleep(Duration::from_millis(number * 500)).await;
            while Instant::now() < until {
                let answer = ask(&rds, &aws).await;
                answers.lock().unwrap().push(answer);
                sleep(Duration::from_secs(10)).await;
            }
        }
    });
    futures::future::join_all(all).await;
    let answers = answers.lock().unwrap();
    answers.clone()
}

#[tokio::test(start_paused = true)]
async fn a_total_outage_is_asked_a_few_times_by_all_together_and_its_end_is_noticed() {
    // GIVEN a service that is down, and twenty executions that ask for ten minutes
    let (service, table) = (Service::answering(unavailable), Arc::new(Table::default()));
    let answers = twenty_ask(&service, &table, 600).await;
    // THEN five failures open the breaker, and there is a try at 30, 90, 210 and 450 s. The others that began in the first five
    // seconds go by what they read then: nine at most, with what is left of their three attempts.
    let calls = service.calls();
    assert!((9..=30).contains(&calls), "{calls} calls for {} questions", answers.len());
    assert!(answers.len() > 1000, "{}", answers.len());
    assert_eq!(table.states(), BTreeMap::from([(KEY.to_owned(), State::Open)]));
    let open: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!(open.len(), answers.len(), "nobody was told that all is well");
    let refused = open.iter().filter(|error| error.kind == ErrorKind::CircuitOpen).count();
    assert!(refused + calls >= answers.len(), "{refused} of {}", answers.len());
    let last = open.last().unwrap();
    assert!(last.message.contains(KEY) && last.message.contains("HTTP 503"), "{last}");

    // WHEN it is well again
    service.turn(not_found);
    service.at_once.1.store(0, Ordering::Relaxed);
    let waits = table.breakers.lock().unwrap()[KEY].until.unwrap().duration_since(clock()).as_secs();
    let answers = twenty_ask(&service, &table, u64::try_from(waits).unwrap() - 5).await;
    assert_eq!(
        (service.calls(), answers.iter().filter(|answer| answer.is_ok()).count()),
        (0, 0),
        "too early"
    );
    sleep(Duration::from_secs(5)).await;
    // THEN one tries, and everybody goes on within the seconds for which the others' knowledge may be old.
    let first = twenty_ask(&service, &table, 1).await;
    assert_eq!(service.at_once.1.load(Ordering::Relaxed), 1, "more than one tried");
    assert_eq!(service.calls(), first.iter().filter(|answer| answer.is_ok()).count());
    assert_eq!(table.states(), BTreeMap::new(), "nothing is held against it");
    let answers = twenty_ask(&service, &table, 60).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_is_one_call() {
    // GIVEN a breaker that was opened
    let (service, table) = (Service::answering(unavailable), Arc::new(Table::default()));
    let aws = service.execution(&table);
    for _ in 0..2 {
        look(&aws).await.unwrap_err();
    }
    assert_eq!(service.calls(), 5);
    // WHEN its time is over, THEN one call is made, of which the SDK would make three
    sleep(Duration::from_secs(31)).await;
    assert_eq!(look(&aws).await.unwrap_err().kind, ErrorKind::CircuitOpen);
    assert_eq!(service.calls(), 1);
    let breaker = table.breakers.lock().unwrap()[KEY].clone();
    assert_eq!((breaker.state, breaker.opened, breaker.failures), (State::Open, 2, 6));
}

#[tokio::test(start_paused = true)]
async fn one_service_region_and_action_says_nothing_of_another() {
    let (service, table) = (Service::answering(unavailable), Arc::new(Table::default()));
    let aws = service.execution(&table);
    let rds = RdsApi::new(&aws);
    for _ in 0..3 {
        rds.instance(&home(), "prod-db").await.unwrap_err();
    }
    service.calls();
    service.turn(not_found);
    assert_eq!(rds.instance(&home(), "prod-db").await.unwrap_err().kind, ErrorKind::CircuitOpen);
    assert_eq!(rds.instance(&west(), "prod-db").await, Ok(None), "another Region");
    service.turn(|| xml_error(404, "DBSnapshotNotFound", "no"));
    assert_eq!(rds.snapshot(&home(), "s").await, Ok(None), "another action");
    assert_eq!(service.calls(), 2);
    assert_eq!(aws.calls().take(), 5 + 2, "what is not sent is not counted");
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_an_answer_even_when_it_is_no() {
    // Throttled, refused or not found: the service is well, and the breaker of each stays closed.
    let slower = || xml_error(503, "RequestLimitExceeded", "Request limit exceeded");
    for answer in
        [throttling as fn() -> HttpResponse, slower, denied, not_found, || response(200, "<nonsense")]
    {
        let (service, table) = (Service::answering(answer), Arc::new(Table::default()));
        let aws = service.execution(&table);
        for _ in 0..10 {
            assert_ne!(look(&aws).await.map_err(|error| error.kind), Err(ErrorKind::CircuitOpen));
        }
        assert_eq!(table.states(), BTreeMap::new());
    }
    // One success in between, and it is no row of failures.
    let (service, table) = (Service::answering(unavailable), Arc::new(Table::default()));
    let aws = service.execution(&table);
    for _ in 0..5 {
        service.turn(unavailable);
        look(&aws).await.unwrap_err();
        service.turn(not_found);
        look(&aws).await.unwrap();
    }
    assert_eq!(table.states(), BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn the_table_that_breakers_are_kept_in_has_none() {
    // GIVEN a DynamoDB that is down, WHEN a record is asked for, again and again
    let (service, table) =
        (Service::answering(|| json_error(500, "InternalServerError", "m")), Arc::default());
    let aws = service.execution(&table);
    let records = StateTable::new(&aws, "states".into());
    // THEN each time it is asked, and says so itself
    for _ in 0..10 {
        let error = records.get(&operation()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "{error}");
    }
    assert!(service.calls() >= 10);
    assert_eq!(table.states(), BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn silence_opens_it_too() {
    let table = Arc::new(Table::default());
    let circuits = Circuits::new(Some(table.clone()), Settings::default(), clock);
    let aws = Aws::guarded(sdk_config(SharedHttpClient::new(NeverClient::new())), home(), circuits);
    for _ in 0..2 {
        look(&aws).await.unwrap_err();
    }
    assert_eq!(look(&aws).await.unwrap_err().kind, ErrorKind::CircuitOpen);
    assert_eq!(table.states(), BTreeMap::from([(KEY.to_owned(), State::Open)]));
    let said = table.breakers.lock().unwrap()[KEY].error.clone();
    assert_eq!(said, "no answer within the time limit");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_down_keeps_nobody_from_working() {
    let (service, table) = (Service::answering(not_found), Arc::new(Table::default()));
    table.down.store(true, Ordering::Relaxed);
    let aws = service.execution(&table);
    for _ in 0..10 {
        look(&aws).await.unwrap();
    }
    assert_eq!(table.asked.load(Ordering::Relaxed), 1, "it is left alone for a while");
    // A process still goes by what it sees itself.
    service.turn(unavailable);
    service.calls();
    for _ in 0..5 {
        look(&aws).await.unwrap_err();
    }
    assert_eq!(service.calls(), 5);
    // And by what the others saw, once the table is back.
    table.down.store(false, Ordering::Relaxed);
    service.turn(not_found);
    sleep(Duration::from_secs(61)).await;
    look(&aws).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn retries_of_all_clients_come_from_one_budget() {
    // GIVEN services that are down, and a process without breakers
    let service = Service::answering(unavailable);
    let aws = Aws::with_config(sdk_config(service.client()), home());
    let (rds, kms) = (RdsApi::new(&aws), Kms::new(&aws, None));
    // WHEN they are asked a hundred times, in two Regions
    for _ in 0..25 {
        rds.instance(&home(), "prod-db").await.unwrap_err();
        rds.instance(&west(), "prod-db").await.unwrap_err();
        kms.key(&home(), "alias/holdfast").await.unwrap_err();
        kms.key(&west(), "alias/holdfast").await.unwrap_err();
    }
    // THEN there are ten retries for all of them together: the bucket fills by the clock of the machine, not the test's
    let calls = service.calls();
    assert!((110..=112).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn no_call_outlives_the_invocation() {
    for (left, longest) in [(Duration::from_secs(5), 5), (Duration::from_secs(900), 31)] {
        // GIVEN an invocation that has this long, and a service that never answers
        let aws = Aws::with_config(sdk_config(SharedHttpClient::new(NeverClient::new())), home());
        aws.guard().begin(SystemTime::now() + left);
        // WHEN it is called, THEN the call ends in time, with its name
        let begun = Instant::now();
        let error = look(&aws).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::OutcomeUnknown, "{error}");
        assert!(begun.elapsed() <= Duration::from_secs(longest), "{:?} of {left:?}", begun.elapsed());
    }
    // A runtime that gives no time is not taken at its word.
    let service = Service::answering(not_found);
    let aws = Aws::with_config(sdk_config(service.client()), home());
    aws.guard().begin(SystemTime::UNIX_EPOCH);
    look(&aws).await.unwrap();
}

fn table(answers: &[&Rule]) -> BreakerTable {
    let config = aws_sdk_dynamodb::config::Builder::from(&mocked()).interceptor(rules(answers)).build();
    BreakerTable::with_client(DynamoDb::from_conf(config), "states".into())
}

fn breaker() -> Breaker {
    failed(None, &Settings::default(), clock(), "HTTP 503")
}

#[tokio::test(start_paused = true)]
async fn an_entry_is_changed_only_as_it_was_seen() {
    // GIVEN a table in which another was faster
    let changed = |condition: &'static str| {
        mock!(DynamoDb::update_item)
            .match_requests(move |asked| {
                asked.key().unwrap()["operationId"].as_s().unwrap() == "breakers"
                    && asked.condition_expression() == Some(condition)
            })
            .then_http_response(|| json_error(400, "ConditionalCheckFailedException", "no"))
    };
    // WHEN one changes what it saw, or makes what it did not see, THEN it hears so
    let rule = changed("entries.#key.version = :seen");
    assert_eq!(table(&[&rule]).replace(KEY, Some(1), Some(&breaker())).await, Ok(false));
    assert_eq!(table(&[&rule]).replace(KEY, Some(1), None).await, Ok(false));
    let rule = changed("attribute_not_exists(entries.#key)");
    assert_eq!(table(&[&rule]).replace(KEY, None, Some(&breaker())).await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn an_item_that_is_not_there_yet_is_made() {
    let answer = mock!(DynamoDb::update_item)
        .sequence()
        .http_response(|| json_error(400, "ValidationException", "The document path is invalid for update"))
        .http_response(|| response(200, "{}"))
        .times(2)
        .build();
    assert_eq!(table(&[&answer]).replace(KEY, None, Some(&breaker())).await, Ok(true));
    assert_eq!(answer.num_calls(), 3);
    let none = mock!(DynamoDb::get_item).then_http_response(|| response(200, "{}"));
    assert_eq!(table(&[&none]).all().await, Ok(BTreeMap::new()));
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_makes_no_sense_is_named() {
    let odd = mock!(DynamoDb::get_item).then_http_response(|| {
        response(200, r#"{"Item": {"entries": {"M": {"rds/us-east-1/X": {"M": {"state": {"S": "AJAR"}}}}}}}"#)
    });
    let error = table(&[&odd]).all().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnreadableRecord);
    assert!(error.message.contains("rds/us-east-1/X"), "{error}");
}
