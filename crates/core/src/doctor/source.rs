//! The database itself.

use super::{At, Check, Facts, Live, Notes};
use crate::blueprint::Wanted;
use crate::health::source_ready;

/// The source: there, ready, encrypted, with a log, protected, as its backup knows it.
pub(super) fn examine(facts: &Facts, notes: &mut Notes) {
    if !facts.looks_at_home() {
        return;
    }
    let subject = facts.database.as_str();
    let at = |check| At { check, region: &facts.home };
    let live = match &facts.source {
        Err(error) => return notes.unknown(at(Check::Source), subject, error),
        Ok(None) => {
            return notes.fails(
                at(Check::Source),
                subject,
                "no more backups can be taken: there is no DB instance of this name",
                "restore it (holdfast restore), or disable its schedule when it is gone for good",
            );
        }
        Ok(Some(live)) => live,
    };
    match source_ready(&live.instance) {
        Err(error) => notes.fails(
            at(Check::Source),
            subject,
            format!("the next backup fails: {}", error.message),
            "make it available again",
        ),
        Ok(_) => notes.good(at(Check::Source), subject, live.instance.status.clone()),
    }
    settings(facts, live, notes);
    drift(facts, live, notes);
}

fn settings(facts: &Facts, live: &Live, notes: &mut Notes) {
    let (subject, instance) = (facts.database.as_str(), &live.instance);
    let at = |check| At { check, region: &facts.home };
    if instance.encrypted {
        notes.good(at(Check::Encryption), subject, "encrypted");
    } else {
        notes.warns(
            at(Check::Encryption),
            subject,
            "its storage is not encrypted, and neither are its snapshots at home: whoever gets one can read it",
            "copy a snapshot with a key and restore that copy: RDS encrypts an instance only when it is made",
        );
    }
    match instance.backup_retention_days {
        0 => notes.fails(
            at(Check::AutomatedBackups),
            subject,
            "a restore to a point in time fails: automated backups are off, so there is no log",
            "set a backup retention of a day or more",
        ),
        days => notes.good(at(Check::AutomatedBackups), subject, format!("{days} days")),
    }
    if live.blueprint.deletion_protection {
        notes.good(at(Check::DeletionProtection), subject, "on");
    } else {
        notes.warns(
            at(Check::DeletionProtection),
            subject,
            "one call deletes it: deletion protection is off",
            "switch deletion protection on",
        );
    }
    if instance.change_pending {
        notes.warns(
            at(Check::PendingChange),
            subject,
            "a change of its password or its backup retention waits to be applied: what is restored may not be what you expect",
            "apply it, or take it back",
        );
    } else {
        notes.good(at(Check::PendingChange), subject, "none");
    }
}

/// Holds the database against the blueprint that a restore at home would go by.
fn drift(facts: &Facts, live: &Live, notes: &mut Notes) {
    let at = At { check: Check::Drift, region: &facts.home };
    let subject = facts.database.as_str();
    let kept = match facts.regions.get(&facts.home).map(|region| &region.blueprint) {
        Some(Ok(Some(kept))) => &kept.blueprint,
        // That there is none, or that it cannot be read, is the check `blueprint`.
        Some(Ok(None) | Err(_)) | None => return,
    };
    let mut settings = kept.clone();
    // Whether it is public is never restored: it is only when a restore says so.
    settings.publicly_accessible = live.blueprint.publicly_accessible;
    let wanted = Wanted { instance_classes: vec![kept.class.clone()], allocated_storage: None, settings };
    let found = live.blueprint.compared(&wanted);
    if found.is_empty() {
        return notes.good(at, subject, "as its newest proven backup knows it");
    }
    let changed: Vec<String> = found
        .iter()
        .map(|difference| {
            format!("{} is {}, the backup has {}", difference.what, difference.is, difference.wanted)
        })
        .collect();
    notes.warns(
        at,
        subject,
        format!("a restore brings back other settings than it has today: {}", changed.join("; ")),
        "take a backup, so that its settings of today are kept; or say what you want when you restore",
    );
}
