//! Who has which of the three names, and what follows from it. Pure.

use holdfast_core::rds::Life;
use holdfast_core::{Error, ErrorKind, Result};

/// Looks in a row at which an instance may be to be seen nowhere: between two names it can be.
const UNSEEN: u32 = 12;

/// Looks in a row after which a way back is at its end: a rename that was asked for shows late.
const STEADY: u32 = 2;

/// The status of an instance that a start makes usable.
const STOPPED: &str = "stopped";

/// Who has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The instance that had the database's name when the restore was planned.
    Old,
    /// The instance that was restored.
    New,
    /// Any other.
    Stranger,
}

/// An instance at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Who it is.
    pub who: Who,
    /// What its status means; [`Life::Coming`] while a change of its identifier is pending.
    pub life: Life,
    /// Its status, as RDS says it.
    pub status: String,
}

/// The three names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The database's own.
    pub own: String,
    /// What the old instance gets.
    pub aside: String,
    /// What the new one was restored as.
    pub beside: String,
}

/// What is to be seen at each of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The names.
    pub names: Names,
    /// Whether there was an old instance.
    pub had_old: bool,
    /// At the database's own name.
    pub own: Option<Seen>,
    /// At the name aside.
    pub aside: Option<Seen>,
    /// At the name beside.
    pub beside: Option<Seen>,
    /// Looks in a row, this one included, at which somebody was nowhere.
    pub unseen: u32,
    /// Looks in a row before this one at which all was as it had to be.
    pub steady: u32,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// One instance gets another name.
    Rename {
        /// Its name now.
        from: String,
        /// The new one.
        to: String,
    },
    /// One instance is stopped, and only what runs can be renamed.
    Start(String),
    /// Something is under way, for this reason.
    Wait(String),
    /// Everything is where it has to be, as far as one look tells.
    LookAgain(String),
    /// Everything is where it has to be.
    Done,
}

fn is(seen: Option<&Seen>, who: Who) -> bool {
    seen.is_some_and(|seen| seen.who == who)
}

impl Places {
    /// Whether an instance that has to be somewhere is nowhere.
    pub fn is_somebody_nowhere(&self) -> bool {
        let all = [&self.own, &self.aside, &self.beside];
        let nowhere = |who| !all.iter().any(|seen| is(seen.as_ref(), who));
        nowhere(Who::New) || (self.had_old && nowhere(Who::Old))
    }

    /// A name that somebody else has.
    fn stranger(&self) -> Option<&str> {
        let Names { own, aside, beside } = &self.names;
        let all = [(own, &self.own), (aside, &self.aside), (beside, &self.beside)];
        all.into_iter().find(|(_, seen)| is(seen.as_ref(), Who::Stranger)).map(|(name, _)| name.as_str())
    }

    /// Towards the new instance at the database's name.
    ///
    /// # Errors
    /// `NameTaken` when somebody else has one of the names, `SourceUnusable` and `RestoreFailed` when an instance ended in a
    /// state in which it cannot be renamed, or is gone.
    pub fn forwards(&self) -> Result<Next> {
        if let Some(name) = self.stranger() {
            let message = format!("instance {name} is neither what was restored nor what was there before");
            return Err(Error::new(ErrorKind::NameTaken, message));
        }
        let Names { own, aside, beside } = &self.names;
        match (&self.own, &self.beside) {
            (Some(seen), _) if seen.who == Who::New => {
                self.ready(own, seen, ErrorKind::RestoreFailed).map(|wait| wait.unwrap_or(Next::Done))
            }
            (Some(old), Some(new)) => {
                if let Some(wait) = self.ready(beside, new, ErrorKind::RestoreFailed)? {
                    return Ok(wait);
                }
                let wait = self.ready(own, old, ErrorKind::SourceUnusable)?;
                Ok(wait.unwrap_or_else(|| rename(own, aside)))
            }
            (None, Some(new)) => {
                if self.had_old && self.aside.is_none() && self.unseen < UNSEEN {
                    return Ok(Next::Wait(format!("what was {own} is between two names")));
                }
                let wait = self.ready(beside, new, ErrorKind::RestoreFailed)?;
                Ok(wait.unwrap_or_else(|| rename(beside, own)))
            }
            (_, None) => self.nowhere(ErrorKind::RestoreFailed, "what was restored"),
        }
    }

