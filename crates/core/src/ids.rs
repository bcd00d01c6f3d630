//! Names: validated on the way in, derived on the way out.
//!
//! Every resource name comes from the operation id and the operation id comes from the database and
//! the run id, so that any attempt at any time finds what an earlier one made.
//!
//! Length and character rules: Amazon RDS API Reference, `CreateDBInstance` and `CreateDBSnapshot`
//! (instance 1-63, snapshot 1-255, first a letter, no trailing hyphen, no two hyphens in a row).

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_newtype!(
    /// The identifier of an RDS DB instance, lower case as RDS stores it.
    DatabaseId
);
text_newtype!(
    /// An AWS Region code such as `us-west-2`.
    Region
);
text_newtype!(
    /// What makes two starts the same run: the scheduled time, as a rule.
    RunId
);
text_newtype!(
    /// One operation; every name of a resource it makes is derived from it.
    OperationId
);

impl DatabaseId {
    /// Accepts what RDS accepts, folded to lower case.
    ///
    /// # Errors
    /// `InvalidInput` with the rule when `text` breaks it.
    pub fn parse(text: &str) -> Result<Self> {
        let lower = text.to_ascii_lowercase();
        let well_formed = (1..=63).contains(&lower.len())
            && lower.starts_with(|c: char| c.is_ascii_lowercase())
            && lower.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !lower.ends_with('-')
            && !lower.contains("--");
        if !well_formed {
            return Err(Error::invalid(format!(
                "databaseId: {text:?} is not a DB instance identifier (1-63 letters, digits and hyphens, first a \
                 letter, no trailing hyphen, no two hyphens in a row)"
            )));
        }
        Ok(DatabaseId(lower))
    }
}

impl Region {
    /// Accepts the form of a Region code (`us-east-1`, `us-gov-west-1`).
    ///
    /// # Errors
    /// `InvalidInput` when `text` does not have that form.
    pub fn parse(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let well_formed = (3..=4).contains(&parts.len())
            && parts[..parts.len() - 1]
                .iter()
                .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase()))
            && parts[parts.len() - 1].chars().all(|c| c.is_ascii_digit())
            && !parts[parts.len() - 1].is_empty();
        if !well_formed {
            return Err(Error::invalid(format!("region: {text:?} is not a Region code such as us-west-2")));
        }
        Ok(Region(text.to_owned()))
    }
}

impl RunId {
    /// Accepts 1-128 characters of letters, digits and `:._+-`.
    ///
    /// # Errors
    /// `InvalidInput` otherwise.
    pub fn parse(text: &str) -> Result<Self> {
        let well_formed = (1..=128).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || ":._+-".contains(c));
        if !well_formed {
            return Err(Error::invalid(format!(
                "runId: {text:?} is not 1-128 characters of letters, digits and :._+- (usually the scheduled time)"
            )));
        }
        Ok(RunId(text.to_owned()))
    }
}

impl OperationId {
    /// The operation of one run of one database in one Region. The same three always give the same id.
    pub fn derive(region: &Region, database: &DatabaseId, run: &RunId) -> Self {
        OperationId::named(database, run, &[region.as_str(), database.as_str(), run.as_str()])
    }

    /// The restore of one run of one database: another operation than its backup of the same run.
    pub fn of_restore(region: &Region, database: &DatabaseId, run: &RunId) -> Self {
        OperationId::named(database, run, &["restore", region.as_str(), database.as_str(), run.as_str()])
    }

    /// The replication of one run of one database: another operation than its backup of the same run.
    pub fn of_replication(region: &Region, database: &DatabaseId, run: &RunId) -> Self {
        OperationId::named(database, run, &["replication", region.as_str(), database.as_str(), run.as_str()])
    }

    fn named(database: &DatabaseId, run: &RunId, parts: &[&str]) -> Self {
        let digest = digest(parts);
        let database = slug(database.as_str(), 24);
        let run = slug(&run.as_str().replace([':', '-'], ""), 16);
        let middle = if run.is_empty() { String::new() } else { format!("{run}-") };
        OperationId(format!("{database}-{middle}{digest}"))
    }

