//! Damage as it is ordered.

use serde::{Deserialize, Serialize};

/// Damage to the data of a snapshot.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Damage {
    /// What happens to it.
    pub kind: DamageKind,
    /// The database; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// `schema.name` of the table, index or sequence; the largest one that suits when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relation: Option<String>,
    /// The column that `changeRows` changes; one that no key holds when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// How many rows; each kind has its own default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u32>,
    /// Changed pages get the checksum that fits: reading them shows nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_checksum: bool,
    /// What `runSql` runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
}

/// Kinds of damage.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum DamageKind {
    /// Bytes in the middle of some pages change: data checksums catch it when the pages are read.
    /// With `keepChecksum` a row in each of them has another value, and nothing catches it.
    FlipHeapBytes,
    /// The same in leaves of a btree. With `keepChecksum` their keys are out of order: `amcheck` sees it.
    FlipIndexBytes,
    /// The same where a table keeps its large values.
    FlipToastBytes,
    /// The second half of the relation's file is gone.
    TruncateRelation,
    /// The table is dropped, with what depends on it.
    DropTable,
    /// Rows are deleted, properly, never all: only a comparison with the source can tell. Default: one in ten.
    DeleteRows,
    /// One column of some rows has another value. Default: one in ten.
    ChangeRows,
    /// Rows come twice; in a column of a unique index they get a new number or UUID. Default: 1.
    AddRow,
    /// Rows that others refer to are deleted behind the back of a foreign key that stays valid. Default: 3.
    OrphanRows,
    /// Rows are in the table and not in a btree on it. Default: 3.
    RemoveIndexEntries,
    /// A sequence starts again and hands out numbers that are taken.
    SetSequenceBack,
    /// The recorded versions of the collations are not those of the system.
    ChangeCollationVersion,
    /// Any SQL, as superuser.
    RunSql,
    /// The control file is garbage: a restore ends `incompatible-restore`.
    CorruptControlFile,
}

impl Damage {
    /// Why it cannot be done, as far as the order itself says.
    pub(crate) fn refusal(&self) -> Option<&'static str> {
        use DamageKind::{
            AddRow, ChangeCollationVersion, ChangeRows, CorruptControlFile, DeleteRows, FlipHeapBytes,
            FlipIndexBytes, FlipToastBytes, OrphanRows, RemoveIndexEntries, RunSql,
        };
        let kind = self.kind;
        let counts = matches!(kind, DeleteRows | ChangeRows | AddRow | OrphanRows | RemoveIndexEntries);
        let flips = matches!(kind, FlipHeapBytes | FlipIndexBytes | FlipToastBytes);
        let whole = matches!(kind, CorruptControlFile | ChangeCollationVersion | RunSql);
        [
            (self.sql.is_some() != (kind == RunSql), "runSql needs sql, no other kind takes it"),
            (self.rows.is_some() && !counts, "this kind takes no rows"),
            (self.rows == Some(0), "rows must be at least 1"),
            (self.column.is_some() && kind != ChangeRows, "only changeRows takes a column"),
            (self.keep_checksum && !flips, "only flip... takes keepChecksum"),
            (self.relation.is_some() && whole, "this kind takes no relation"),
            (self.database.is_some() && kind == CorruptControlFile, "this kind takes no database"),
        ]
        .into_iter()
        .find_map(|(wrong, why)| wrong.then_some(why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refusal = |json: &str| serde_json::from_str::<Damage>(json).unwrap().refusal();
        for good in [
            r#"{"kind":"flipIndexBytes","keepChecksum":true,"relation":"a.b"}"#,
            r#"{"kind":"runSql","sql":"select 1"}"#,
            r#"{"kind":"changeRows","rows":3,"column":"note","database":"shop"}"#,
        ] {
            assert_eq!(refusal(good), None, "{good}");
        }
        for bad in [
            r#"{"kind":"runSql"}"#,
            r#"{"kind":"dropTable","sql":"select 1"}"#,
            r#"{"kind":"dropTable","rows":1}"#,
            r#"{"kind":"deleteRows","rows":0}"#,
            r#"{"kind":"deleteRows","keepChecksum":true}"#,
            r#"{"kind":"addRow","column":"x"}"#,
            r#"{"kind":"corruptControlFile","database":"shop"}"#,
        ] {
            assert!(refusal(bad).is_some(), "{bad}");
        }
    }
}
