//! One Region: snapshots, room, names, keys, and what a restore refers to there.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use holdfast_aws::s3::Bucket;
use holdfast_core::blueprint::{Blueprint, KeptBlueprint, known_login, own_backups};
use holdfast_core::doctor::{KeyFacts, Live, Quotas, RegionFacts, SharedWith, newest_valid};
use holdfast_core::ids::{DatabaseId, Region};
use holdfast_core::operation::Reference;
use holdfast_core::ports::{Documents, Keys, Rds, Restores};
use holdfast_core::rds::{Snapshot, SnapshotStatus};
use holdfast_core::request::{RestoreOptions, TargetRegion};
use holdfast_core::retention::{Backup, Owner, Policies, forecast};
use holdfast_core::tags::Tags;
use holdfast_core::{Error, Result, network, watching};
use jiff::Timestamp;

use super::{Look, deployment, permissions};

/// What a validation's instance is named like.
const TEMPORARY: &str = "hfv-";

/// What is asked about a database in a Region.
pub struct Asked<'a> {
    /// The database.
    pub database: &'a DatabaseId,
    /// The database itself, when it is there.
    pub live: Option<&'a Live>,
    /// Where its backups are copied to.
    pub targets: &'a [TargetRegion],
    /// When this is asked.
    pub now: Timestamp,
}

impl Look {
    /// The database itself.
    ///
    /// # Errors
    /// What a call met.
    pub async fn source(&self, database: &DatabaseId) -> Result<Option<Live>> {
        let (id, home) = (database.as_str(), &self.home);
        let instance = self.rds.instance(home, id).await?;
        let blueprint = self.rds.blueprint(home, id).await?;
        Ok(instance.zip(blueprint).map(|(instance, blueprint)| Live { instance, blueprint }))
    }

    /// Everything that is known of a Region.
    pub async fn region(&self, region: &Region, asked: &Asked<'_>) -> RegionFacts {
        let all = self.rds.manual_snapshots(region).await;
        let quotas = self.quotas(region, &all, asked.now).await;
        let snapshots = all.map(|all| of_database(all, asked.database));
        let newest = newest(&snapshots);
        let blueprint = self.blueprint(&newest, &snapshots).await;
        let at_home = region == &self.home;
        let live = asked.live.filter(|_| at_home).map(|live| &live.blueprint);
        let kept = blueprint.as_ref().ok().and_then(Option::as_ref);
        let is_ours = |instance: &holdfast_core::rds::Instance| instance.id.starts_with(TEMPORARY);
        RegionFacts {
            shared: self.shared(region, &snapshots).await,
            quotas,
            namesake: self.rds.instance(region, asked.database.as_str()).await,
            temporary: self.rds.instances(region).await.map(|mut all| {
                all.retain(is_ours);
                all
            }),
            references: self.references(region, kept.map(|kept| &kept.blueprint).or(live)).await,
            keys: self.keys_of(region, asked, newest.as_ref().ok().and_then(Option::as_ref)).await,
            validation: self.validation(region).await,
            blueprint,
            snapshots,
        }
    }

    /// The manual snapshots of a database in a Region, and who else can restore them.
    pub async fn backups(
        &self,
        region: &Region,
        database: &DatabaseId,
    ) -> (Result<Vec<Snapshot>>, Vec<SharedWith>) {
        let snapshots = self.rds.manual_snapshots(region).await.map(|all| of_database(all, database));
        let shared = self.shared(region, &snapshots).await;
        (snapshots, shared)
    }

    async fn quotas(&self, region: &Region, all: &Result<Vec<Snapshot>>, now: Timestamp) -> Result<Quotas> {
        let snapshots = self.rds.snapshot_quota(region).await?;
        let instances = self.rds.quota(region, "DBInstances").await?;
        let storage = self.rds.quota(region, "AllocatedStorage").await?;
        let all = all.as_ref().map_err(Error::clone)?;
        let backups = all.iter().map(|snapshot| Backup::new(snapshot, vec![]));
        let ours: Vec<Backup> = backups.filter(Backup::is_ours).collect();
        let (pruning, policy) = &self.deployment.pruning;
        let policies = match self.plan().await? {
            Some(plan) => plan.policies(*policy)?,
            None => Policies::from(*policy),
        };
        let snapshots = snapshots.map(|quota| forecast(region, quota, &ours, &policies, *pruning, now));
        Ok(Quotas { snapshots, instances, storage })
    }

    /// Who else can restore the snapshots of a database. One that somebody made by hand has the same data.
    async fn shared(&self, region: &Region, snapshots: &Result<Vec<Snapshot>>) -> Vec<SharedWith> {
        let mut shared = Vec::new();
        for snapshot in snapshots.iter().flatten().filter(|snapshot| can_be_shared(snapshot)) {
            let accounts = self.rds.shared_with(region, &snapshot.id).await;
            shared.push(SharedWith { snapshot_id: snapshot.id.clone(), accounts });
        }
        shared
    }

