//! Everything that can be known before anything is made.

use holdfast_core::answer::{Answer, Progress};
use holdfast_core::blueprint::{Blueprint, KeptBlueprint, known_login};
use holdfast_core::ids::OperationId;
use holdfast_core::operation::{Lost, RecoveryPoint, RestorePlan, seconds_between};
use holdfast_core::ports::{Documents, Keys, Networks, Rds, Restores};
use holdfast_core::rds::require_own;
use holdfast_core::request::{Login, RestoreRequest};
use holdfast_core::tags::{self, Tags};
use holdfast_core::{Error, ErrorKind, Result};

use crate::point::{self, Found};
use crate::{Output, Ports, references};

/// The settings that nobody asked for, and where they come from.
struct Settings {
    blueprint: Blueprint,
    of: String,
    login: Option<Login>,
}

/// Finds the recovery point, makes up what the instance is to be like, and proves that all of it can be had.
pub(crate) async fn step(
    ports: &Ports<'_, impl Rds + Restores, impl Keys, impl Documents, impl Networks>,
    operation: &OperationId,
    request: &RestoreRequest,
) -> Result<Answer<Output>> {
    let (region, target) = (&request.region, &request.target_id);
    let name_taken = match name_taken(ports.rds, operation, request).await? {
        Some(error) if !request.verify_only => return Err(error),
        taken => taken.map(|error| error.message),
    };
    let found = point::find(ports.rds, ports.documents, request).await?;
    let mut settings = settings(ports, request, &found).await?;
    if let Some(snapshot) = &found.snapshot {
        // As large as the snapshot is what comes back: what may be said of its IOPS hangs on that.
        settings.blueprint.allocated_gib = snapshot.size_gib;
    }
    large_enough(request, &settings.blueprint)?;
    let mut wanted = settings.blueprint.wanted(&request.options, &own_tags(ports, operation, request));
    if let Some(snapshot) = &found.snapshot {
        // What a snapshot is, is what is restored, whatever its source became since.
        wanted.settings.engine.clone_from(&snapshot.engine);
        wanted.settings.engine_version.clone_from(&snapshot.engine_version);
        wanted.settings.encrypted = snapshot.encrypted;
        wanted.settings.kms_key_id.clone_from(&snapshot.kms_key_id);
    }
    let references = references::proven(ports, region, &wanted).await?;
    let mut login = request.login.clone().or(settings.login);
    if login.is_none() && request.validation.enabled {
        login = known_login(ports.documents, &point::own_backups(ports.rds, request).await?).await?;
    }
    let unproven = unproven(request, login.as_ref())?;
    let newer = point::newer(ports.rds, request, &found.point).await?;
    let further = point::further(ports.rds, request, &found.point).await?;
    let lost = found.point.time().map(|since| Lost { since, seconds: seconds_between(since, ports.now) });
    let plan = RestorePlan {
        region: region.clone(),
        recovery_point: found.point,
        newer,
        further,
        name_taken,
        lost,
        target_id: target.clone(),
        wanted,
        blueprint_of: settings.of,
        references,
        login,
        unproven,
        swap: None,
    };
    Ok(Answer::Final {
        progress: Progress::new("plan", Some(100), plan.describe()),
        result: Output::Planned { plan: Box::new(plan) },
    })
}

/// Storage can be made larger by a restore, and never smaller.
///
/// # Errors
/// `InvalidInput` naming what the recovery point has.
fn large_enough(request: &RestoreRequest, blueprint: &Blueprint) -> Result<()> {
    let had = blueprint.allocated_gib;
    match request.options.allocated_storage.filter(|gib| *gib < had) {
        Some(gib) => Err(Error::invalid(format!(
            "options.allocatedStorage: {gib} GiB are less than the {had} GiB of the recovery point"
        ))),
        None => Ok(()),
    }
}