    /// Reads an id back, as it stands in a payload or a tag.
    ///
    /// # Errors
    /// `InvalidInput` when it cannot be an id that [`OperationId::derive`] made.
    pub fn parse(text: &str) -> Result<Self> {
        let well_formed = (12..=52).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !text.contains("--");
        if !well_formed {
            return Err(Error::invalid(format!("operationId: {text:?} is not an operation id")));
        }
        Ok(OperationId(text.to_owned()))
    }

    /// A validation of this operation's backup in `region`, after the first one: an operation of its own, so that what
    /// it makes and keeps has names of its own. The same three always give the same id.
    pub fn validated_again(&self, region: &Region, run: &RunId) -> Self {
        let digest = digest(&["validation", region.as_str(), self.as_str(), run.as_str()]);
        let readable = self.0.rsplit_once('-').map_or(self.as_str(), |(readable, _)| readable);
        OperationId(format!("{readable}-{digest}"))
    }

    /// The manual snapshot of this operation, and every copy of it in other Regions.
    pub fn snapshot_id(&self) -> String {
        format!("holdfast-{}", self.0)
    }

    /// The temporary instance that validates it: at most 57 characters of the 63 allowed.
    pub fn validation_instance_id(&self) -> String {
        format!("hfv-{}", self.0)
    }

    /// Where the full report lies in the metadata bucket.
    pub fn report_key(&self) -> String {
        format!("reports/{}.json", self.0)
    }

    /// Where the full report lies as a page for people.
    pub fn report_page_key(&self) -> String {
        format!("reports/{}.html", self.0)
    }

    /// Where validation keeps every check and finding, too large for a state machine's payload.
    pub fn validation_key(&self) -> String {
        format!("validations/{}.json", self.0)
    }

    /// Where the plan of the validation's work lies, from the moment that it is made.
    pub fn plan_key(&self) -> String {
        format!("validations/{}/plan.json", self.0)
    }

    /// What the keys of all finished units begin with.
    pub fn units_prefix(&self) -> String {
        format!("validations/{}/units/", self.0)
    }

    /// Where the result of one unit of the plan lies, from the moment that it is done.
    pub fn unit_key(&self, unit: u32) -> String {
        format!("{}{unit}.json", self.units_prefix())
    }

    /// The unit whose result lies under `key`; `None` when that is not such a key of this operation.
    pub fn unit_of_key(&self, key: &str) -> Option<u32> {
        let unit = key.strip_prefix(&self.units_prefix())?.strip_suffix(".json")?.parse().ok()?;
        // `007` and `+7` are not how `unit_key` writes 7.
        (self.unit_key(unit) == key).then_some(unit)
    }

    /// Where it is kept what the source was around the snapshot, when the input asked for that.
    pub fn baseline_key(&self) -> String {
        format!("validations/{}/baseline.json", self.0)
    }

    /// Where a part of it lies while it is being read: `before`, `plan`, a piece of the plan.
    pub fn baseline_part_key(&self, part: &str) -> String {
        format!("validations/{}/baseline/{part}.json", self.0)
    }

    /// Where it lies what the source was made with when its backup began.
    pub fn blueprint_key(&self) -> String {
        format!("blueprints/{}.json", self.0)
    }

    /// Where the manifest of a VALID backup lies: what its data was.
    pub fn manifest_key(&self) -> String {
        format!("manifests/{}.json", self.0)
    }
}

/// Ten digits that are the same for the same parts, and for no others that anybody would name.
fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..5])
}

