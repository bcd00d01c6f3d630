//! The input of an execution that goes on with an operation there is, or ends it.

use serde::Deserialize;
use serde_json::Value;

use super::strictly;
use crate::error::{Error, Result};
use crate::ids::OperationId;

/// An operation that is to be gone on with. Everything else that its execution needs is in its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reopen {
    /// The operation.
    pub operation_id: OperationId,
    /// Whether it is to be ended: what it made that is temporary is removed, and it has failed.
    pub cancel: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    resume: Option<String>,
    cancel: Option<String>,
}

impl Reopen {
    /// Reads `{"resume": operationId}` or `{"cancel": operationId}`; `None` for an input that asks for something new.
    ///
    /// # Errors
    /// `InvalidInput` when there is more in it, or what it names is no operation id.
    pub fn parse(input: &Value) -> Result<Option<Self>> {
        if input.get("resume").is_none() && input.get("cancel").is_none() {
            return Ok(None);
        }
        let raw: Raw = strictly(input)?;
        let (name, id, cancel) = match (&raw.resume, &raw.cancel) {
            (Some(id), None) => ("resume", id, false),
            (None, Some(id)) => ("cancel", id, true),
            (None, None) | (Some(_), Some(_)) => {
                return Err(Error::invalid("resume, cancel: name one operation in one of them"));
            }
        };
        let operation_id = OperationId::parse(id)
            .map_err(|error| Error::invalid(error.message.replacen("operationId", name, 1)))?;
        Ok(Some(Reopen { operation_id, cancel }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_operation_is_named_and_nothing_else() {
        let id = "prod-db-r1-0123456789";
        let reopen = |cancel| Some(Reopen { operation_id: OperationId::parse(id).unwrap(), cancel });
        assert_eq!(Reopen::parse(&json!({"resume": id})).unwrap(), reopen(false));
        assert_eq!(Reopen::parse(&json!({"cancel": id})).unwrap(), reopen(true));
        assert_eq!(Reopen::parse(&json!({"databaseId": "prod-db"})).unwrap(), None);
        for (input, said) in [
            (json!({"resume": id, "databaseId": "prod-db"}), "unknown field `databaseId`"),
            (json!({"resume": id, "cancel": id}), "resume, cancel: name one"),
            (json!({"resume": null}), "resume, cancel: name one"),
            (json!({"cancel": "x"}), "cancel: \"x\" is not an operation id"),
        ] {
            let error = Reopen::parse(&input).unwrap_err();
            assert!(error.message.contains(said), "{input} gave {}", error.message);
        }
    }
}
