//! What was compared, made so.

use holdfast_protection::ScheduleChange;
use serde::Serialize;

use super::Compared;
use super::account::{Account, Written};
use crate::Error;
use crate::render::count;

/// What was done, and what was not.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Done {
    /// What was done, a line each.
    pub done: Vec<String>,
    /// What was not, with the reason.
    pub not_done: Vec<String>,
}

impl Done {
    /// Whether everything was done.
    pub fn is_whole(&self) -> bool {
        self.not_done.is_empty()
    }
}

/// Makes the changes.
///
/// The settings are stored first, and only over those that were compared: of two who apply at the same time one is told
/// before anything of his was changed. Then schedules are made and changed; what is not in the plan goes last, and stays
/// when anything before has failed, for it may be all that backs a database up. Schedules have no such lock: whoever
/// applied another plan while they were made is found out by the settings, at the end.
///
/// # Errors
/// `NotWritten` when somebody else has applied a plan meanwhile, `Aws` when the settings could not be stored; nothing was
/// changed then.
pub(super) async fn apply(account: &impl Account, compared: &Compared) -> Result<Done, Error> {
    let settings = &compared.wanted.settings;
    let etag = match account.store(settings, compared.stored.as_ref()).await? {
        Written::Done(etag) => etag,
        Written::Changed => {
            return Err(Error::NotWritten(
                "somebody else has applied a plan since this was compared; nothing was changed: look again with holdfast plan diff"
                    .to_owned(),
            ));
        }
    };
    let mut all = Done::default();
    all.done.push(format!("settings of {} stored", count(settings.databases.len() as u64, "database")));
    for change in &compared.changes.schedules {
        let name = change.name();
        let (verb, made) = match change {
            ScheduleChange::Create(schedule) => ("made", account.create(schedule).await),
            ScheduleChange::Update(schedule, _) => ("changed", account.update(schedule).await),
            ScheduleChange::Blocked(_) => {
                let why = "it starts something else than the backup workflow, and is left alone";
                all.not_done.push(format!("schedule {name} not made: one of its name is there; {why}"));
                continue;
            }
            ScheduleChange::Delete(_) if !all.is_whole() => {
                all.not_done
                    .push(format!("schedule {name} not deleted: what came before it was not all done"));
                continue;
            }
            ScheduleChange::Delete(_) => ("deleted", account.delete(name).await),
        };
        match made {
            Ok(()) => all.done.push(format!("schedule {name} {verb}")),
            Err(error) => all.not_done.push(format!("schedule {name} not {verb}: {error}")),
        }
    }
    if !compared.changes.schedules.is_empty() {
        all.not_done.extend(meanwhile(account, &etag).await);
    }
    Ok(all)
}

/// Whether somebody has applied another plan while the schedules were made: those may be of both then.
async fn meanwhile(account: &impl Account, etag: &str) -> Option<String> {
    match account.stored().await {
        Ok(Some(stored)) if stored.etag == etag => None,
        Ok(_) => Some(
            "somebody else has applied a plan meanwhile: the stored settings are theirs, and schedules may be of both"
                .to_owned(),
        ),
        Err(error) => Some(format!("whether somebody else has applied a plan meanwhile is not known: {error}")),
    }
}
