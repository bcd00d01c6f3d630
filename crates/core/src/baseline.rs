//! The baseline of the source as it is kept, and what the record says of it.

use serde::{Deserialize, Serialize};

use crate::health::NamedCause;
use crate::ids::OperationId;
use crate::request::BaselineRequest;
use crate::validation::{Assertion, BEAT_AT, Baseline, BaselineDepth as Depth, Expectation, Reading};

/// What became of the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BaselineStatus {
    /// Everything that was asked for is there.
    Taken,
    /// Something of it is missing; the reason says what.
    Unreadable,
    /// Nobody asked for one.
    NotAsked,
}

/// What the record keeps of the baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BaselineResult {
    /// What became of it.
    pub status: BaselineStatus,
    /// How much was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub depth: Option<Depth>,
    /// What is missing and why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<NamedCause>,
}

impl BaselineResult {
    /// The result when no baseline was asked for.
    pub fn not_asked() -> Self {
        BaselineResult { status: BaselineStatus::NotAsked, depth: None, reason: None }
    }

    /// In a few words, for a list of what happened.
    pub fn describe(&self) -> Option<String> {
        match (self.status, &self.reason) {
            (BaselineStatus::NotAsked, _) => None,
            (BaselineStatus::Taken, _) => Some("baseline of the source taken".to_owned()),
            (BaselineStatus::Unreadable, Some(reason)) => {
                Some(format!("no whole baseline of the source: {}", reason.cause))
            }
            (BaselineStatus::Unreadable, None) => Some("no whole baseline of the source".to_owned()),
        }
    }
}

/// A row that a backup wrote into its source before the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Beat {
    /// The database.
    pub database: String,
    /// `schema.table`, quoted where PostgreSQL would.
    pub table: String,
    /// The source's own time when it was written (RFC 3339).
    pub beat_at: String,
}

impl Beat {
    /// What has to be true of a restored copy: the row is there, and not an older one of the same operation.
    pub fn assertion(&self, operation: &OperationId) -> Assertion {
        Assertion {
            name: "the heartbeat of this backup is there".to_owned(),
            database: Some(self.database.clone()),
            // Of all that is in it none is anybody's choice: the table's name is the server's own, quoted.
            sql: format!(
                "SELECT EXISTS (SELECT 1 FROM {} WHERE operation_id = '{operation}' AND {BEAT_AT} >= '{}')",
                self.table, self.beat_at
            ),
            expect: Expectation::True,
            show_rows: false,
        }
    }
}

/// Everything that was read of the source for one operation, as it lies in the metadata bucket.
///
/// A reader that knows [`Baseline`] only can read it as that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Captured {
    /// `TAKEN` or `UNREADABLE`.
    pub status: BaselineStatus,
    /// What is missing and why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<NamedCause>,
    /// What was written before anything was read, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub heartbeat: Option<Beat>,
    /// What is there. Its depth is what was read, not what was asked for.
    #[serde(flatten)]
    pub baseline: Baseline,
}

impl Captured {
    /// Puts together what is there. `reason` says what is missing, if anything is.
    pub fn new(baseline: Baseline, reason: Option<NamedCause>) -> Self {
        let status = if reason.is_none() { BaselineStatus::Taken } else { BaselineStatus::Unreadable };
        let depth = if baseline.manifest.is_some() { Depth::Full } else { Depth::Catalog };
        Captured { status, reason, heartbeat: None, baseline: Baseline { depth, ..baseline } }
    }

    /// With the row that was written.
    pub fn with(self, heartbeat: Option<Beat>) -> Self {
        Captured { heartbeat, ..self }
    }

    /// What the record keeps of it.
    pub fn result(&self, asked: &BaselineRequest) -> BaselineResult {
        BaselineResult { status: self.status, depth: Some(asked.depth), reason: self.reason.clone() }
    }

    /// The readings from both sides of the snapshot; without either nothing can be said of what is in it.
    pub fn usable(&self) -> Option<&Baseline> {
        let both: [&Option<Reading>; 2] = [&self.baseline.before, &self.baseline.after];
        both.iter().all(|reading| reading.is_some()).then_some(&self.baseline)
    }
}