    /// What the newest proven backup was made with: the one that a restore goes by, the engine that of the snapshot.
    /// A login is that of the newest backup that has one, as a restore has it.
    async fn blueprint(
        &self,
        newest: &Result<Option<Snapshot>>,
        snapshots: &Result<Vec<Snapshot>>,
    ) -> Result<Option<KeptBlueprint>> {
        let Some(newest) = newest.as_ref().map_err(Error::clone)? else { return Ok(None) };
        let Owner::Operation(operation) = Backup::new(newest, vec![]).owner else { return Ok(None) };
        let bucket = self.deployment.bucket.as_ref().map_err(Error::clone)?;
        let bucket = Bucket::new(&self.aws, bucket.clone());
        let kept: Option<KeptBlueprint> = bucket.get(&operation.blueprint_key()).await?;
        let Some(mut kept) = kept else { return Ok(None) };
        if kept.login.is_none() {
            let all = snapshots.as_deref().unwrap_or_default();
            kept.login = known_login(&bucket, &own_backups(all)).await?;
        }
        Ok(Some(KeptBlueprint {
            blueprint: Blueprint {
                engine: newest.engine.clone(),
                engine_version: newest.engine_version.clone(),
                ..kept.blueprint
            },
            login: kept.login,
        }))
    }

    async fn references(
        &self,
        region: &Region,
        blueprint: Option<&Blueprint>,
    ) -> Vec<(Reference, Result<()>)> {
        let Some(blueprint) = blueprint else { return vec![] };
        let wanted = blueprint.wanted(&RestoreOptions::default(), &Tags::new());
        let mut looked = Vec::new();
        for referred in wanted.referred() {
            let found = self.rds.problem_with(region, &referred).await;
            looked.push((referred.what(), referred.name().to_owned(), found));
        }
        if let Some(key) = wanted.insights_key() {
            let found = watching::problem_with_key(&self.keys, region, key).await;
            looked.push((watching::INSIGHTS_KEY, key.to_owned(), found));
        }
        if let Some(arn) = wanted.monitoring_role() {
            let found = watching::problem_with_role(&self.roles, arn).await;
            looked.push((watching::MONITORING_ROLE, arn.to_owned(), found));
        }
        let of_one = |(what, name, found): (&str, String, Result<Option<String>>)| match found {
            Ok(problem) => (Reference::new(what, name, problem), Ok(())),
            Err(error) => (Reference::new(what, name, None), Err(error)),
        };
        let mut found: Vec<(Reference, Result<()>)> = looked.into_iter().map(of_one).collect();
        match network::proven(&self.rds, &self.networks, region, &wanted).await {
            Ok(groups) => found.extend(groups.into_iter().map(|group| (group, Ok(())))),
            Err(error) => {
                found.extend(
                    wanted.settings.security_groups.iter().map(|name| {
                        (Reference::new(network::SECURITY_GROUP, name, None), Err(error.clone()))
                    }),
                )
            }
        }
        found
    }

    /// The source's and the snapshots' key at home; the key of copies to come and that of the copy there elsewhere.
    async fn keys_of(&self, region: &Region, asked: &Asked<'_>, newest: Option<&Snapshot>) -> Vec<KeyFacts> {
        let mut keys: Vec<(String, String, bool)> = Vec::new();
        if region == &self.home {
            let key = asked.live.and_then(|live| live.blueprint.kms_key_id.clone());
            keys.extend(key.map(|key| (key, "new backups".to_owned(), false)));
        }
        let target = asked.targets.iter().find(|target| target.region == *region);
        let key = target.map(|target| target.kms_key_id.clone());
        keys.extend(key.map(|key| (key, format!("copies to {region}"), true)));
        let restored = newest.and_then(|newest| newest.kms_key_id.clone());
        keys.extend(restored.map(|key| (key, format!("restores in {region}"), false)));
        let (mut found, mut seen) = (Vec::<KeyFacts>::new(), BTreeMap::new());
        for (id, used_for, tried) in keys {
            let key = self.keys.key(region, &id).await;
            let arn = key.iter().flatten().map(|key| key.arn.clone()).next();
            // The same key by an alias and by its ARN is one key.
            match seen.entry(arn.clone().unwrap_or_else(|| id.clone())) {
                Entry::Occupied(before) => {
                    let before: &mut KeyFacts = &mut found[*before.get()];
                    before.used_for = format!("{} and {used_for}", before.used_for);
                    continue;
                }
                Entry::Vacant(new) => new.insert(found.len()),
            };
            let permitted = match arn.filter(|_| tried) {
                Some(arn) => Some(self.permitted(&arn).await),
                None => None,
            };
            let key_arn = key.iter().flatten().map(|key| key.arn.clone()).next();
            let (policy, grants) = match &key_arn {
                Some(arn) => {
                    (Some(self.keys.policy(region, arn).await), Some(self.keys.grants(region, arn).await))
                }
                None => (None, None),
            };
            let roles = self.users_of_keys(tried);
            found.push(KeyFacts { id, used_for, found: key, permitted, policy, grants, roles });
        }
        found
    }

