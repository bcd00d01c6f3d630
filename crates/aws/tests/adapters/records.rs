//! The state table and the executions, on the wire.

use aws_sdk_dynamodb::Client;
use aws_smithy_mocks::{Rule, mock};
use holdfast_aws::dynamodb::{StateTable, attribute};
use holdfast_aws::sfn::StepFunctions;
use holdfast_core::ErrorKind;
use holdfast_core::operation::{Command, Operation, Phase, transition};
use holdfast_core::ports::{Executions, Store, Write};
use holdfast_core::rds::Creation;
use holdfast_fakes::sample::{at, operation, request};
use serde_json::{Value, json};

use crate::support::{json_error, mocked, response, rules};

const FAILED: &str = "ConditionalCheckFailedException";

fn table(answers: &[&Rule]) -> StateTable {
    let config = aws_sdk_dynamodb::config::Builder::from(&mocked()).interceptor(rules(answers)).build();
    StateTable::with_client(Client::from_conf(config), "states".into())
}

fn begun() -> Operation {
    Operation::begin(operation(), request(json!({})).into(), "first".into(), at(0))
}

fn next(current: &Operation) -> Operation {
    transition(current, Command::Advance { to: Phase::Snapshotting, results: Box::default() }, at(1)).unwrap()
}

/// DynamoDB's own JSON of an attribute.
fn wire(value: &aws_sdk_dynamodb::types::AttributeValue) -> Value {
    use aws_sdk_dynamodb::types::AttributeValue::{Bool, L, M, N, Null, S};
    match value {
        S(text) => json!({"S": text}),
        N(number) => json!({"N": number}),
        Bool(value) => json!({"BOOL": value}),
        Null(_) => json!({"NULL": true}),
        L(values) => json!({"L": values.iter().map(wire).collect::<Vec<_>>()}),
        M(values) => {
            json!({"M": values.iter().map(|(name, value)| (name.clone(), wire(value))).collect::<serde_json::Map<_, _>>()})
        }
        other => panic!("never written: {other:?}"),
    }
}

/// A table that remembers what was put, and what of it a later get answers.
async fn stored(operation: &Operation) -> Value {
    let kept = std::sync::Arc::new(std::sync::Mutex::new(Value::Null));
    let keeps = kept.clone();
    let put = mock!(Client::put_item)
        .match_requests(move |asked| {
            let item = asked.item().unwrap();
            *keeps.lock().unwrap() = item.iter().map(|(name, value)| (name.clone(), wire(value))).collect();
            asked.condition_expression() == Some("attribute_not_exists(operationId)")
        })
        .then_http_response(|| response(200, "{}"));
    let summary = operation.summary("bucket");
    assert_eq!(table(&[&put]).create(operation, &summary).await, Ok(Creation::Created(())));
    let item = kept.lock().unwrap().clone();
    json!({"Item": item})
}

fn get(body: Value) -> Rule {
    mock!(Client::get_item)
        .match_requests(|asked| asked.consistent_read() == Some(true))
        .then_http_response(move || response(200, body.to_string()))
}

#[tokio::test]
async fn a_record_is_written_once_and_reads_back() {
    // GIVEN a record that was written, WHEN it is read with consistency, THEN it is the same
    let record = next(&begun());
    let read = get(stored(&record).await);
    assert_eq!(table(&[&read]).get(&operation()).await, Ok(Some(record)));
    // GIVEN none, THEN there is none
    let none = get(json!({}));
    assert_eq!(table(&[&none]).get(&operation()).await, Ok(None));
    // GIVEN one that is there already, WHEN it is created, THEN that is said and nothing is overwritten
    let taken = mock!(Client::put_item)
        .then_http_response(|| json_error(400, FAILED, "The conditional request failed"));
    let record = begun();
    let answer = table(&[&taken]).create(&record, &record.summary("bucket")).await;
    assert_eq!(answer, Ok(Creation::AlreadyThere));
}

#[tokio::test]
async fn a_write_needs_version_owner_and_phase_as_they_were_read() {
    // GIVEN a table that looks at the condition
    let (current, next) = (begun(), next(&begun()));
    let put = mock!(Client::put_item)
        .match_requests(|asked| {
            let condition = "#version = :version AND #owner = :owner AND #status = :status";
            let values = asked.expression_attribute_values().unwrap();
            asked.condition_expression() == Some(condition)
                && values[":version"] == attribute(&json!(1))
                && values[":owner"] == attribute(&json!("first"))
                && values[":status"] == attribute(&json!("HEALTH_CHECKING"))
                && asked.item().unwrap()["version"] == attribute(&json!(2))
        })
        .then_http_response(|| response(200, "{}"));
    // WHEN the next state is written, THEN it is conditional on what was read
    assert_eq!(table(&[&put]).replace(&current, &next, &next.summary("bucket")).await, Ok(Write::Done));
}