/// Why the instance cannot have the name: a restore never overwrites.
///
/// # Errors
/// What the look met.
async fn name_taken(
    rds: &impl Rds,
    operation: &OperationId,
    request: &RestoreRequest,
) -> Result<Option<Error>> {
    let (region, target) = (&request.region, &request.target_id);
    let Some(there) = rds.instance(region, target.as_str()).await? else { return Ok(None) };
    let own = require_own(&format!("targetId: instance {target} in {region}"), &there.tags, operation);
    let advice = if there.status == "deleting" {
        "it is being deleted: the name is free when it is gone; wait for that, or name another targetId (--target)"
    } else {
        "a restore never overwrites; name another targetId (--target), or have it swapped in (--swap)"
    };
    Ok(own.err().map(|error| Error::new(error.kind, format!("{}: {advice}", error.message))))
}

/// How a login is named, for whoever types and for whoever writes the input.
const NAME_A_LOGIN: &str =
    "name one: holdfast restore --login-secret ARN or --login-user USER (login in the input)";

/// Why what comes back could not be proven; `None` when it can be, or nobody wants that.
///
/// # Errors
/// `ReferenceUnresolved` when it was to be swapped in: only what is proven is, and that would be known an hour from now.
fn unproven(request: &RestoreRequest, login: Option<&Login>) -> Result<Option<String>> {
    if login.is_some() || !request.validation.enabled {
        return Ok(None);
    }
    let why = format!("no backup of {} was taken with a login, and none is named", request.database_id);
    if request.swap.is_some() {
        return Err(Error::new(
            ErrorKind::ReferenceUnresolved,
            format!(
                "login: {why}: what comes back could not be proven, and would not be swapped in; {NAME_A_LOGIN}, or have it \
                 swapped in unproven (--no-validation; validation.enabled false)"
            ),
        ));
    }
    Ok(Some(format!("{why}; {NAME_A_LOGIN}")))
}

fn own_tags<R, K, D, N>(
    ports: &Ports<'_, R, K, D, N>,
    operation: &OperationId,
    request: &RestoreRequest,
) -> Tags {
    Tags::from([
        (tags::OPERATION.to_owned(), operation.to_string()),
        (tags::DATABASE.to_owned(), request.database_id.to_string()),
        (tags::REQUESTED_AT.to_owned(), ports.now.to_string()),
    ])
}

/// What lies beside the backup that is restored; for a point in time, and for what has none beside it, what the source is
/// now, if there is one; else what lies beside the newest backup that has one.
async fn settings(
    ports: &Ports<'_, impl Rds + Restores, impl Keys, impl Documents, impl Networks>,
    request: &RestoreRequest,
    found: &Found,
) -> Result<Settings> {
    let region = &request.region;
    if let RecoveryPoint::Snapshot { backup: Some(backup), .. } = &found.point
        && let Some(settings) = kept(ports.documents, backup).await?
    {
        return Ok(settings);
    }
    let mut beside = None;
    for backup in point::own_backups(ports.rds, request).await? {
        // Not every backup has one: those from before blueprints were kept do not.
        beside = kept(ports.documents, &backup).await?;
        if beside.is_some() {
            break;
        }
    }
    if let Some(blueprint) = ports.rds.blueprint(region, request.database_id.as_str()).await? {
        let login = beside.and_then(|settings| settings.login);
        return Ok(Settings { blueprint, of: "the source".to_owned(), login });
    }
    beside.ok_or_else(|| {
        Error::new(
            ErrorKind::ReferenceUnresolved,
            format!(
                "nobody knows what {} was made with: it is not in {region}, and no backup of it has a blueprint there; \
                 restore it by hand (RestoreDBInstanceFromDBSnapshot)",
                request.database_id
            ),
        )
    })
}

async fn kept(documents: &impl Documents, backup: &OperationId) -> Result<Option<Settings>> {
    let kept: Option<KeptBlueprint> = documents.get(&backup.blueprint_key()).await?;
    Ok(kept.map(|kept| Settings { blueprint: kept.blueprint, of: backup.to_string(), login: kept.login }))
}
