//! What all requests share.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use holdfast_local_postgres::{Binaries, CertificateAuthority};
use tokio::task::JoinSet;

use crate::error::RdsError;
use crate::faults::Faults;
use crate::iam::Iam;
use crate::journal::Journal;
use crate::kms::Keys;
use crate::lock;
use crate::names::{Arn, Kind};
use crate::network::Networks;
use crate::settings::{Settings, Tuning};
use crate::state::{Instance, Snapshot, World};

pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) tuning: Mutex<Tuning>,
    pub(crate) binaries: Binaries,
    /// The server program with RDS's extensions; the installed one when there is none.
    pub(crate) server: Option<PathBuf>,
    pub(crate) authority: CertificateAuthority,
    /// Password of the superuser `rdsadmin` of every cluster.
    pub(crate) admin_password: String,
    /// Names that a parameter group may set.
    pub(crate) known_parameters: BTreeSet<String>,
    pub(crate) world: Mutex<World>,
    pub(crate) faults: Faults,
    pub(crate) journal: Journal,
    pub(crate) iam: Option<Iam>,
    pub(crate) keys: Option<Keys>,
    pub(crate) networks: Option<Networks>,
    pub(crate) tasks: Mutex<JoinSet<()>>,
    /// Set at the end: file copies stop where they are.
    pub(crate) stopping: Arc<AtomicBool>,
}

/// Names one instance or snapshot for background work: the serial tells it from a later one of the same name.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) region: String,
    pub(crate) id: String,
    pub(crate) serial: String,
}

impl App {
    /// Background work; it ends with the server.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        if !self.stopping.load(Ordering::SeqCst) {
            tasks.spawn(work);
        }
    }

    /// Ends all background work.
    pub(crate) async fn end_work(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        tasks.shutdown().await;
    }

    pub(crate) fn arn(&self, region: &str, kind: Kind, id: &str) -> Arn {
        Arn { region: region.to_owned(), account: self.settings.account_id.clone(), kind, id: id.to_owned() }
    }

    pub(crate) fn tuning(&self) -> Tuning {
        lock(&self.tuning).clone()
    }

    /// The parameter group family of the installed PostgreSQL.
    pub(crate) fn family(&self) -> String {
        format!("postgres{}", self.binaries.major_version())
    }

    pub(crate) fn default_group(&self) -> String {
        format!("default.{}", self.family())
    }

    pub(crate) fn default_option_group(&self) -> String {
        format!("default:postgres-{}", self.binaries.major_version())
    }

    pub(crate) fn instance_directory(&self, resource_id: &str) -> PathBuf {
        self.settings.data_dir.join("instances").join(resource_id)
    }

    pub(crate) fn backup_directory(&self, resource_id: &str) -> PathBuf {
        self.settings.data_dir.join("backups").join(resource_id)
    }

    pub(crate) fn snapshot_directory(&self, serial: &str) -> PathBuf {
        self.settings.data_dir.join("snapshots").join(serial)
    }

    /// Does something with an instance, if it is still the same one.
    pub(crate) fn with_instance<T>(&self, key: &Key, act: impl FnOnce(&mut Instance) -> T) -> Option<T> {
        let mut world = lock(&self.world);
        let mut instances = world.region(&key.region).instances.values_mut();
        // Not by its identifier: it may have another one since.
        instances.find(|instance| instance.resource_id == key.serial).map(act)
    }

    /// Does something with a snapshot, if it is still the same one.
    pub(crate) fn with_snapshot<T>(&self, key: &Key, act: impl FnOnce(&mut Snapshot) -> T) -> Option<T> {
        let mut world = lock(&self.world);
        let snapshot = world.region(&key.region).snapshots.get_mut(&key.id)?;
        (snapshot.serial == key.serial).then(|| act(snapshot))
    }

    /// The port of an identifier. Call it with the world locked and put the instance in before letting go.
    pub(crate) fn choose_port(&self, world: &mut World, region: &str, id: &str) -> Result<u16, RdsError> {
        let held: BTreeSet<u16> = world.all_instances().map(|instance| instance.port).collect();
        let can_be_had = |port: u16| !held.contains(&port) && TcpListener::bind(("127.0.0.1", port)).is_ok();
        let chosen =
            world.ports.choose(&format!("{region}/{id}"), self.settings.instance_port_base, can_be_had);
        chosen.ok_or_else(|| RdsError::internal("no port is free for an instance"))
    }

    /// Gives an instance another identifier and the port that belongs to it; answers the port. `None` when the
    /// instance is gone.
    pub(crate) fn rename(&self, key: &Key, new: &str) -> Option<Result<u16, RdsError>> {
        let mut world = lock(&self.world);
        let instances = &mut world.region(&key.region).instances;
        let old = instances.values().find(|found| found.resource_id == key.serial)?.arn.id.clone();
        // While it is out its old port holds nothing.
        let mut instance = instances.remove(&old)?;
        let port = self.choose_port(&mut world, &key.region, new);
        instance.renaming = None;
        instance.pending.identifier = None;
        if let Ok(port) = port {
            instance.port = port;
            instance.arn.id = new.to_owned();
        }
        world.region(&key.region).instances.insert(instance.arn.id.clone(), instance);
        Some(port)
    }
}
