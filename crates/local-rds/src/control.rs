//! `/_local/`: what tests order and ask. JSON, no authentication; it listens on 127.0.0.1 only.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::damage::{self, Damage};
use crate::engine;
use crate::faults::Fault;
use crate::lock;
use crate::settings::Tuning;
use crate::state::SnapshotStatus;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/ready", get(ready))
        .route("/ca.pem", get(ca))
        .route("/calls", get(calls))
        .route("/faults", get(list_faults).post(order_fault).delete(clear_faults))
        .route("/faults/{id}", delete(clear_fault))
        .route("/tuning", get(tuning).put(set_tuning))
        .route("/damage", axum::routing::post(damage_now))
        .route("/servers", get(servers))
        .route("/sql", axum::routing::post(sql))
}

async fn ready(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({
        "ready": true,
        "engineVersion": app.binaries.version(),
        "parameterGroupFamily": app.family(),
        "enforceIam": app.iam.is_some(),
        "checksKeys": app.keys.is_some(),
    }))
}

async fn ca(State(app): State<Arc<App>>) -> Response {
    ([(header::CONTENT_TYPE, "application/x-pem-file")], app.authority.pem().to_owned()).into_response()
}

#[derive(Deserialize)]
struct CallsQuery {
    resource: Option<String>,
}

async fn calls(State(app): State<Arc<App>>, Query(query): Query<CallsQuery>) -> Response {
    Json(app.journal.read(query.resource.as_deref())).into_response()
}

fn refuse(why: impl std::fmt::Display) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"error": why.to_string()}))).into_response()
}

async fn order_fault(State(app): State<Arc<App>>, body: Bytes) -> Response {
    match serde_json::from_slice::<Fault>(&body) {
        Ok(fault) => match fault.refusal() {
            Some(why) => refuse(why),
            None => (StatusCode::CREATED, Json(json!({"id": app.faults.order(fault)}))).into_response(),
        },
        Err(cause) => refuse(cause),
    }
}

async fn list_faults(State(app): State<Arc<App>>) -> Response {
    Json(app.faults.list()).into_response()
}

async fn clear_faults(State(app): State<Arc<App>>) -> Json<Value> {
    Json(json!({"cleared": app.faults.clear(None)}))
}

async fn clear_fault(State(app): State<Arc<App>>, Path(id): Path<u64>) -> Json<Value> {
    Json(json!({"cleared": app.faults.clear(Some(id))}))
}

async fn tuning(State(app): State<Arc<App>>) -> Json<Tuning> {
    Json(app.tuning())
}

/// Changes what the body names, keeps the rest.
async fn set_tuning(State(app): State<Arc<App>>, Json(change): Json<Value>) -> Response {
    let mut tuning = json!(app.tuning());
    let (Some(fields), Some(changes)) = (tuning.as_object_mut(), change.as_object()) else {
        return refuse("an object is expected");
    };
    fields.extend(changes.clone());
    match serde_json::from_value::<Tuning>(tuning) {
        Ok(tuning) => {
            *lock(&app.tuning) = tuning.clone();
            Json(tuning).into_response()
        }
        Err(cause) => refuse(cause),
    }
}

/// Which snapshot, and what is to happen to it. Not flattened by serde: that lets unknown keys pass.
fn damage_order(body: &[u8]) -> Result<(String, String, Damage), serde_json::Error> {
    let mut fields: serde_json::Map<String, Value> = serde_json::from_slice(body)?;
    let mut take = |name| serde_json::from_value(fields.remove(name).unwrap_or_default());
    let (region, snapshot) = (take("region")?, take("snapshot")?);
    Ok((region, snapshot, serde_json::from_value(fields.into())?))
}

/// Damages a snapshot that is available already.
async fn damage_now(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let (region, snapshot, order) = match damage_order(&body) {
        Ok(order) => order,
        Err(cause) => return refuse(cause),
    };
    let found = lock(&app.world).region(&region).snapshots.get(&snapshot).cloned();
    match found {
        Some(found) if found.status == SnapshotStatus::Available => {
            match damage::apply(&app, &found.directory, &order).await {
                Ok(done) => Json(done).into_response(),
                Err(cause) => refuse(cause),
            }
        }
        Some(found) => refuse(format!("the snapshot is {}", found.status)),
        None => refuse("no such snapshot"),
    }
}

/// Which server processes run: so that a test can see that none is left.
async fn servers(State(app): State<Arc<App>>) -> Json<Value> {
    let instances: Vec<_> = lock(&app.world).all_instances().cloned().collect();
    let mut shown = Vec::new();
    for instance in instances {
        let pid = instance.server.lock().await.as_ref().and_then(|cluster| cluster.pid());
        shown.push(json!({
            "instance": instance.arn.to_string(), "status": instance.status.to_string(),
            "port": instance.port, "pid": pid,
        }));
    }
    Json(json!(shown))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sql {
    region: String,
    instance: String,
    database: String,
    sql: String,
}

/// Runs SQL on an instance as `rdsadmin`, for what RDS lets its master user do and PostgreSQL does not.
async fn sql(State(app): State<Arc<App>>, body: Bytes) -> Response {
    let order: Sql = match serde_json::from_slice(&body) {
        Ok(order) => order,
        Err(cause) => return refuse(cause),
    };
    let port = lock(&app.world).region(&order.region).instances.get(&order.instance).map(|found| found.port);
    let Some(port) = port else { return refuse("no such instance") };
    match engine::run(&app, port, &order.database, &order.sql).await {
        Ok(rows) => Json(json!({"rows": rows})).into_response(),
        Err(cause) => refuse(cause),
    }
}
