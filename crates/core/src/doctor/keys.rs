//! Keys, and whether Holdfast's role may use them.

use super::{At, Check, Facts, KeyFacts, Notes, key_policy};
use crate::ids::Region;

pub(super) fn examine(facts: &Facts, notes: &mut Notes) {
    for (region, found) in &facts.regions {
        for key in &found.keys {
            state(region, key, notes);
            permission(region, key, notes);
            key_policy::examine(region, key, notes);
        }
    }
}

fn state(region: &Region, key: &KeyFacts, notes: &mut Notes) {
    let at = At { check: Check::Key, region };
    let fails = format!("{} fail", key.used_for);
    match &key.found {
        Err(error) => notes.unknown(at, &key.id, error),
        Ok(None) => notes.fails(
            at,
            &key.id,
            format!("{fails}: there is no such key"),
            "deploy infra/region.yaml there, or name another key",
        ),
        Ok(Some(found)) => match found.require_usable(region) {
            Ok(()) => notes.good(at, &key.id, found.state.clone()),
            Err(error) => {
                let advice = match found.state.as_str() {
                    "Disabled" => "enable the key (kms:EnableKey)",
                    "PendingDeletion" => {
                        "cancel its deletion (kms:CancelKeyDeletion) and enable it: once it is gone, so is everything \
                         encrypted with it"
                    }
                    _ => "make the key usable, or name another",
                };
                notes.fails(at, &key.id, format!("{fails}: {}", error.message), advice);
            }
        },
    }
}

fn permission(region: &Region, key: &KeyFacts, notes: &mut Notes) {
    let at = At { check: Check::KeyPermission, region };
    match &key.permitted {
        None => {}
        Some(Err(error)) => notes.unknown(at, &key.id, error),
        Some(Ok(true)) => notes.good(at, &key.id, "the health check's role may use it, as IAM simulates it"),
        Some(Ok(false)) => notes.fails(
            at,
            &key.id,
            format!("{} fail: the health check's role may not use the key, as IAM simulates it", key.used_for),
            "allow kms:DescribeKey and kms:GenerateDataKeyWithoutPlaintext on it, in the role's policy and in the key's",
        ),
    }
}