/// What a validation is held against, and what is missing of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Held {
    /// The baseline, as far as it is of use.
    pub against: Option<Baseline>,
    /// Why the restored copy is not held against all that was asked for.
    pub missing: Option<NamedCause>,
    /// Whether that leaves the backup unproven.
    pub unproven: bool,
    /// A row that has to be in the copy.
    pub heartbeat: Option<Beat>,
}

/// What a validation goes by: unknown is not success, so a baseline that was asked for and cannot be had leaves the
/// backup unproven unless the input said that it may be missing.
pub fn held_against(asked: Option<&BaselineRequest>, captured: Option<Captured>) -> Held {
    let Some(asked) = asked else { return Held::default() };
    let against = captured.as_ref().and_then(Captured::usable).cloned();
    let heartbeat = captured.as_ref().and_then(|captured| captured.heartbeat.clone());
    let missing = match captured {
        Some(captured) => captured.reason,
        None => Some(NamedCause::from(&crate::Error::new(
            crate::ErrorKind::BaselineUnreadable,
            "the baseline of the source was not taken; the record has the reason",
        ))),
    };
    let unproven = asked.required && missing.is_some();
    Held { against, missing, unproven, heartbeat }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::Login;
    use crate::{Error, ErrorKind};

    fn asked(required: bool) -> BaselineRequest {
        let login = Login::IamUser("holdfast_reader".into());
        BaselineRequest { login, depth: Depth::Full, replica: None, required }
    }

    fn reading() -> Reading {
        Reading {
            at: "2026-11-20T06:00:00Z".into(),
            server_version: "15.4".into(),
            started_at: "2026-11-01T00:00:00Z".into(),
            databases: std::collections::BTreeMap::new(),
        }
    }

    fn reason() -> NamedCause {
        NamedCause::from(&Error::new(ErrorKind::BaselineUnreadable, "wrong credentials"))
    }

    #[test]
    fn what_was_asked_for_and_not_had_leaves_the_backup_unproven_unless_it_may_be_missing() {
        assert_eq!(held_against(None, None), Held::default());
        for required in [true, false] {
            let nothing = held_against(Some(&asked(required)), None);
            assert_eq!((nothing.against.is_some(), nothing.unproven), (false, required));
            assert!(nothing.missing.is_some());
            // Both readings are there and the rows are not: what is there is used, what is missing is said.
            let baseline =
                Baseline { before: Some(reading()), after: Some(reading()), ..Baseline::default() };
            let half = held_against(Some(&asked(required)), Some(Captured::new(baseline, Some(reason()))));
            assert_eq!(
                (half.against.is_some(), half.unproven, half.missing),
                (true, required, Some(reason()))
            );
        }
        let baseline = Baseline { before: Some(reading()), after: Some(reading()), ..Baseline::default() };
        let whole = held_against(Some(&asked(true)), Some(Captured::new(baseline.clone(), None)));
        assert_eq!(whole, Held { against: Some(baseline), missing: None, unproven: false, heartbeat: None });
    }

    #[test]
    fn one_side_of_the_snapshot_says_nothing() {
        let baseline = Baseline { after: Some(reading()), ..Baseline::default() };
        assert_eq!(Captured::new(baseline, Some(reason())).usable(), None);
    }

    #[test]
    fn it_reads_as_the_baseline_that_it_holds() {
        let baseline = Baseline { depth: Depth::Full, before: Some(reading()), ..Baseline::default() };
        let captured = Captured::new(baseline, Some(reason()));
        // No rows were read: full is what was asked for, not what is there.
        assert_eq!(captured.baseline.depth, Depth::Catalog);
        let document = json!(captured);
        assert_eq!(document["status"], "UNREADABLE");
        assert_eq!(serde_json::from_value::<Baseline>(document.clone()).unwrap(), captured.baseline);
        assert_eq!(serde_json::from_value::<Captured>(document).unwrap(), captured);
    }
}