/// Lower-case letters, digits and single inner hyphens, at most `max` characters.
fn slug(text: &str, max: usize) -> String {
    let mut slug = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
        if slug.len() == max {
            break;
        }
    }
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn derive(database: &str, run: &str) -> OperationId {
        OperationId::derive(
            &Region::parse("us-east-1").unwrap(),
            &DatabaseId::parse(database).unwrap(),
            &RunId::parse(run).unwrap(),
        )
    }

    #[test]
    fn the_id_is_readable_and_stable() {
        let id = derive("prod-db", "2026-11-20T06:00:00Z");
        assert_eq!(id, derive("PROD-DB", "2026-11-20T06:00:00Z"));
        assert!(id.as_str().starts_with("prod-db-20261120t060000z-"), "{id}");
        assert_ne!(id, derive("prod-db", "2026-11-20T12:00:00Z"));
    }

    #[test]
    fn bad_names_are_refused_by_field() {
        for bad in ["", "1db", "a--b", "a-", "a_b", &"a".repeat(64)] {
            assert!(DatabaseId::parse(bad).unwrap_err().message.contains("databaseId"), "{bad}");
        }
        for bad in ["", "us", "us-east", "us-east-x", "US-EAST-1", "../us-east-1"] {
            assert!(Region::parse(bad).is_err(), "{bad}");
        }
        assert!(RunId::parse("a b").is_err());
        assert!(OperationId::parse("../../etc/passwd").is_err());
    }

    #[test]
    fn a_restore_is_not_the_backup_of_the_same_run() {
        let (east, west) = (Region::parse("us-east-1").unwrap(), Region::parse("us-west-2").unwrap());
        let (database, run) = (DatabaseId::parse("prod-db").unwrap(), RunId::parse("r1").unwrap());
        let restore = OperationId::of_restore(&east, &database, &run);
        assert_eq!(restore, OperationId::of_restore(&east, &database, &run));
        assert!(restore.as_str().starts_with("prod-db-r1-"), "{restore}");
        for other in [derive("prod-db", "r1"), OperationId::of_restore(&west, &database, &run)] {
            assert_ne!(restore, other);
        }
    }

    #[test]
    fn a_validation_after_the_first_has_names_of_its_own() {
        let (west, east) = (Region::parse("us-west-2").unwrap(), Region::parse("us-east-1").unwrap());
        let (id, run) = (derive("prod-db", "r1"), RunId::parse("r1").unwrap());
        let again = id.validated_again(&west, &run);
        assert_eq!(again, id.validated_again(&west, &run));
        assert!(again.as_str().starts_with("prod-db-r1-"), "{again}");
        assert_eq!(OperationId::parse(again.as_str()).unwrap(), again);
        for other in [
            id.clone(),
            id.validated_again(&east, &run),
            id.validated_again(&west, &RunId::parse("r2").unwrap()),
            derive("prod-db", "r2").validated_again(&west, &run),
        ] {
            assert_ne!(again, other);
        }
    }

    #[test]
    fn a_unit_is_found_by_its_key_and_nothing_else_is_one() {
        let id = derive("prod-db", "r1");
        assert_eq!(id.unit_of_key(&id.unit_key(417)), Some(417));
        let other = derive("prod-db", "r2");
        for key in [
            other.unit_key(1),
            id.plan_key(),
            id.validation_key(),
            format!("{}007.json", id.units_prefix()),
            format!("{}+7.json", id.units_prefix()),
            format!("{}7.json/x", id.units_prefix()),
        ] {
            assert_eq!(id.unit_of_key(&key), None, "{key}");
        }
    }

    proptest! {
        #[test]
        fn derived_names_keep_to_the_rules_of_rds(
            database in "[a-z]([a-z0-9]|-[a-z0-9]){0,31}",
            run in "[A-Za-z0-9:._+-]{1,128}",
        ) {
            let id = derive(&database, &run);
            prop_assert_eq!(&OperationId::parse(id.as_str()).unwrap(), &id);
            for (name, max) in [(id.snapshot_id(), 255), (id.validation_instance_id(), 63)] {
                prop_assert!(name.len() <= max, "{} is {} long", name, name.len());
                prop_assert!(!name.contains("--") && !name.ends_with('-'), "{}", name);
            }
        }
    }
}
