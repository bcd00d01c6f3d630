//! Since when what a swap put there has a database's name.

use jiff::Timestamp;
use serde_json::Value;

use super::Phase;

/// When a phase was left for the next, whoever worked on it by then; `None` while it goes on, or when it was never entered.
/// `document`: a record as the table has it, or a report.
pub fn left(document: &Value, phase: Phase) -> Option<Timestamp> {
    let checkpoints = document["checkpoints"].as_array()?;
    let entered = checkpoints.iter().rposition(|one| one["name"] == phase.as_str())?;
    let next = checkpoints.iter().skip(entered + 1).find(|one| one["name"] != "TAKEN_OVER")?;
    next["time"].as_str()?.parse().ok()
}

/// When what a restore made had certainly taken the database's place, by the record or the report of that restore; `None` when it was
/// asked for no swap, or has not swapped.
///
/// Until then the name was another instance's. The log of the new one begins before, when it was made beside: at those times it
/// is not the database.
pub fn in_place_since(document: &Value) -> Option<Timestamp> {
    (document["swap"]["undone"] == false).then(|| left(document, Phase::Swapping))?
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(undone: &Value) -> Value {
        json!({"swap": {"undone": undone}, "checkpoints": [
            {"name": "VALIDATING", "time": "2026-11-20T06:00:00Z"},
            {"name": "SWAPPING", "time": "2026-11-20T07:00:00Z"},
            {"name": "TAKEN_OVER", "time": "2026-11-20T07:05:00Z"},
            {"name": "CLEANING_UP", "time": "2026-11-20T07:10:00Z"},
        ]})
    }

    #[test]
    fn a_swap_is_over_when_the_next_phase_begins() {
        let since = in_place_since(&document(&json!(false)));
        assert_eq!(since, "2026-11-20T07:10:00Z".parse().ok());
        // One that was undone, and a restore without one, have put nothing in the place of anything.
        assert_eq!(in_place_since(&document(&json!(true))), None);
        assert_eq!(in_place_since(&document(&json!(null))), None);
        let mut going_on = document(&json!(false));
        going_on["checkpoints"].as_array_mut().unwrap().pop();
        assert_eq!(in_place_since(&going_on), None);
    }
}