#[tokio::test]
async fn a_condition_that_fails_answers_what_is_there() {
    let (current, next) = (begun(), next(&begun()));
    let refused = || {
        mock!(Client::put_item)
            .then_http_response(|| json_error(400, FAILED, "The conditional request failed"))
    };
    // GIVEN a record that another execution has taken over
    let theirs = transition(&current, Command::TakeOver { owner: "second".into() }, at(1)).unwrap();
    let read = get(stored(&theirs).await);
    // WHEN ours is written, THEN it is refused and theirs is what there is
    let answer = table(&[&refused(), &read]).replace(&current, &next, &next.summary("bucket")).await;
    assert_eq!(answer, Ok(Write::Conflict(Box::new(theirs))));
    // GIVEN a record that is gone, THEN nobody makes a new one
    let none = get(json!({}));
    let answer = table(&[&refused(), &none]).replace(&current, &next, &next.summary("bucket")).await;
    assert_eq!(answer.unwrap_err().kind, ErrorKind::UnreadableRecord);
}

#[tokio::test(start_paused = true)]
async fn the_tables_own_troubles_have_names() {
    for (status, code, kind) in [
        (400, "ProvisionedThroughputExceededException", ErrorKind::Throttled),
        (400, "ThrottlingException", ErrorKind::Throttled),
        (400, "AccessDeniedException", ErrorKind::AccessDenied),
        (500, "InternalServerError", ErrorKind::OutcomeUnknown),
        (400, "ResourceNotFoundException", ErrorKind::Internal),
    ] {
        // GIVEN a table that goes on answering like that, WHEN a record is read, THEN the trouble has its name
        let answer = mock!(Client::get_item)
            .sequence()
            .http_response(move || json_error(status, code, "m"))
            .repeatedly()
            .build();
        assert_eq!(table(&[&answer]).get(&operation()).await.unwrap_err().kind, kind, "{code}");
    }
}

#[tokio::test]
async fn the_last_valid_operation_is_looked_for_newest_first_over_pages() {
    // GIVEN a first page that the filter left empty, and a second with two
    let first = mock!(Client::query)
        .match_requests(|asked| {
            asked.exclusive_start_key().is_none() && asked.scan_index_forward() == Some(false)
        })
        .then_http_response(|| {
            response(200, json!({"Items": [], "LastEvaluatedKey": {"operationId": {"S": "x"}}}).to_string())
        });
    let second = mock!(Client::query)
        .match_requests(|asked| asked.exclusive_start_key().is_some())
        .then_http_response(|| {
            let items = ["prod-db-r2-0123456789", "prod-db-r1-0123456789"]
                .map(|id| json!({"operationId": {"S": id}}));
            response(200, json!({"Items": items}).to_string())
        });
    // WHEN it is asked for, THEN it is the first of them
    let database = request(json!({})).database_id;
    let before = "2026-11-20T06:00:00Z".parse().unwrap();
    let found = table(&[&first, &second]).latest_valid(&database, before).await.unwrap().unwrap();
    assert_eq!(found.as_str(), "prod-db-r2-0123456789");
    // GIVEN no page with any, THEN there is none
    let none = mock!(Client::query).then_http_response(|| response(200, json!({"Items": []}).to_string()));
    assert_eq!(table(&[&none]).latest_valid(&database, before).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn only_an_execution_that_runs_is_alive() {
    use aws_sdk_sfn::Client;
    let executions = |answer: Rule| {
        let config = aws_sdk_sfn::config::Builder::from(&mocked()).interceptor(rules(&[&answer])).build();
        StepFunctions::with_client(Client::from_conf(config))
    };
    let arn = "arn:aws:states:us-east-1:1:execution:m:e";
    for (status, alive) in [
        ("RUNNING", true),
        ("PENDING_REDRIVE", true),
        ("SUCCEEDED", false),
        ("FAILED", false),
        ("TIMED_OUT", false),
        ("ABORTED", false),
    ] {
        // GIVEN an execution with that status, THEN it is alive or not
        let body = json!({"executionArn": arn, "stateMachineArn": "m", "status": status, "startDate": 1.0})
            .to_string();
        let answer =
            mock!(Client::describe_execution).then_http_response(move || response(200, body.clone()));
        assert_eq!(executions(answer).is_running(arn).await, Ok(alive), "{status}");
    }
    // GIVEN one that is forgotten, THEN it is not; GIVEN no answer, THEN it is not known
    for (code, answer) in [
        ("ExecutionDoesNotExist", Ok(false)),
        ("InvalidArn", Ok(false)),
        ("AccessDeniedException", Err(ErrorKind::AccessDenied)),
        ("ThrottlingException", Err(ErrorKind::Throttled)),
    ] {
        let rule = mock!(Client::describe_execution)
            .sequence()
            .http_response(move || json_error(400, code, "m"))
            .repeatedly()
            .build();
        assert_eq!(executions(rule).is_running(arn).await.map_err(|error| error.kind), answer, "{code}");
    }
}