    /// Roles in whose name a key is used: of one for copies, who tries it and who copies; of any other, who validates.
    /// One that is not known is named elsewhere.
    fn users_of_keys(&self, of_copies: bool) -> Vec<String> {
        let states: &[&str] =
            if of_copies { &["CheckHealth", "ReplicateToRegion"] } else { &["ValidateBackup"] };
        let role =
            |state: &&str| self.deployment.states.function(state).ok().map(|function| function.role.clone());
        states.iter().filter_map(role).filter(|role| !role.is_empty()).collect()
    }

    async fn permitted(&self, key_arn: &str) -> Result<bool> {
        let role = self.deployment.health_role.as_ref().map_err(Error::clone)?;
        permissions::may_use(&aws_sdk_iam::Client::new(&self.config), role, key_arn).await
    }

    async fn validation(&self, region: &Region) -> Option<(String, Result<bool>)> {
        let arn = self.deployment.validation(region)?;
        let there = deployment::is_there(&self.config, region, &arn).await;
        Some((arn, there))
    }
}

/// The snapshot that a restore takes there; `None` when there is none.
///
/// # Errors
/// Why the snapshots are not known: nothing can be said then of what was kept with the newest.
fn newest(snapshots: &Result<Vec<Snapshot>>) -> Result<Option<Snapshot>> {
    let snapshots = snapshots.as_ref().map_err(Error::clone)?;
    let newest = newest_valid(snapshots);
    Ok(newest.and_then(|newest| snapshots.iter().find(|snapshot| snapshot.id == newest.id).cloned()))
}

/// Whether others may have been let in: RDS shares what is complete, whoever made it.
fn can_be_shared(snapshot: &Snapshot) -> bool {
    snapshot.status == SnapshotStatus::Available
}

/// Those of a database, under whatever name it had, and those that are named like its backups.
fn of_database(mut all: Vec<Snapshot>, database: &DatabaseId) -> Vec<Snapshot> {
    all.retain(|snapshot| {
        snapshot.database() == database.as_str() || snapshot.instance_id == database.as_str()
    });
    all
}

#[cfg(test)]
mod tests {
    use holdfast_core::ErrorKind;

    use super::*;

    fn snapshot(id: &str, status: SnapshotStatus, tags: Tags) -> Snapshot {
        let region = Region::parse("us-east-1").unwrap();
        Snapshot {
            id: id.into(),
            arn: format!("arn:aws:rds:{region}:1:snapshot:{id}"),
            region,
            instance_id: "prod-db".into(),
            status,
            percent: 100,
            size_gib: 20,
            encrypted: true,
            kms_key_id: None,
            taken_at: Some("2026-11-20T06:00:00Z".parse().unwrap()),
            engine: "postgres".into(),
            engine_version: "15.4".into(),
            source_region: None,
            source_arn: None,
            tags,
        }
    }

    #[test]
    fn whoever_made_a_snapshot_it_is_looked_at_who_else_can_read_it() {
        let database = DatabaseId::parse("prod-db").unwrap();
        let of = |id: &str, status| snapshot(id, status, Tags::new());
        let mut others = of("other-db-by-hand", SnapshotStatus::Available);
        others.instance_id = "other-db".into();
        let all = vec![
            of("holdfast-prod-db-1", SnapshotStatus::Available),
            of("before-the-migration", SnapshotStatus::Available),
            of("being-made", SnapshotStatus::Creating),
            others,
        ];
        let its = of_database(all, &database);
        let looked: Vec<&str> =
            its.iter().filter(|one| can_be_shared(one)).map(|one| one.id.as_str()).collect();
        assert_eq!(looked, ["holdfast-prod-db-1", "before-the-migration"]);
    }

    #[test]
    fn that_the_snapshots_are_not_known_is_not_that_there_is_none() {
        assert_eq!(newest(&Ok(vec![])), Ok(None));
        let refused = Error::new(ErrorKind::AccessDenied, "DescribeDBSnapshots: AccessDenied: no");
        assert_eq!(newest(&Err(refused.clone())), Err(refused));
    }
}