    /// Towards everything as it was before.
    ///
    /// # Errors
    /// `SwapNotUndone` when it cannot be.
    pub fn backwards(&self) -> Result<Next> {
        let Names { own, aside, beside } = &self.names;
        match (&self.own, &self.aside) {
            (Some(new), _) if new.who == Who::New => {
                // It answers: it gives the name away when the one whose name it is can have it, not before.
                if let Some(wait) = self.old_takes_it()? {
                    return Ok(wait);
                }
                match new.life {
                    Life::Coming => Ok(Next::Wait(format!("{own} is {}", new.status))),
                    // Whatever became of it: it has to go out of the way.
                    Life::Up | Life::NotRestorable | Life::NoCapacity | Life::Unusable => {
                        Ok(rename(own, beside))
                    }
                }
            }
            (Some(old), _) if old.who == Who::Old => match old.life {
                Life::Coming => Ok(Next::Wait(format!("{own} is {}", old.status))),
                Life::Up | Life::NotRestorable | Life::NoCapacity | Life::Unusable => Ok(self.steadily()),
            },
            (Some(_), _) => Err(self.not_undone(&format!("somebody else has the name {own}"))),
            (None, Some(old)) if old.who == Who::Old => match self.old_takes_it() {
                Ok(wait) => Ok(wait.unwrap_or_else(|| rename(aside, own))),
                Err(error) => self.rather_the_new_one(error),
            },
            (None, _) if !self.had_old && is(self.beside.as_ref(), Who::New) => Ok(self.steadily()),
            (None, _) if self.unseen >= UNSEEN => {
                self.rather_the_new_one(self.not_undone("it is nowhere to be seen"))
            }
            (None, _) => Ok(Next::Wait(format!("nobody has the name {own} yet"))),
        }
    }

    /// Whether the old instance has the database's name.
    pub fn is_old_in_place(&self) -> bool {
        is(self.own.as_ref(), Who::Old)
    }

    /// Whether the new instance has the database's name.
    pub fn is_new_in_place(&self) -> bool {
        is(self.own.as_ref(), Who::New)
    }

    /// `None` when the old instance can be given its name now, or there was none; else what comes first.
    fn old_takes_it(&self) -> Result<Option<Next>> {
        let aside = &self.names.aside;
        match &self.aside {
            _ if !self.had_old => Ok(None),
            None if self.unseen >= UNSEEN => Err(self.not_undone("it is nowhere to be seen")),
            None => Ok(Some(Next::Wait(format!("what was {} is nowhere to be seen", self.names.own)))),
            Some(old) if old.who == Who::Old => match old.life {
                Life::Up => Ok(None),
                Life::Coming => Ok(Some(Next::Wait(format!("{aside} is {}", old.status)))),
                Life::Unusable if old.status == STOPPED => Ok(Some(Next::Start(aside.clone()))),
                Life::NotRestorable | Life::NoCapacity | Life::Unusable => {
                    Err(self.not_undone(&format!("it is {}", old.status)))
                }
            },
            Some(_) => Err(self.not_undone(&format!("somebody else has the name {aside}"))),
        }
    }

    /// The old one cannot have its name, and nobody has it: the restored one rather than nobody. Then `error` is what
    /// the next look ends with.
    fn rather_the_new_one(&self, error: Error) -> Result<Next> {
        let Names { own, beside, .. } = &self.names;
        match &self.beside {
            Some(new) if new.who == Who::New => match new.life {
                Life::Up => Ok(rename(beside, own)),
                Life::Coming => Ok(Next::Wait(format!("{beside} is {}", new.status))),
                Life::NotRestorable | Life::NoCapacity | Life::Unusable => Err(error),
            },
            Some(_) | None => Err(error),
        }
    }

    /// A rename that was asked for a moment ago does not show yet: one look is not enough.
    fn steadily(&self) -> Next {
        match self.steady >= STEADY {
            true => Next::Done,
            false => Next::LookAgain(format!("{} is what it was; looking again", self.names.own)),
        }
    }

    fn not_undone(&self, why: &str) -> Error {
        let Names { own, aside, .. } = &self.names;
        let instead = if self.is_new_in_place() { "; what was restored keeps the name" } else { "" };
        let message = format!(
            "what was {own} before the swap does not get its name back: {why}; look for it as {aside}{instead}"
        );
        Error::new(ErrorKind::SwapNotUndone, message)
    }

    /// `None` when it can be renamed or used; else what it is waited for.
    fn ready(&self, name: &str, seen: &Seen, failed_as: ErrorKind) -> Result<Option<Next>> {
        match seen.life {
            Life::Up => Ok(None),
            Life::Coming => Ok(Some(Next::Wait(format!("{name} is {}", seen.status)))),
            Life::NotRestorable | Life::NoCapacity | Life::Unusable => {
                let message = format!("{name} is {}: it cannot be renamed, nor used", seen.status);
                Err(Error::new(failed_as, message))
            }
        }
    }

    fn nowhere(&self, kind: ErrorKind, what: &str) -> Result<Next> {
        if self.unseen < UNSEEN {
            return Ok(Next::Wait(format!("{what} is between two names")));
        }
        let Names { own, beside, .. } = &self.names;
        Err(Error::new(kind, format!("{what} is neither {beside} nor {own} any more")))
    }
}

fn rename(from: &str, to: &str) -> Next {
    Next::Rename { from: from.to_owned(), to: to.to_owned() }
}
