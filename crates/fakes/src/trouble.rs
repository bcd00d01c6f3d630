//! Troubles ordered for a call: what the network, the service or a crash does to it.

use std::sync::Mutex;

use holdfast_core::{Error, ErrorKind, Result};

use crate::locked;

/// The calls of all ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is a method of a port, documented there")]
pub enum Call {
    Instance,
    TemporaryInstances,
    Snapshot,
    CopiesInFlight,
    SnapshotQuota,
    CreateSnapshot,
    ManualSnapshots,
    DeleteSnapshot,
    CopySnapshot,
    TagSnapshot,
    TagInstance,
    EnsureParameterGroup,
    Restore,
    TakeOverInstance,
    DeleteInstance,
    Blueprint,
    RestoreWindow,
    ProblemWith,
    SubnetGroupVpc,
    SecurityGroups,
    DefaultVpc,
    TrustedServices,
    RestoreDatabase,
    Settle,
    Rename,
    Stop,
    Start,
    GetDnsRecord,
    PointDnsRecord,
    CurrentSecret,
    PreviousSecret,
    PutSecret,
    MakeSecretCurrent,
    Key,
    RequirePermission,
    DerivePassword,
    Secret,
    IamToken,
    CreateRecord,
    GetRecord,
    ReplaceRecord,
    LatestValid,
    Unended,
    PutDocument,
    GetDocument,
    ListDocuments,
    IsRunning,
    PutRegionDocument,
    StartValidation,
    Execution,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing happens, and the call answers with this error.
    Refused(Error),
    /// The call takes effect and its answer is lost: what a crash right after it looks like, too.
    AnswerLost,
}

impl Trouble {
    /// Nothing happens, and the call answers with an error of this kind.
    pub fn refused(kind: ErrorKind) -> Self {
        Trouble::Refused(Error::new(kind, format!("ordered by the test: {kind}")))
    }
}

#[derive(Debug)]
struct Order {
    call: Call,
    /// Only for the resource of this name.
    name: Option<String>,
    trouble: Trouble,
    once: bool,
}

/// The troubles that are ordered.
#[derive(Debug, Default)]
pub struct Troubles(Mutex<Vec<Order>>);

impl Troubles {
    /// The next `call` meets `trouble`.
    pub fn once(&self, call: Call, trouble: Trouble) {
        locked(&self.0).push(Order { call, name: None, trouble, once: true });
    }

    /// The next `call` on the resource `name` meets `trouble`.
    pub fn once_for(&self, call: Call, name: &str, trouble: Trouble) {
        locked(&self.0).push(Order { call, name: Some(name.to_owned()), trouble, once: true });
    }

    /// Every `call` meets `trouble`.
    pub fn always(&self, call: Call, trouble: Trouble) {
        locked(&self.0).push(Order { call, name: None, trouble, once: false });
    }

    /// Every `call` on the resource `name` meets `trouble`.
    pub fn always_for(&self, call: Call, name: &str, trouble: Trouble) {
        locked(&self.0).push(Order { call, name: Some(name.to_owned()), trouble, once: false });
    }

    /// Called first by every call of a fake.
    pub(crate) fn strike(&self, call: Call, name: &str) -> Result<Struck> {
        let mut orders = locked(&self.0);
        let hit = orders.iter().position(|order| {
            order.call == call && order.name.as_deref().is_none_or(|wanted| wanted == name)
        });
        let Some(index) = hit else { return Ok(Struck { answer_lost: false }) };
        let trouble = orders[index].trouble.clone();
        if orders[index].once {
            orders.remove(index);
        }
        match trouble {
            Trouble::Refused(error) => Err(error),
            Trouble::AnswerLost => Ok(Struck { answer_lost: true }),
        }
    }
}

/// What a call that took effect still has to get past.
#[derive(Debug)]
#[must_use]
pub(crate) struct Struck {
    answer_lost: bool,
}

impl Struck {
    /// The call's answer, unless it is lost.
    pub fn answer<T>(self, answer: T) -> Result<T> {
        if self.answer_lost {
            return Err(Error::new(ErrorKind::OutcomeUnknown, "ordered by the test: the answer is lost"));
        }
        Ok(answer)
    }
}
