//! A source and its replica in memory: they know who may log in, and count how often they were read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use capture_baseline::{Server, Source};
use holdfast_core::baseline::Beat;
use holdfast_core::ids::OperationId;
use holdfast_core::validation::{DatabaseReading, Heartbeat, Reading};
use holdfast_verify::{ConnectError, Journal, Options, Plan, Progress, Standing, Unit, UnitResult};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

/// What happens outside while the source is read.
type Meanwhile = Box<dyn FnOnce()>;

#[derive(Default)]
pub struct FakeSource {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Password by user.
    users: BTreeMap<String, String>,
    refusals: Vec<ConnectError>,
    refuses_always: Option<ConnectError>,
    meanwhile: Option<Meanwhile>,
    readings: u32,
    /// Hosts that were planned on or worked on.
    hosts: Vec<String>,
    standings: BTreeMap<String, Vec<Standing>>,
    works: Vec<Vec<u32>>,
    /// Pieces that one call gets done.
    pace: Option<usize>,
    fails: Option<String>,
    options: Option<Options>,
    /// Who wrote heartbeats, and of which operation.
    beats: Vec<(String, String)>,
    beat_refused: Option<ConnectError>,
}

impl FakeSource {
    /// Lets `user` in with `password`.
    pub fn admit(&self, user: &str, password: &str) {
        self.state.lock().unwrap().users.insert(user.to_owned(), password.to_owned());
    }

    /// The next connections end like this.
    pub fn refuse(&self, refusals: &[ConnectError]) {
        self.state.lock().unwrap().refusals = refusals.to_vec();
    }

    /// Every connection ends like this.
    pub fn refuse_always(&self, refusal: ConnectError) {
        self.state.lock().unwrap().refuses_always = Some(refusal);
    }

    /// While the source is read the next time, this happens.
    pub fn meanwhile(&self, happens: impl FnOnce() + 'static) {
        self.state.lock().unwrap().meanwhile = Some(Box::new(happens));
    }

    /// A server answers these, one after the other, the last one for ever.
    pub fn stands(&self, host: &str, standings: &[(&str, bool, u64)]) {
        let all = standings
            .iter()
            .map(|(system, standby, position)| Standing {
                system: (*system).into(),
                standby: *standby,
                position: *position,
            })
            .collect();
        self.state.lock().unwrap().standings.insert(host.to_owned(), all);
    }

    /// One call gets this many pieces done.
    pub fn pace(&self, pieces: usize) {
        self.state.lock().unwrap().pace = Some(pieces);
    }

    /// A table cannot be read.
    pub fn cannot_read(&self, table: &str) {
        self.state.lock().unwrap().fails = Some(table.to_owned());
    }

    /// No heartbeat can be written.
    pub fn refuse_beats(&self, refusal: ConnectError) {
        self.state.lock().unwrap().beat_refused = Some(refusal);
    }

    /// Who wrote heartbeats, and of which operation.
    pub fn beats(&self) -> Vec<(String, String)> {
        self.state.lock().unwrap().beats.clone()
    }

    /// How often the catalog was read.
    pub fn readings(&self) -> u32 {
        self.state.lock().unwrap().readings
    }

    /// Which pieces were asked for, call by call.
    pub fn works(&self) -> Vec<Vec<u32>> {
        self.state.lock().unwrap().works.clone()
    }

    /// Where the rows were planned and read.
    pub fn hosts(&self) -> Vec<String> {
        self.state.lock().unwrap().hosts.clone()
    }

    /// The last options that something was read with.
    pub fn options(&self) -> Options {
        self.state.lock().unwrap().options.clone().unwrap()
    }

    fn log_in(&self, server: &Server, options: &Options) -> Result<(), ConnectError> {
        let mut state = self.state.lock().unwrap();
        state.options = Some(options.clone());
        if !state.refusals.is_empty() {
            return Err(state.refusals.remove(0));
        }
        if let Some(refusal) = &state.refuses_always {
            return Err(refusal.clone());
        }
        match state.users.get(&server.user) {
            Some(password) if password == server.password.expose_secret() => Ok(()),
            _ => Err(ConnectError::WrongCredentials(format!("for user {}", server.user))),
        }
    }
}

#[async_trait(?Send)]
impl Source for FakeSource {
    async fn reading(&self, server: &Server, options: &Options) -> Result<Reading, ConnectError> {
        self.log_in(server, options)?;
        let mut state = self.state.lock().unwrap();
        state.readings += 1;
        if let Some(happens) = state.meanwhile.take() {
            happens();
        }
        Ok(Reading {
            at: format!("2026-11-20T06:00:{:02}Z", state.readings),
            server_version: "15.4".into(),
            started_at: "2026-11-01T00:00:00Z".into(),
            databases: BTreeMap::from([("shop".to_owned(), DatabaseReading::default())]),
        })
    }

