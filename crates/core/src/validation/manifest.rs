//! What the data was, so that another restore can be held against it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a restored server held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The algorithm of fingerprints and its version; fingerprints of different ones are not compared.
    pub algorithm: String,
    /// `server_version` of the restored server.
    pub server_version: String,
    /// The server's own time when it was looked at (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub taken_at: Option<String>,
    /// By database name.
    pub databases: BTreeMap<String, DatabaseManifest>,
}

impl Manifest {
    /// User tables in all databases.
    pub fn table_count(&self) -> u64 {
        self.databases.values().map(|database| database.tables.len() as u64).sum()
    }

    /// Rows in all tables.
    pub fn row_count(&self) -> u64 {
        self.databases.values().flat_map(|database| database.tables.values()).map(|table| table.rows).sum()
    }
}

/// One database of a [`Manifest`].
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseManifest {
    /// Hash over all objects, hexadecimal.
    pub schema_hash: String,
    /// Object identity (`table public.orders`, `index public.orders_pkey`, ...) to its definition.
    pub objects: BTreeMap<String, ObjectManifest>,
    /// Quoted `schema.table` to what it holds. Partitions appear under their own names; large objects as
    /// `pg_catalog.pg_largeobject`. A table that could not be read, or was only sampled, is absent.
    pub tables: BTreeMap<String, TableManifest>,
}

/// One object of the catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectManifest {
    /// Hash of the definition, hexadecimal, 128 bits.
    pub hash: String,
    /// What makes the object what it is, by the names a person would use: `{"type": "numeric(10,2)", ...}`.
    pub definition: BTreeMap<String, Value>,
}

/// One table of a [`DatabaseManifest`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableManifest {
    /// Exact number of rows.
    pub rows: u64,
    /// Order-independent fingerprint of all rows, hexadecimal, 128 bits.
    pub fingerprint: String,
    /// Column to how it went into the fingerprint: `int4: value`, `jsonb: send`, `mood: text`.
    #[serde(default)]
    pub columns: BTreeMap<String, String>,
    /// Cryptographic digest of the multiset of rows, hexadecimal, when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<String>,
}
