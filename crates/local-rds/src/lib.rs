//! Development only: the RDS query API over real PostgreSQL clusters.
//!
//! Every instance is a PostgreSQL cluster of its own with TLS on a port of 127.0.0.1; a snapshot is a
//! physical copy of its files, a restore starts such a copy, a copy lies in another Region's shelf.
//! States take time, progress counts up, faults can be ordered. It is a stand-in for development,
//! never a product: state is in memory, files go when it stops.
//!
//! What it does not hold a caller to: subnet groups, option groups and instance classes that are used may have any
//! name (stacks of the local cloud make them elsewhere), `Port` is ignored because all instances share one
//! address, and signatures are not verified: the access key alone says who calls.
//!
//! - `http`: requests, answers, cut connections; `control`: `/_local/` for tests
//! - `actions`: one file per family; `params` and `wire`: the query protocol
//! - `state`: what exists; `lifecycle`: work that goes on in the background
//! - `engine`: PostgreSQL behind an instance; `server`: its extensions as RDS has them
//! - `damage`: spoiling a snapshot
//! - `faults`, `journal`, `kms`, `network`, `iam`

mod actions;
mod app;
mod caller;
mod cloud;
mod control;
mod damage;
mod engine;
mod error;
mod faults;
mod http;
mod iam;
mod journal;
mod kms;
mod lifecycle;
mod names;
mod network;
mod params;
mod render;
mod server;
mod settings;
mod state;
mod wire;

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holdfast_local_postgres::{Binaries, CertificateAuthority, ServerUser, stop_leftovers};
use tokio::task::JoinHandle;

pub use damage::{Damage, DamageKind};
pub use error::{RdsError, StartError};
pub use faults::{Effect, Fault, Ordered};
pub use journal::{CallRecord, Calls};
pub use settings::{Settings, Tuning};

use app::App;

/// What is shared stays usable when a task died while it held it: every change is made in one piece.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running local RDS. Call [`LocalRds::stop`]; dropping it stops the servers too, but leaves files.
pub struct LocalRds {
    app: Arc<App>,
    address: SocketAddr,
    serving: JoinHandle<()>,
    _lock: File,
}

impl LocalRds {
    /// Binds to 127.0.0.1 and serves until it is stopped.
    pub async fn start(mut settings: Settings) -> Result<Self, StartError> {
        let binaries = Binaries::find().await?;
        settings.data_dir =
            std::path::absolute(&settings.data_dir).map_err(StartError::io("data directory"))?;
        let lock_file = claim(&settings).map_err(StartError::io("cannot use the data directory"))?;
        open_shelves(&settings)?;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", settings.port))
            .await
            .map_err(StartError::io("cannot listen on the port"))?;
        let address = listener.local_addr().map_err(StartError::io("cannot read the port"))?;
        let cloud = settings.cloud_endpoint.clone();
        let server = server::prepare(&binaries, &settings.data_dir.join(server::FOLDER)).await;
        let app = Arc::new(App {
            tuning: Mutex::new(settings.tuning.clone()),
            known_parameters: engine::known_parameters(&binaries)
                .await
                .map_err(StartError::io("cannot run postgres"))?,
            authority: CertificateAuthority::new()?,
            admin_password: names::random_hex(24).map_err(StartError::io("no randomness"))?,
            world: Mutex::default(),
            faults: faults::Faults::default(),
            journal: journal::Journal::default(),
            iam: cloud
                .as_deref()
                .filter(|_| settings.enforce_iam)
                .map(|cloud| iam::Iam::new(cloud, &settings.account_id, &settings.home_region)),
            keys: cloud.as_deref().map(kms::Keys::new),
            networks: cloud.as_deref().map(network::Networks::new),
            tasks: Mutex::default(),
            stopping: Arc::default(),
            binaries,
            server,
            settings,
        });
        let service = http::router(app.clone()).into_make_service_with_connect_info::<http::Cut>();
        let serving = tokio::spawn(async move {
            let served = axum::serve(http::CuttingListener(listener), service).await;
            if let Err(cause) = served {
                tracing::error!(%cause, "the server ended");
            }
        });
        Ok(Self { app, address, serving, _lock: lock_file })
    }

    /// Where the API is, such as `http://127.0.0.1:4567`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The certificate that clients of the instances must trust, PEM.
    pub fn ca_pem(&self) -> &str {
        self.app.authority.pem()
    }

    /// Orders a fault; answers its number.
    pub fn order(&self, fault: Fault) -> u64 {
        self.app.faults.order(fault)
    }

    /// What was called so far.
    pub fn calls(&self) -> Calls {
        self.app.journal.read(None)
    }

    /// Stops every server and removes every file.
    pub async fn stop(self) {
        self.serving.abort();
        self.app.end_work().await;
        let instances: Vec<_> = {
            let mut world = lock(&self.app.world);
            let instances = world.all_instances().cloned().collect();
            for region in world.region_names() {
                *world.region(&region) = state::Region::default();
            }
            instances
        };
        let ending = instances.iter().map(|instance| {
            let (server, directory) = (instance.server.clone(), instance.directory.clone());
            tokio::spawn(async move { lifecycle::instances::tear_down(&server, &directory).await })
        });
        for ended in ending.collect::<Vec<_>>() {
            if tokio::time::timeout(lifecycle::instances::LAST_WAIT, ended).await.is_err() {
                tracing::warn!("a server did not stop in time");
            }
        }
        clear(&self.app.settings);
        // The directory itself goes when nothing else is in it.
        let directory = &self.app.settings.data_dir;
        let _ = std::fs::remove_file(directory.join("lock")).and_then(|()| std::fs::remove_dir(directory));
    }
}

/// Makes the directories of instances and snapshots, and lets the servers' user through to them.
fn open_shelves(settings: &Settings) -> Result<(), StartError> {
    let user = ServerUser::find()?;
    for part in ["instances", "snapshots", "backups"] {
        let shelf = settings.data_dir.join(part);
        std::fs::create_dir_all(&shelf).map_err(StartError::io("cannot write to the data directory"))?;
        user.open_way_to(&shelf)?;
        user.open_way_to(&shelf.join("any"))?;
    }
    Ok(())
}

/// One process per data directory; what an earlier one left when it was killed is stopped and removed.
fn claim(settings: &Settings) -> std::io::Result<File> {
    std::fs::create_dir_all(&settings.data_dir)?;
    let file = File::create(settings.data_dir.join("lock"))?;
    if let Err(TryLockError::WouldBlock) = file.try_lock() {
        return Err(std::io::Error::other("another local RDS is running on it"));
    }
    let leftovers = stop_leftovers(&settings.data_dir)?;
    if leftovers > 0 {
        tracing::warn!(leftovers, "stopped servers of an earlier run");
    }
    clear(settings);
    Ok(file)
}

fn clear(settings: &Settings) {
    for part in ["instances", "snapshots", "backups", server::FOLDER] {
        let directory = settings.data_dir.join(part);
        let mut removed = std::fs::remove_dir_all(&directory);
        // A program that was just killed may have written a last file into a directory being removed.
        for _ in 0..50 {
            match &removed {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                    std::thread::sleep(std::time::Duration::from_millis(100));
                    removed = std::fs::remove_dir_all(&directory);
                }
                _ => break,
            }
        }
        if let Err(cause) = removed
            && cause.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(directory = %directory.display(), %cause, "cannot remove files");
        }
    }
}
