//! What the source was when the snapshot was taken.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Manifest, ObjectManifest};

/// How much of the source is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// Catalog and statistics: milliseconds, whatever the size.
    #[default]
    Catalog,
    /// Every row, counted and fingerprinted.
    Full,
}

/// The counters of one table, as `pg_stat_all_tables` and `pg_class` have them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counters {
    /// `n_tup_ins`: rows inserted since the statistics began, rolled back ones included.
    pub inserted: u64,
    /// `n_tup_upd`.
    pub updated: u64,
    /// `n_tup_del`.
    pub deleted: u64,
    /// `n_live_tup`: an estimate.
    pub live_estimate: u64,
    /// `relfilenode`: TRUNCATE, CLUSTER, VACUUM FULL and rewrites change it.
    pub file_node: u64,
    /// Bytes of the main file.
    pub bytes: u64,
}

/// One database at the time of a [`Reading`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseReading {
    /// Hash over all objects, hexadecimal; as in a manifest.
    pub schema_hash: String,
    /// Objects by identity; as in a manifest.
    pub objects: BTreeMap<String, ObjectManifest>,
    /// Quoted `schema.table` to its counters.
    pub counters: BTreeMap<String, Counters>,
    /// `stats_reset` of the database: counters from before and after a reset are not compared.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub statistics_reset: Option<String>,
    /// Sessions of others that may not have told the counters yet what they did.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub sessions: Vec<Session>,
    /// Sessions of others of which this user may not see more than that they are there.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub hidden_sessions: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A session that has had no occasion for a while to tell the counters what it did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// When its transaction began, or its last one ended (RFC 3339, the source's own time). What it may be keeping to
    /// itself was committed before.
    pub began: String,
    /// For how many seconds it has been keeping it, at most.
    pub seconds: u64,
}

/// The source at one time, from its catalog and its statistics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// The source's own time (RFC 3339).
    pub at: String,
    /// `server_version`.
    pub server_version: String,
    /// `pg_postmaster_start_time()`: a restart in between can lose counters.
    pub started_at: String,
    /// By database name.
    pub databases: BTreeMap<String, DatabaseReading>,
}

/// What is known of the source around the snapshot.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// How much was read.
    pub depth: Depth,
    /// Before the snapshot was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<Reading>,
    /// After it was complete.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<Reading>,
    /// Rows and fingerprints read after `before` and before the snapshot, when the depth is full.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub manifest: Option<Manifest>,
    /// Tables, by database, whose rows were not read by one statement and so not in one snapshot: what moved meanwhile may
    /// have been counted twice or not at all.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub in_pieces: BTreeMap<String, BTreeSet<String>>,
}