    async fn beat(
        &self,
        server: &Server,
        heartbeat: &Heartbeat,
        operation: &OperationId,
    ) -> Result<Beat, ConnectError> {
        let mut state = self.state.lock().unwrap();
        state.beats.push((server.user.clone(), operation.to_string()));
        if let Some(refusal) = &state.beat_refused {
            return Err(refusal.clone());
        }
        assert_eq!(state.readings, 0, "a heartbeat after a reading may not be in the snapshot");
        let beat_at = format!("2026-11-20T05:59:{:02}Z", state.beats.len());
        Ok(Beat { database: heartbeat.database.clone(), table: heartbeat.table.clone(), beat_at })
    }

    async fn standing(&self, server: &Server, options: &Options) -> Result<Standing, ConnectError> {
        self.log_in(server, options)?;
        let mut state = self.state.lock().unwrap();
        let host = server.endpoint.host.split('.').next().unwrap().to_owned();
        let standings = state.standings.get_mut(&host).unwrap();
        Ok(if standings.len() > 1 { standings.remove(0) } else { standings[0].clone() })
    }

    async fn plan(&self, server: &Server, options: &Options) -> Result<Plan, ConnectError> {
        self.log_in(server, options)?;
        self.state.lock().unwrap().hosts.push(server.endpoint.host.clone());
        Ok(serde_json::from_value(plan()).unwrap())
    }

    async fn work(
        &self,
        server: &Server,
        options: &Options,
        units: &[Unit],
        ids: &[u32],
        journal: &dyn Journal,
    ) -> Result<Progress, ConnectError> {
        self.log_in(server, options)?;
        let (pace, fails) = {
            let mut state = self.state.lock().unwrap();
            state.works.push(ids.to_vec());
            state.hosts.push(server.endpoint.host.clone());
            (state.pace.unwrap_or(usize::MAX), state.fails.clone())
        };
        let mut progress = Progress::default();
        for id in ids {
            if progress.done.len() == pace || progress.journal_failed.is_some() {
                progress.left.push(*id);
                continue;
            }
            let unit = units.iter().find(|unit| unit.id == *id).unwrap();
            let jobs: Vec<Value> = unit
                .jobs
                .iter()
                .map(|job| {
                    let unread = fails.as_deref() == Some(job.object.as_str());
                    let trouble = json!([{"object": job.object, "message": "permission denied"}]);
                    let ending = if unread { json!({"unfinished": trouble}) } else { json!({}) };
                    json!({"work": {"rows": 10, "ending": ending}, "durationMs": 1})
                })
                .collect();
            let result: UnitResult = serde_json::from_value(json!({"unit": id, "jobs": jobs})).unwrap();
            match journal.keep(&result).await {
                Ok(()) => progress.done.push(*id),
                Err(reason) => {
                    progress.journal_failed = Some(reason);
                    progress.left.push(*id);
                }
            }
        }
        Ok(progress)
    }
}

/// One database with a small table, a large one, and a larger one in two ranges of pages, as `holdfast-verify` plans them.
fn plan() -> Value {
    let unit = |id: u32, table: &str, pages: Value, bytes: u64| {
        let job = json!({"check": "content", "object": table, "bytes": bytes,
                         "task": {"kind": "content", "columns": [], "pages": pages, "toasted": false}});
        json!({"id": id, "database": "shop", "bytes": bytes, "jobs": [job]})
    };
    let units = [
        unit(0, "public.larger", json!({"from": 0, "to": 524_288}), 4 << 30),
        unit(1, "public.larger", json!({"from": 524_288, "to": null}), 3 << 30),
        unit(2, "public.large", json!({"from": 0, "to": null}), 3 << 30),
        unit(3, "public.small", json!({"from": 0, "to": null}), 8192),
    ];
    json!({
        "algorithm": holdfast_verify::ALGORITHM,
        "facts": {"serverVersion": "15.4", "version": 150_004, "checksums": true, "hidesDamage": false,
                  "blockSize": 8192, "now": "2026-11-20T06:00:00Z"},
        "checks": [],
        "open": [{"name": "content", "scope": "shop", "ending": {}, "durationMs": 1}],
        "databases": {"shop": {"objects": {}}},
        "closed": [], "listed": true, "notChecked": [],
        "units": units,
    })
}

/// The source, shared with what happens meanwhile.
pub fn shared() -> Arc<FakeSource> {
    Arc::default()
}
